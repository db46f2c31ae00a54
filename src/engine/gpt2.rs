//! GPT-2, the whole model (Radford et al. 2019), bottom-up. Fields are named like the checkpoint's keys.
//!
//! One forward serves writing and teaching. With a [`Cache`] only the new tokens are read; with an [`Adapter`] every
//! targeted matrix gets its LoRA delta, and gradients flow to it if its tensors are variables. The base never changes.
//!
//! Shapes: `b` sequences, `t` new tokens, `s` tokens in all, `n = n_embd`, `h = n_head`, `d = n / h`, `v = vocab_size`.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops;
use candle_transformers::utils::build_additive_causal_mask;

use super::config::Activation;
use super::linear::FrozenLinear;
use super::lora::{Adapter, Site};
use super::matrix::{Matrix, Orientation};
use super::weights::Weights;
use super::{Cache, Config, Error};
use crate::settings::Precision;

/// The frozen base model.
#[derive(Debug)]
pub struct Gpt2 {
    config: Config,
    /// `[v, n]`
    wte: Matrix,
    /// `[n_positions, n]`
    wpe: Tensor,
    h: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: FrozenLinear,
    tied: bool,
}

impl Gpt2 {
    /// Builds the model from its tensors, reading one after the other.
    pub fn new(config: Config, weights: &Weights, precision: Precision) -> std::result::Result<Self, Error> {
        let mut model = Self::without_blocks(config, weights, precision)?;
        while model.read_block(weights, precision)? {}
        Ok(model)
    }

    /// A model without blocks: its embeddings, its last layer norm and its head. [`Gpt2::read_block`] adds the blocks.
    pub(super) fn without_blocks(
        config: Config,
        weights: &Weights,
        precision: Precision,
    ) -> std::result::Result<Self, Error> {
        let (v, n) = (config.vocab_size, config.n_embd);
        let form = |values: Tensor| matrix(values, Orientation::OutIn, precision);
        let wte = form(weights.get("wte.weight", &[v, n])?)?;
        let untied = weights.untied_head(&[v, n])?.map(form).transpose()?;
        Ok(Self {
            wpe: weights.get("wpe.weight", &[config.n_positions, n])?,
            h: Vec::with_capacity(config.n_layer),
            ln_f: LayerNorm::new(&config, weights, "ln_f")?,
            tied: untied.is_none(),
            lm_head: FrozenLinear::new(untied.unwrap_or_else(|| wte.clone()), None),
            wte,
            config,
        })
    }

    /// Reads the next block, one tensor after the other. Whether there is another one after it.
    pub(super) fn read_block(&mut self, weights: &Weights, precision: Precision) -> std::result::Result<bool, Error> {
        self.h.push(Block::new(&self.config, weights, precision, self.h.len())?);
        Ok(self.h.len() < self.config.n_layer)
    }

    /// Its hyperparameters.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How many weights it has; a tied head counts once.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let head = if self.tied {
            0
        } else {
            self.config.vocab_size * self.config.n_embd
        };
        self.config.parameters() + head as u64
    }

    /// Bytes that its matrices take; a tied head counts once.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let head = if self.tied { 0 } else { self.lm_head.bytes() };
        let blocks = self.h.iter().map(|block| {
            let Block { attn, mlp, .. } = block;
            [&attn.c_attn, &attn.c_proj, &mlp.c_fc, &mlp.c_proj]
                .map(FrozenLinear::bytes)
                .iter()
                .sum::<usize>()
        });
        self.wte.bytes() + 4 * self.wpe.elem_count() + head + blocks.sum::<usize>()
    }

    /// Reads tokens: ids `[b, t]` → hidden states `[b, t, n]`, after the last layer norm.
    ///
    /// # Errors
    /// If the tokens do not fit the model's positions or the cache.
    pub fn hidden(&self, ids: &Tensor, mut cache: Option<&mut Cache>, adapter: Option<&Adapter>) -> Result<Tensor> {
        let (b, t) = ids.dims2()?;
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let token = self.wte.rows(&ids.flatten_all()?)?.reshape((b, t, ()))?; // [b, t, n]
        let position = self.wpe.narrow(0, past, t)?; // [t, n]
        let mut x = token.broadcast_add(&position)?;
        let mask = if t > 1 {
            Some(build_additive_causal_mask(t, past, None, &Device::Cpu, DType::F32)?) // [1, 1, t, s]
        } else {
            None
        };
        for (layer, block) in self.h.iter().enumerate() {
            let ctx = Context {
                layer,
                mask: mask.as_ref(),
                adapter,
            };
            x = block.forward(&x, &ctx, cache.as_deref_mut())?;
        }
        if let Some(cache) = cache {
            cache.advance(t);
        }
        self.ln_f.forward(&x)
    }

    /// Hidden states `[m, n]` → logits `[m, v]`. It is the widest matrix: ask only for the positions that count.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.lm_head.forward(&hidden.contiguous()?)
    }
}

/// What a block needs to know besides its input.
struct Context<'a> {
    layer: usize,
    mask: Option<&'a Tensor>,
    adapter: Option<&'a Adapter>,
}

