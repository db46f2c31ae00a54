//! The adapter as Hugging Face's PEFT keeps it: `adapter_config.json` and `adapter_model.safetensors`
//! (<https://huggingface.co/docs/peft/developer_guides/checkpoint>).
//!
//! Matrices have the names of [`engine::lora`](crate::engine::lora): `A` `[rank, in]`, `B` `[out, rank]`, also where GPT-2 keeps its own
//! ones the other way round, which `fan_in_fan_out` says. [`read`] takes every LoRA of GPT-2's four block matrices that has one
//! rank and one scale, whoever trained it; what else PEFT can do is refused by name.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, short};
use crate::engine::lora::{Pair, Site};
use crate::engine::{Adapter, Config};
use crate::settings::{Lora, Targets};

/// The two files.
pub const CONFIG: &str = "adapter_config.json";
/// The two files.
pub const WEIGHTS: &str = "adapter_model.safetensors";

/// The largest rank that can be set in the page, and that its lessons and their snapshots have room for.
pub const MOST_RANK: u64 = 64;
/// A larger alpha comes from no training.
pub const MOST_ALPHA: f64 = 65_536.0;
/// Nor does a larger weight.
pub const MOST_WEIGHT: f32 = 1e6;

/// `adapter_config.json` for an adapter of the model that is called `base`.
#[must_use]
pub fn config(lora: &Lora, base: &str) -> Vec<u8> {
    let Targets {
        attention_in,
        attention_out,
        mlp_in,
        mlp_out,
    } = lora.targets;
    // "c_proj" alone would mean both of that name.
    let modules = [
        (attention_in, "c_attn"),
        (attention_out && mlp_out, "c_proj"),
        (attention_out && !mlp_out, "attn.c_proj"),
        (mlp_in, "c_fc"),
        (mlp_out && !attention_out, "mlp.c_proj"),
    ];
    let modules: Vec<&str> = modules.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "revision": null,
        "inference_mode": true,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": modules,
        "fan_in_fan_out": true,
        "bias": "none",
        "init_lora_weights": true,
        "modules_to_save": null,
        "use_rslora": false,
        "use_dora": false,
        "rank_pattern": {},
        "alpha_pattern": {},
        "layers_to_transform": null,
        "layers_pattern": null,
    });
    format!("{config:#}\n").into_bytes()
}

/// `adapter_model.safetensors`.
pub fn weights(adapter: &Adapter) -> Result<Vec<u8>, Error> {
    let tensors: Vec<(String, Tensor)> = adapter.tensors().map(|(name, tensor)| (name, tensor.clone())).collect();
    // PyTorch's loaders ask for it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(tensors.iter().map(|(name, tensor)| (name, tensor)), Some(metadata));
    bytes.map_err(|error| Error::Weights(error.to_string()))
}

/// What `adapter_config.json` says, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct PeftConfig {
    peft_type: Option<String>,
    /// What the adapter was trained on.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    r: u64,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    modules_to_save: Option<Vec<Value>>,
    #[serde(default)]
    rank_pattern: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    alpha_pattern: Option<BTreeMap<String, Value>>,
}

impl PeftConfig {
    /// Reads and checks it.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let config: Self = serde_json::from_slice(json).map_err(|error| Error::Json {
            name: CONFIG,
            why: short(&error.to_string()),
        })?;
        let has = |pattern: &Option<BTreeMap<_, _>>| pattern.as_ref().is_some_and(|pattern| !pattern.is_empty());
        let unknown = match config.peft_type.as_deref() {
            Some("LORA") | None if config.use_dora => Some("DoRA".to_owned()),
            Some("LORA") | None if config.bias.as_deref().is_some_and(|bias| bias != "none") => Some("biases".into()),
            Some("LORA") | None if config.modules_to_save.iter().flatten().next().is_some() => {
                Some("whole layers (modules_to_save)".into())
            }
            Some("LORA") | None if has(&config.rank_pattern) || has(&config.alpha_pattern) => {
                Some("several ranks or scales".into())
            }
            Some("LORA") | None => None,
            Some(other) => Some(short(other)),
        };
        if let Some(unknown) = unknown {
            return Err(Error::Unsupported(unknown));
        }
        if config.r == 0 || config.r > MOST_RANK {
            return Err(Error::Rank(config.r));
        }
        let alpha = config.alpha();
        if !(alpha.is_finite() && alpha > 0.0 && alpha <= MOST_ALPHA) {
            return Err(Error::Alpha);
        }
        Ok(config)
    }

    /// The rank.
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.r as usize
    }

    /// What, divided by the rank, is the scale: rank-stabilised LoRA divides by its root instead.
    fn alpha(&self) -> f64 {
        if self.use_rslora {
            self.lora_alpha * (self.r as f64).sqrt()
        } else {
            self.lora_alpha
        }
    }
}

