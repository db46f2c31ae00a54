//! GPT-2, the whole model (Radford et al. 2019), bottom-up. Fields are named like the checkpoint's keys.
//!
//! [`Gpt2::hidden`] serves teaching: with an [`Adapter`] every targeted matrix gets its LoRA delta, and gradients flow to it
//! if its tensors are variables. `Gpt2::read`, in [`decode`](super::decode), serves writing. The base never changes.
//!
//! Shapes: `b` sequences, `t` tokens, `n = n_embd`, `v = vocab_size`.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::config::Activation;
use super::linear::{FrozenLinear, Input};
use super::lora::{Adapter, Site};
use super::matrix::{Matrix, Orientation, Rounding};
use super::ops::{CausalAttention, LayerNorm};
use super::weights::Weights;
use super::{Config, Error, storage};
use crate::settings::Precision;

/// The frozen base model.
#[derive(Debug)]
pub struct Gpt2 {
    config: Config,
    precision: Precision,
    /// `[v, n]`
    wte: Matrix,
    /// `[n_positions, n]`
    wpe: Arc<[f32]>,
    pub(super) h: Vec<Block>,
    pub(super) ln_f: LayerNorm,
    pub(super) lm_head: FrozenLinear,
    tied: bool,
}

impl Gpt2 {
    /// Builds the model from its tensors, reading one after the other.
    pub fn new(config: Config, weights: &Weights, precision: Precision) -> std::result::Result<Self, Error> {
        let mut model = Self::without_blocks(config, weights, precision)?;
        while model.read_block(weights)? {}
        Ok(model)
    }

    /// A model without blocks: its embeddings, its last layer norm and its head. [`Gpt2::read_block`] adds the blocks.
    pub(super) fn without_blocks(
        config: Config,
        weights: &Weights,
        precision: Precision,
    ) -> std::result::Result<Self, Error> {
        let (v, n) = (config.vocab_size, config.n_embd);
        let wte = matrix(&[v, n], Orientation::OutIn, precision, |each| {
            weights.stream("wte.weight", &[v, n], each)
        })?;
        let untied = if weights.has_untied_head() {
            Some(matrix(&[v, n], Orientation::OutIn, precision, |each| {
                weights.stream_untied_head(&[v, n], each)
            })?)
        } else {
            None
        };
        Ok(Self {
            wpe: values(&weights.get("wpe.weight", &[config.n_positions, n])?)?,
            precision,
            h: Vec::with_capacity(config.n_layer),
            ln_f: layer_norm(&config, weights, "ln_f")?,
            tied: untied.is_none(),
            lm_head: FrozenLinear::new(untied.unwrap_or_else(|| wte.clone()), None),
            wte,
            config,
        })
    }

    /// Reads the next block, one tensor after the other. Whether there is another one after it.
    pub(super) fn read_block(&mut self, weights: &Weights) -> std::result::Result<bool, Error> {
        self.h
            .push(Block::new(&self.config, weights, self.precision, self.h.len())?);
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
        self.wte.bytes() + 4 * self.wpe.len() + head + blocks.sum::<usize>()
    }

    /// How its matrices lie in memory.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// Reads whole sequences: ids `[b, t]` → hidden states `[b, t, n]`, after the last layer norm.
    ///
    /// # Errors
    /// If the tokens do not fit the model's positions or its vocabulary.
    pub fn hidden(&self, ids: &Tensor, adapter: Option<&Adapter>) -> Result<Tensor> {
        let (b, t) = ids.dims2()?;
        let mut x = vec![0.0; b * t * self.config.n_embd];
        self.embed(&ids.flatten_all()?.to_vec1()?, &vec![0; b], &mut x)?;
        let mut x = Tensor::from_vec(x, (b, t, self.config.n_embd), &Device::Cpu)?;
        for (layer, block) in self.h.iter().enumerate() {
            x = block.forward(&x, &Context { layer, adapter })?;
        }
        self.ln_f.forward(&x)
    }

    /// What makes logits `[m, v]` of hidden states `[m, n]`. It is the widest matrix: ask only for the positions that count.
    #[must_use]
    pub const fn head(&self) -> &FrozenLinear {
        &self.lm_head
    }

    /// Token and position embedding of ids `[b, t]`; each sequence stands behind so many others: `[b, t, n]`.
    pub(super) fn embed(&self, ids: &[u32], pasts: &[usize], x: &mut [f32]) -> Result<()> {
        let n = self.config.n_embd;
        let t = ids.len() / pasts.len().max(1);
        if let Some(past) = pasts.iter().find(|past| *past + t > self.config.n_positions) {
            candle_core::bail!("{} tokens are more than the model's positions", past + t);
        }
        for (at, (id, x)) in ids.iter().zip(x.chunks_exact_mut(n)).enumerate() {
            self.wte.row(*id as usize, x)?;
            let position = &self.wpe[(pasts[at / t] + at % t) * n..][..n];
            x.iter_mut().zip(position).for_each(|(x, position)| *x += position);
        }
        Ok(())
    }
}

/// What a block needs to know besides its input.
struct Context<'a> {
    layer: usize,
    adapter: Option<&'a Adapter>,
}