impl Context<'_> {
    /// A linear map with its LoRA delta: `[b, t, in]` → `[b, t, out]`.
    fn linear(&self, base: &FrozenLinear, site: Site, x: &Tensor) -> Result<Tensor> {
        let (b, t, n) = x.dims3()?;
        let x = x.reshape((b * t, n))?;
        let mut y = base.forward(&x)?;
        if let Some(adapter) = self.adapter
            && let Some(delta) = adapter.delta(self.layer, site, &x)?
        {
            y = (y + delta)?;
        }
        y.reshape((b, t, ()))
    }
}

/// `x + attn(ln_1(x))`, then `x + mlp(ln_2(x))`.
#[derive(Debug)]
struct Block {
    ln_1: LayerNorm,
    attn: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn new(config: &Config, weights: &Weights, precision: Precision, layer: usize) -> std::result::Result<Self, Error> {
        let conv1d = |site| conv1d(config, weights, precision, layer, site);
        let name = |part: &str| format!("h.{layer}.{part}");
        Ok(Self {
            ln_1: LayerNorm::new(config, weights, &name("ln_1"))?,
            attn: Attention {
                c_attn: conv1d(Site::AttentionIn)?,
                c_proj: conv1d(Site::AttentionOut)?,
                n_head: config.n_head,
            },
            ln_2: LayerNorm::new(config, weights, &name("ln_2"))?,
            mlp: Mlp {
                c_fc: conv1d(Site::MlpIn)?,
                c_proj: conv1d(Site::MlpOut)?,
                activation: config.activation,
            },
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context, cache: Option<&mut Cache>) -> Result<Tensor> {
        let x = (x + self.attn.forward(&self.ln_1.forward(x)?, ctx, cache)?)?;
        let y = self.mlp.forward(&self.ln_2.forward(&x)?, ctx)?;
        x + y
    }
}

/// Causal multi-head self-attention.
#[derive(Debug)]
struct Attention {
    c_attn: FrozenLinear,
    c_proj: FrozenLinear,
    n_head: usize,
}

impl Attention {
    fn forward(&self, x: &Tensor, ctx: &Context, cache: Option<&mut Cache>) -> Result<Tensor> {
        let (b, t, n) = x.dims3()?;
        let d = n / self.n_head;
        let qkv = ctx.linear(&self.c_attn, Site::AttentionIn, x)?; // [b, t, 3n]
        let heads = |part: usize| {
            let part = qkv.narrow(D::Minus1, part * n, n)?;
            part.reshape((b, t, self.n_head, d))?.transpose(1, 2)?.contiguous() // [b, h, t, d]
        };
        let (q, mut k, mut v) = (heads(0)?, heads(1)?, heads(2)?);
        if let Some(cache) = cache {
            (k, v) = cache.append(ctx.layer, &k, &v)?; // [b, h, s, d]
        }
        let mut scores = (q.matmul(&k.t()?)? / (d as f64).sqrt())?; // [b, h, t, s]
        if let Some(mask) = ctx.mask {
            scores = scores.broadcast_add(mask)?;
        }
        let y = ops::softmax(&scores, D::Minus1)?.matmul(&v)?; // [b, h, t, d]
        let y = y.transpose(1, 2)?.reshape((b, t, n))?;
        ctx.linear(&self.c_proj, Site::AttentionOut, &y)
    }
}

/// Two linear maps with a gelu between them.
#[derive(Debug)]
struct Mlp {
    c_fc: FrozenLinear,
    c_proj: FrozenLinear,
    activation: Activation,
}

impl Mlp {
    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let y = ctx.linear(&self.c_fc, Site::MlpIn, x)?;
        let y = match self.activation {
            Activation::GeluTanh => y.gelu()?,
            Activation::GeluErf => y.gelu_erf()?,
        };
        ctx.linear(&self.c_proj, Site::MlpOut, &y)
    }
}

/// `(x − mean) / √(var + ε) · weight + bias` over the last dimension, in the form that has a backward.
#[derive(Debug)]
struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl LayerNorm {
    fn new(config: &Config, weights: &Weights, name: &str) -> std::result::Result<Self, Error> {
        Ok(Self {
            weight: weights.get(&format!("{name}.weight"), &[config.n_embd])?,
            bias: weights.get(&format!("{name}.bias"), &[config.n_embd])?,
            epsilon: config.layer_norm_epsilon,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm_slow(x, &self.weight, &self.bias, self.epsilon)
    }
}

/// A block's matrix, which Hugging Face keeps as Conv1D, `[in, out]`.
fn conv1d(
    config: &Config,
    weights: &Weights,
    precision: Precision,
    layer: usize,
    site: Site,
) -> std::result::Result<FrozenLinear, Error> {
    let (fan_in, fan_out) = site.dims(config);
    let name = format!("h.{layer}.{}", site.name());
    let weight = weights.get(&format!("{name}.weight"), &[fan_in, fan_out])?;
    let bias = weights.get(&format!("{name}.bias"), &[fan_out])?;
    Ok(FrozenLinear::new(
        matrix(weight, Orientation::InOut, precision)?,
        Some(bias),
    ))
}

/// A matrix in the form that is wanted. The f32 values are gone when this returns, if they are not that form.
fn matrix(values: Tensor, orientation: Orientation, precision: Precision) -> std::result::Result<Matrix, Error> {
    Ok(match precision {
        Precision::Exact => Matrix::exact(values, orientation),
        Precision::EightBit => Matrix::rounded(&values, orientation)?,
    })
}