/// The adapter in the two files, if it fits a model. Blocks that it leaves out get matrices that change nothing yet.
pub fn read(peft: &PeftConfig, weights: &[u8], model: &Config) -> Result<Adapter, Error> {
    let file = SafeTensors::deserialize(weights).map_err(|error| Error::Weights(short(&error.to_string())))?;
    let mut found: HashMap<(usize, Site, Half), Tensor> = HashMap::new();
    for (name, view) in file.iter() {
        let (layer, site, half) = place(name, model).ok_or_else(|| Error::Place(short(name)))?;
        let (fan_in, fan_out) = site.dims(model);
        let expected = match half {
            Half::A => [peft.rank(), fan_in],
            Half::B => [fan_out, peft.rank()],
        };
        if view.shape() != expected {
            return Err(Error::Shape {
                name: short(name),
                found: view.shape().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let values = numbers(view.dtype(), view.data())
            .ok_or_else(|| Error::Weights(format!("{} has the type {:?}", short(name), view.dtype())))?;
        if !values.iter().all(|value| value.abs() <= MOST_WEIGHT) {
            return Err(Error::NotFinite(short(name)));
        }
        let tensor = Tensor::from_vec(values, &expected, &Device::Cpu)?;
        if found.insert((layer, site, half), tensor).is_some() {
            return Err(Error::Duplicate(short(name)));
        }
    }
    let has = |site| found.keys().any(|(_, other, _)| *other == site);
    let targets = Targets {
        attention_in: has(Site::AttentionIn),
        attention_out: has(Site::AttentionOut),
        mlp_in: has(Site::MlpIn),
        mlp_out: has(Site::MlpOut),
    };
    if found.is_empty() {
        return Err(Error::Weights("it holds no matrix".into()));
    }
    let lora = Lora {
        rank: peft.rank(),
        alpha: peft.alpha(),
        targets,
    };
    let fresh = Adapter::fresh(model, lora, 0)?;
    Adapter::build(model, lora, |layer, site| {
        let halves = [Half::A, Half::B].map(|half| found.remove(&(layer, site, half)));
        match halves {
            [Some(a), Some(b)] => Ok(Pair { a, b }),
            [None, None] => {
                let pair = fresh.pair(layer, site).cloned();
                pair.ok_or_else(|| Error::Place(site.name().to_owned()))
            }
            _ => Err(Error::Weights(format!(
                "h.{layer}.{} has only one of its two matrices",
                site.name()
            ))),
        }
    })
}

/// Which of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Half {
    A,
    B,
}

/// Where a matrix belongs: `base_model.model.transformer.h.3.attn.c_attn.lora_A.weight`, perhaps without `transformer.`, as
/// for a `GPT2Model`, or with the adapter's name before `weight`, as in PEFT's state dictionaries.
fn place(name: &str, model: &Config) -> Option<(usize, Site, Half)> {
    let rest = name.strip_prefix("base_model.model.")?;
    let rest = rest.strip_prefix("transformer.").unwrap_or(rest);
    let (layer, rest) = rest.strip_prefix("h.")?.split_once('.')?;
    let layer: usize = layer.parse().ok().filter(|layer| *layer < model.n_layer)?;
    let rest = rest.strip_suffix(".weight")?;
    let rest = rest.strip_suffix(".default").unwrap_or(rest);
    let (site, half) = rest.rsplit_once('.')?;
    let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
    match half {
        "lora_A" => Some((layer, site, Half::A)),
        "lora_B" => Some((layer, site, Half::B)),
        _ => None,
    }
}

/// The numbers of a tensor; `None` for types in which nobody keeps an adapter.
fn numbers(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate knows thirty types")]
    match dtype {
        Dtype::F32 => Some(each(data, f32::from_le_bytes)),
        Dtype::F16 => Some(each(data, |bytes| f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => Some(each(data, |bytes| bf16::from_le_bytes(bytes).to_f32())),
        _ => None,
    }
}

fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
}