impl Context<'_> {
    /// A linear map with its LoRA delta: `[b, t, in]` → `[b, t, out]`.
    fn linear(&self, base: &FrozenLinear, site: Site, x: &Tensor, input: Input) -> Result<Tensor> {
        let delta = self
            .adapter
            .and_then(|adapter| Some((adapter.pair(self.layer, site)?, adapter.lora().scale())));
        match delta {
            Some((pair, scale)) => base.forward_with(x, input, pair, scale),
            None => base.forward(x, input),
        }
    }
}

/// `x + attn(ln_1(x))`, then `x + mlp(ln_2(x))`.
#[derive(Debug)]
pub(super) struct Block {
    pub ln_1: LayerNorm,
    pub attn: Attention,
    pub ln_2: LayerNorm,
    pub mlp: Mlp,
}

impl Block {
    fn new(config: &Config, weights: &Weights, precision: Precision, layer: usize) -> std::result::Result<Self, Error> {
        let conv1d = |site| conv1d(config, weights, precision, layer, site);
        let name = |part: &str| format!("h.{layer}.{part}");
        Ok(Self {
            ln_1: layer_norm(config, weights, &name("ln_1"))?,
            attn: Attention {
                c_attn: conv1d(Site::AttentionIn)?,
                c_proj: conv1d(Site::AttentionOut)?,
                n_head: config.n_head,
            },
            ln_2: layer_norm(config, weights, &name("ln_2"))?,
            mlp: Mlp {
                c_fc: conv1d(Site::MlpIn)?,
                c_proj: conv1d(Site::MlpOut)?,
                activation: config.activation,
            },
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = (x + self.attn.forward(x, &self.ln_1, ctx)?)?;
        let y = self.mlp.forward(&x, &self.ln_2, ctx)?;
        x + y
    }
}

/// Causal multi-head self-attention, of a layer norm's result.
#[derive(Debug)]
pub(super) struct Attention {
    pub c_attn: FrozenLinear,
    pub c_proj: FrozenLinear,
    n_head: usize,
}

impl Attention {
    fn forward(&self, x: &Tensor, norm: &LayerNorm, ctx: &Context) -> Result<Tensor> {
        let qkv = ctx.linear(&self.c_attn, Site::AttentionIn, x, Input::Norm(norm.clone()))?; // [b, t, 3n]
        let y = qkv.apply_op1(CausalAttention { heads: self.n_head })?; // [b, t, n]
        ctx.linear(&self.c_proj, Site::AttentionOut, &y, Input::AsIs)
    }
}

/// Two linear maps with a gelu between them, of a layer norm's result.
#[derive(Debug)]
pub(super) struct Mlp {
    pub c_fc: FrozenLinear,
    pub c_proj: FrozenLinear,
    pub activation: Activation,
}

impl Mlp {
    fn forward(&self, x: &Tensor, norm: &LayerNorm, ctx: &Context) -> Result<Tensor> {
        let y = ctx.linear(&self.c_fc, Site::MlpIn, x, Input::Norm(norm.clone()))?;
        match self.activation {
            Activation::GeluTanh => ctx.linear(&self.c_proj, Site::MlpOut, &y, Input::Gelu),
            Activation::GeluErf => ctx.linear(&self.c_proj, Site::MlpOut, &y.gelu_erf()?, Input::AsIs),
        }
    }
}

fn layer_norm(config: &Config, weights: &Weights, name: &str) -> std::result::Result<LayerNorm, Error> {
    let vector = |part: &str| values(&weights.get(&format!("{name}.{part}"), &[config.n_embd])?);
    Ok(LayerNorm {
        weight: vector("weight")?,
        bias: vector("bias")?,
        epsilon: config.layer_norm_epsilon,
    })
}

/// A small tensor as a plain slice.
fn values(tensor: &Tensor) -> std::result::Result<Arc<[f32]>, Error> {
    Ok(storage::with_f32(tensor, |values| values.into())?)
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
    let weight = matrix(&[fan_in, fan_out], Orientation::InOut, precision, |each| {
        weights.stream(&format!("{name}.weight"), &[fan_in, fan_out], each)
    })?;
    let bias = weights.get(&format!("{name}.bias"), &[fan_out])?;
    Ok(FrozenLinear::new(weight, Some(values(&bias)?)))
}

/// A matrix in the form that is wanted, from values that `read` hands over piece by piece.
fn matrix(
    shape: &[usize; 2],
    orientation: Orientation,
    precision: Precision,
    read: impl FnOnce(&mut dyn FnMut(&[f32])) -> std::result::Result<(), Error>,
) -> std::result::Result<Matrix, Error> {
    match precision {
        Precision::Exact => {
            let mut values = Vec::with_capacity(shape[0] * shape[1]);
            read(&mut |piece| values.extend_from_slice(piece))?;
            Ok(Matrix::exact(
                Tensor::from_vec(values, shape, &Device::Cpu)?,
                orientation,
            )?)
        }
        Precision::EightBit => {
            let mut rounding = Rounding::new(shape, orientation);
            read(&mut |piece| rounding.push(piece))?;
            Ok(rounding.finish())
        }
    }
}
