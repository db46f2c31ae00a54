//! Writing's forward pass: new tokens after those that are in a cache, without gradients, between slices that are allocated
//! once.

use candle_core::cpu::erf::erf_f32;
use candle_core::{Result, bail};

use super::config::Activation;
use super::gpt2::Gpt2;
use super::kernels::float;
use super::linear::FrozenLinear;
use super::lora::Site;
use super::{Adapter, Cache};

impl Gpt2 {
    /// Reads `t` new tokens of each of the cache's `b` sequences, ids `[b, t]`, and returns the logits after the last ones,
    /// `[b, v]`.
    ///
    /// # Errors
    /// If the tokens do not fit the cache, the model's positions or its vocabulary.
    pub fn read<'c>(&self, ids: &[u32], cache: &'c mut Cache, adapter: Option<&Adapter>) -> Result<&'c [f32]> {
        let (b, n) = (cache.batch(), self.config().n_embd);
        let t = ids.len() / b.max(1);
        let is_full = cache.lens().iter().any(|past| past + t > cache.capacity());
        if t == 0 || ids.len() != b * t || is_full {
            bail!("{} tokens do not fit a cache of {b} with {:?}", ids.len(), cache.lens());
        }
        let mut room = std::mem::take(&mut cache.room);
        let m = b * t;
        room.x.resize(m * n, 0.0);
        room.normed.resize(m * n, 0.0);
        room.y.resize(m * n, 0.0);
        self.embed(ids, cache.lens(), &mut room.x)?;
        for (layer, block) in self.h.iter().enumerate() {
            let linear = |base: &FrozenLinear, site, x: &[f32], low: &mut Vec<f32>, y: &mut [f32]| -> Result<()> {
                base.apply(x, y)?;
                adapter.map_or(Ok(()), |adapter| adapter.add(layer, site, x, low, y))
            };
            block.ln_1.apply(&room.x, &mut room.normed);
            room.wide.resize(m * 3 * n, 0.0);
            linear(
                &block.attn.c_attn,
                Site::AttentionIn,
                &room.normed,
                &mut room.low,
                &mut room.wide,
            )?;
            cache.attend(layer, &room.wide, &mut room.y);
            linear(
                &block.attn.c_proj,
                Site::AttentionOut,
                &room.y,
                &mut room.low,
                &mut room.normed,
            )?;
            add(&mut room.x, &room.normed);

            block.ln_2.apply(&room.x, &mut room.normed);
            room.wide.resize(m * block.mlp.c_fc.outputs(), 0.0);
            linear(
                &block.mlp.c_fc,
                Site::MlpIn,
                &room.normed,
                &mut room.low,
                &mut room.wide,
            )?;
            match block.mlp.activation {
                Activation::GeluTanh => float::gelu_all(&mut room.wide),
                Activation::GeluErf => room.wide.iter_mut().for_each(|x| *x = gelu_erf(*x)),
            }
            linear(&block.mlp.c_proj, Site::MlpOut, &room.wide, &mut room.low, &mut room.y)?;
            add(&mut room.x, &room.y);
        }
        cache.advance(t);
        // Only the last token of each sequence says what comes next.
        for sequence in 0..b {
            let last = (sequence + 1) * t - 1;
            room.x.copy_within(last * n..(last + 1) * n, sequence * n);
        }
        self.ln_f.apply(&room.x[..b * n], &mut room.normed[..b * n]);
        room.logits.resize(b * self.lm_head.outputs(), 0.0);
        self.lm_head.apply(&room.normed[..b * n], &mut room.logits)?;
        cache.room = room;
        Ok(&cache.room.logits)
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// `x · Φ(x)`, with the exact error function.
fn gelu_erf(x: f32) -> f32 {
    0.5 * x * (1.0 + erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))
}
