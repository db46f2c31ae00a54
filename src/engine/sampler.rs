//! Drawing the next token.
//!
//! The distribution is shaped as Hugging Face's `generate` does it: repetition penalty, temperature, top-k, top-p, min-p,
//! in that order. A vocabulary has fifty thousand entries and a few hundred of them matter: nothing here sorts them all.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Error;
use super::kernels::float;
use crate::settings::Sampling;

/// Below this a temperature counts as 0: the likeliest token is taken.
const COLDEST: f64 = 1e-4;
/// The nucleus is found among tokens that are sorted into so many bins by their logits …
const BINS: usize = 1024;
/// … of this width, from the likeliest down. The last bin takes all that is less likely than e⁻³².
const BIN_WIDTH: f32 = 1.0 / 32.0;

/// A seeded source of tokens.
pub struct Sampler {
    sampling: Sampling,
    rng: StdRng,
    /// Logits, then weights, of every token; 0 is never drawn.
    weights: Vec<f32>,
    /// Tokens among which a bound is looked for.
    order: Vec<u32>,
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
        Self {
            sampling,
            rng: StdRng::seed_from_u64(sampling.seed),
            weights: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Draws a token from `logits` `[v]`; `context` is every token so far, the prompt's included. A `forbidden` token is
    /// never drawn.
    ///
    /// # Errors
    /// [`Error::BadLogits`] if one of the logits is not a number.
    pub fn draw(&mut self, logits: &[f32], context: &[u32], forbidden: Option<u32>) -> Result<Drawn, Error> {
        let (most, sum) = float::sum_exp(logits);
        if !sum.is_finite() || sum <= 0.0 {
            return Err(Error::BadLogits);
        }
        self.weigh(logits, context, forbidden);
        let token = self.pick();
        Ok(Drawn {
            token: token as u32,
            log_prob: logits[token] - most - sum.ln(),
        })
    }

    /// The distribution that [`Sampler::draw`] draws from, `[v]`, summing to 1. At temperature 0 all of it is on one token.
    #[must_use]
    pub fn distribution(&mut self, logits: &[f32], context: &[u32]) -> &[f32] {
        self.weigh(logits, context, None);
        let sum: f32 = self.weights.iter().sum();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        &self.weights
    }

    /// Leaves each token's weight in `weights`, not normalised.
    fn weigh(&mut self, logits: &[f32], context: &[u32], forbidden: Option<u32>) {
        let weights = &mut self.weights;
        weights.clear();
        weights.extend_from_slice(logits);
        penalise(weights, self.sampling.repetition_penalty, context, &mut self.order);
        if let Some(weight) = forbidden.and_then(|token| weights.get_mut(token as usize)) {
            *weight = f32::NEG_INFINITY;
        }
        if self.sampling.temperature < COLDEST {
            let likeliest = float::argmax(weights);
            weights.fill(0.0);
            weights[likeliest] = 1.0;
            return;
        }
        let (most, factor) = (float::max(weights), (1.0 / self.sampling.temperature) as f32);
        // Logits below the likeliest one's, at this temperature.
        for weight in &mut *weights {
            *weight = (*weight - most) * factor;
        }
        let least = top_k(weights, self.sampling.top_k, &mut self.order);
        keep_at_least(weights, least);
        let bounds = nucleus(weights, self.sampling.top_p, &mut self.order);
        for (token, weight) in weights.iter_mut().enumerate() {
            let is_in = *weight > bounds.0 || (*weight >= bounds.0 && token <= bounds.1);
            *weight = if is_in { float::exp(*weight) } else { 0.0 };
        }
        if self.sampling.min_p > 0.0 {
            // The likeliest token weighs 1.
            let least = self.sampling.min_p as f32;
            for weight in weights.iter_mut().filter(|weight| **weight < least) {
                *weight = 0.0;
            }
        }
    }

    /// A token, as often as it weighs.
    fn pick(&mut self) -> usize {
        let sum: f64 = self.weights.iter().map(|weight| f64::from(*weight)).sum();
        let mut left = self.rng.random::<f64>() * sum;
        let mut last = 0;
        for (token, weight) in self.weights.iter().enumerate() {
            if *weight > 0.0 {
                last = token;
                left -= f64::from(*weight);
                if left < 0.0 {
                    break;
                }
            }
        }
        last
    }
}

/// Divides positive logits of tokens that occurred by the penalty, and multiplies negative ones (Keskar et al. 2019,
/// arXiv 1909.05858), each once.
fn penalise(logits: &mut [f32], penalty: f32, context: &[u32], seen: &mut Vec<u32>) {
    if (penalty - 1.0).abs() < f32::EPSILON {
        return;
    }
    seen.clear();
    seen.extend_from_slice(context);
    seen.sort_unstable();
    seen.dedup();
    for token in &*seen {
        if let Some(logit) = logits.get_mut(*token as usize) {
            *logit = if *logit > 0.0 {
                *logit / penalty
            } else {
                *logit * penalty
            };
        }
    }
}

/// The least of the `k` largest values, and the last place that it may have; all if `k` is 0.
fn top_k(values: &[f32], k: usize, order: &mut Vec<u32>) -> (f32, usize) {
    if k == 0 || k >= values.len() {
        return (f32::NEG_INFINITY, values.len());
    }
    order.clear();
    order.extend(0..values.len() as u32);
    let (_, last, _) = order.select_nth_unstable_by(k - 1, |a, b| likelier(values, *a, *b));
    (values[*last as usize], *last as usize)
}

/// Makes everything −∞ that comes after a bound.
fn keep_at_least(values: &mut [f32], (least, place): (f32, usize)) {
    if least > f32::NEG_INFINITY {
        for (token, value) in values.iter_mut().enumerate() {
            if *value < least || (*value <= least && token > place) {
                *value = f32::NEG_INFINITY;
            }
        }
    }
}

/// The bound of the smallest set of tokens whose probabilities reach `top_p` (Holtzman et al. 2020, arXiv 1904.09751): the
/// least value in it, and the last place that this may have. `values` are logits, the largest of them 0.
fn nucleus(values: &[f32], top_p: f64, order: &mut Vec<u32>) -> (f32, usize) {
    if top_p >= 1.0 {
        return (f32::MIN, values.len());
    }
    let bin = |value: f32| ((-value / BIN_WIDTH) as usize).min(BINS - 1);
    let mut bins = [0f64; BINS];
    for value in values.iter().filter(|value| **value > f32::NEG_INFINITY) {
        bins[bin(*value)] += f64::from(float::exp(*value));
    }
    let wanted = top_p * bins.iter().sum::<f64>();
    let mut reached = 0.0;
    let Some(boundary) = bins.iter().position(|mass| {
        reached += mass;
        reached >= wanted
    }) else {
        return (f32::MIN, values.len());
    };
    reached -= bins[boundary];
    order.clear();
    let in_boundary = |token: &u32| {
        let value = values[*token as usize];
        value > f32::NEG_INFINITY && bin(value) == boundary
    };
    order.extend((0..values.len() as u32).filter(in_boundary));
    order.sort_unstable_by(|a, b| likelier(values, *a, *b));
    let mut bound = (0.0, 0);
    for token in &*order {
        let at = *token as usize;
        bound = (values[at], at);
        reached += f64::from(float::exp(values[at]));
        if reached >= wanted {
            break;
        }
    }
    bound
}

/// The likelier one first; of equals, the one with the smaller id.
fn likelier(values: &[f32], a: u32, b: u32) -> std::cmp::Ordering {
    values[b as usize].total_cmp(&values[a as usize]).then(a.cmp(&b))
}
