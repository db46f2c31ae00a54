//! Drawing the next token.
//!
//! The distribution is shaped as Hugging Face's `generate` does it: repetition penalty, temperature, top-k, top-p, min-p,
//! in that order. The draw itself is candle's [`LogitsProcessor`], seeded.

use candle_core::{D, DType, Tensor};
use candle_nn::ops;
use candle_transformers::generation::{LogitsProcessor, Sampling as Draw};
use candle_transformers::utils::apply_repeat_penalty;

use super::Error;
use crate::settings::Sampling;

/// Below this a temperature counts as 0: the likeliest token is taken.
const COLDEST: f64 = 1e-4;

/// A seeded source of tokens.
pub struct Sampler {
    sampling: Sampling,
    processor: LogitsProcessor,
}

/// A token and how likely the model itself (temperature 1, nothing filtered) found it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Its id.
    pub token: u32,
    /// Its log-probability in nats.
    pub log_prob: f32,
}

impl Sampler {
    /// A sampler that always draws the same from the same logits.
    #[must_use]
    pub fn new(sampling: Sampling) -> Self {
        let draw = if sampling.temperature < COLDEST {
            Draw::ArgMax
        } else {
            Draw::All {
                temperature: sampling.temperature,
            }
        };
        Self {
            sampling,
            processor: LogitsProcessor::from_sampling(sampling.seed, draw),
        }
    }

    /// Draws a token from `logits` `[v]`; `context` is every token so far, the prompt's included. A `forbidden` token is
    /// never drawn.
    pub fn draw(&mut self, logits: &Tensor, context: &[u32], forbidden: Option<u32>) -> Result<Drawn, Error> {
        let logits = logits.to_dtype(DType::F32)?;
        let log_probs = ops::log_softmax(&logits, D::Minus1)?;
        if log_probs.max(0)?.to_scalar::<f32>()?.is_nan() {
            return Err(Error::BadLogits);
        }
        let mut penalised = self.penalised(&logits, context)?;
        if let Some(token) = forbidden {
            penalised = without(&penalised, token)?;
        }
        let sampling = self.sampling;
        let token = self.processor.sample_f(&penalised, |probs| filter(probs, &sampling))?;
        let log_prob = log_probs.get(token as usize)?.to_scalar::<f32>()?;
        Ok(Drawn { token, log_prob })
    }

    /// The distribution that [`Sampler::draw`] draws from, `[v]`, summing to 1. At temperature 0 all of it is on one token.
    pub fn distribution(&self, logits: &Tensor, context: &[u32]) -> Result<Vec<f32>, Error> {
        let penalised = self.penalised(&logits.to_dtype(DType::F32)?, context)?;
        if self.sampling.temperature < COLDEST {
            let likeliest = penalised.argmax(D::Minus1)?.to_scalar::<u32>()? as usize;
            let size = penalised.elem_count();
            return Ok((0..size).map(|i| if i == likeliest { 1.0 } else { 0.0 }).collect());
        }
        let mut probs = ops::softmax(&(penalised / self.sampling.temperature)?, D::Minus1)?.to_vec1::<f32>()?;
        filter(&mut probs, &self.sampling);
        let sum: f32 = probs.iter().sum();
        for p in &mut probs {
            *p /= sum;
        }
        Ok(probs)
    }

    fn penalised(&self, logits: &Tensor, context: &[u32]) -> Result<Tensor, Error> {
        let penalty = self.sampling.repetition_penalty;
        if (penalty - 1.0).abs() < f32::EPSILON {
            return Ok(logits.clone());
        }
        Ok(apply_repeat_penalty(logits, penalty, context)?)
    }
}

/// The same logits with one of them at minus infinity.
fn without(logits: &Tensor, token: u32) -> Result<Tensor, Error> {
    let mut values = logits.to_vec1::<f32>()?;
    if let Some(value) = values.get_mut(token as usize) {
        *value = f32::NEG_INFINITY;
    }
    Ok(Tensor::from_vec(values, logits.shape(), logits.device())?)
}

/// Sets to 0 what top-k, top-p and min-p exclude. The rest is left as it is, not normalised.
fn filter(probs: &mut [f32], sampling: &Sampling) {
    let all = probs.len();
    let top_k = if sampling.top_k == 0 {
        all
    } else {
        sampling.top_k.min(all)
    };
    if top_k == all && sampling.top_p >= 1.0 {
        return keep_min_p(probs, sampling.min_p);
    }
    let mut order: Vec<usize> = (0..all).collect();
    let likelier = |a: &usize, b: &usize| probs[*b].total_cmp(&probs[*a]).then(a.cmp(b));
    if top_k < all {
        order.select_nth_unstable_by(top_k, likelier);
        order.truncate(top_k);
    }
    order.sort_unstable_by(likelier);
    let kept = &order[..nucleus(probs, &order, sampling.top_p)];
    let mut keep = vec![false; all];
    for i in kept {
        keep[*i] = true;
    }
    for (p, keep) in probs.iter_mut().zip(keep) {
        if !keep {
            *p = 0.0;
        }
    }
    keep_min_p(probs, sampling.min_p);
}

/// How many of the tokens in `order` (likeliest first) it takes to reach `top_p` of their sum; at least one.
fn nucleus(probs: &[f32], order: &[usize], top_p: f64) -> usize {
    if top_p >= 1.0 {
        return order.len();
    }
    let sum: f64 = order.iter().map(|i| f64::from(probs[*i])).sum();
    let mut reached = 0.0;
    for (count, i) in order.iter().enumerate() {
        if reached >= top_p * sum {
            return count.max(1);
        }
        reached += f64::from(probs[*i]);
    }
    order.len()
}

fn keep_min_p(probs: &mut [f32], min_p: f64) {
    if min_p <= 0.0 {
        return;
    }
    let likeliest = probs.iter().copied().fold(0.0, f32::max);
    let least = likeliest * min_p as f32;
    for p in probs {
        if *p < least {
            *p = 0.0;
        }
    }
}
