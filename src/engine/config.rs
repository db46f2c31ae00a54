//! GPT-2's hyperparameters, read from a Hugging Face `config.json`.

use serde::Deserialize;

use super::Error;
use super::lora::Site;

/// The hyperparameters, under the names that Hugging Face gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Transformer blocks.
    pub n_layer: usize,
    /// Attention heads a block.
    pub n_head: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Width inside the MLP, `4 · n_embd` unless said otherwise.
    pub n_inner: usize,
    /// Longest sequence.
    pub n_positions: usize,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_epsilon: f32,
    /// Between the MLP's two matrices.
    pub activation: Activation,
    /// The token that ends a text.
    pub eos_token_id: Option<u32>,
}

/// The MLP's nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `gelu_new`: the tanh approximation that GPT-2 was trained with.
    GeluTanh,
    /// `gelu`: with the exact error function.
    GeluErf,
}

/// The file as it is; what is absent has Hugging Face's default for GPT-2.
#[derive(Deserialize)]
struct Raw {
    model_type: Option<String>,
    n_layer: Option<usize>,
    n_head: Option<usize>,
    n_embd: Option<usize>,
    n_inner: Option<usize>,
    n_positions: Option<usize>,
    n_ctx: Option<usize>,
    vocab_size: Option<usize>,
    layer_norm_epsilon: Option<f32>,
    activation_function: Option<String>,
    eos_token_id: Option<OneOrMany>,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    scale_attn_weights: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl Config {
    /// Reads `config.json`.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(json).map_err(|e| Error::Config(e.to_string()))?;
        if let Some(model_type) = raw.model_type.filter(|t| t != "gpt2") {
            return Err(Error::Unsupported {
                field: "model_type",
                value: model_type,
            });
        }
        if raw.scale_attn_by_inverse_layer_idx {
            return Err(Error::Unsupported {
                field: "scale_attn_by_inverse_layer_idx",
                value: "true".into(),
            });
        }
        if raw.scale_attn_weights == Some(false) {
            return Err(Error::Unsupported {
                field: "scale_attn_weights",
                value: "false".into(),
            });
        }
        let n_embd = raw.n_embd.unwrap_or(768);
        let config = Self {
            n_layer: raw.n_layer.unwrap_or(12),
            n_head: raw.n_head.unwrap_or(12),
            n_embd,
            n_inner: raw.n_inner.unwrap_or(4 * n_embd),
            n_positions: raw.n_positions.or(raw.n_ctx).unwrap_or(1024),
            vocab_size: raw.vocab_size.unwrap_or(50257),
            layer_norm_epsilon: raw.layer_norm_epsilon.unwrap_or(1e-5),
            activation: match raw.activation_function.as_deref() {
                None | Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
                Some("gelu") => Activation::GeluErf,
                Some(other) => {
                    return Err(Error::Unsupported {
                        field: "activation_function",
                        value: other.to_owned(),
                    });
                }
            },
            eos_token_id: match raw.eos_token_id {
                Some(OneOrMany::One(id)) => Some(id),
                Some(OneOrMany::Many(ids)) => ids.first().copied(),
                None => None,
            },
        };
        config.check()?;
        Ok(config)
    }

    /// How many weights a model of this shape has, the head being tied to the embedding.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let n = self.n_embd;
        let matrices: usize = Site::ALL
            .iter()
            .map(|site| site.dims(self))
            .map(|(i, o)| i * o + o)
            .sum();
        let block = matrices + 4 * n;
        (self.n_layer * block + (self.vocab_size + self.n_positions + 2) * n) as u64
    }

    /// Width of one head.
    #[must_use]
    pub const fn head_dim(&self) -> usize {
        self.n_embd / self.n_head
    }

    fn check(&self) -> Result<(), Error> {
        let sizes = [
            ("n_layer", self.n_layer, 512),
            ("n_head", self.n_head, 1024),
            ("n_embd", self.n_embd, 1 << 15),
            ("n_inner", self.n_inner, 1 << 18),
            ("n_positions", self.n_positions, 1 << 20),
            ("vocab_size", self.vocab_size, 1 << 22),
        ];
        for (field, value, most) in sizes {
            if value == 0 || value > most {
                return Err(Error::Unsupported {
                    field,
                    value: value.to_string(),
                });
            }
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            return Err(Error::Config(format!(
                "n_embd = {} is not a multiple of n_head = {}",
                self.n_embd, self.n_head
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_config_is_gpt2_small() {
        let config = Config::from_json(b"{}").expect("defaults");
        assert_eq!((config.n_layer, config.n_embd, config.n_inner), (12, 768, 3072));
        assert_eq!(config.activation, Activation::GeluTanh);
    }

    #[test]
    fn what_gpt2_is_not_is_refused_by_name() {
        for (json, word) in [
            (r#"{"model_type":"llama"}"#, "llama"),
            (r#"{"activation_function":"silu"}"#, "silu"),
            (r#"{"n_embd":100,"n_head":12}"#, "multiple"),
            (r#"{"n_layer":0}"#, "n_layer"),
            ("<html>", "config.json"),
        ] {
            let error = Config::from_json(json.as_bytes()).expect_err(json).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
