//! What a person can set: how posts are sampled and how lessons are taught. Plain data with its bounds.
//!
//! The page edits these, the protocol carries them, the engine and the learning read them. [`Sampling::clamped`] and
//! [`Teaching::clamped`] are applied where they arrive, so that nothing downstream meets an absurd value.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::content::ContentType;

/// How the next token is drawn from the model's distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Divides the logits. Below 1 is more careful, above 1 more adventurous, 0 always takes the likeliest token.
    pub temperature: f64,
    /// Only the `top_k` likeliest tokens stay; 0 keeps all.
    pub top_k: usize,
    /// Only the smallest set of tokens whose probabilities reach `top_p` stays; 1 keeps all.
    pub top_p: f64,
    /// Only tokens at least `min_p` times as likely as the likeliest stay; 0 keeps all.
    pub min_p: f64,
    /// Logits of tokens that occurred already are divided (positive) or multiplied (negative) by this; 1 does nothing.
    pub repetition_penalty: f32,
    /// The same seed, prompt, settings and model give the same post.
    pub seed: u64,
    /// The most tokens that a text may have.
    pub length: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 0,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.1,
            seed: 1,
            length: ContentType::default().tokens(),
        }
    }
}

impl Sampling {
    /// The settings with which a type of text comes.
    #[must_use]
    pub fn of(content: ContentType) -> Self {
        Self {
            length: content.tokens(),
            ..Self::default()
        }
    }

    /// These settings with every value brought into its bounds.
    #[must_use]
    pub fn clamped(self) -> Self {
        let fallback = Self::default();
        Self {
            temperature: bounded(self.temperature, 0.0..=5.0, fallback.temperature),
            top_k: self.top_k,
            top_p: bounded(self.top_p, 0.01..=1.0, fallback.top_p),
            min_p: bounded(self.min_p, 0.0..=1.0, fallback.min_p),
            repetition_penalty: if self.repetition_penalty.is_nan() {
                fallback.repetition_penalty
            } else {
                self.repetition_penalty.clamp(1.0, 5.0)
            },
            seed: self.seed,
            length: self.length.clamp(1, 1024),
        }
    }
}

/// How strongly what was taught may count: from not at all to half as much again.
pub const STRENGTH: RangeInclusive<f64> = 0.0..=1.5;

/// Which program the worker runs. Both compute the same, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Build {
    /// For every supported browser: plain SIMD.
    Baseline,
    /// For browsers with relaxed SIMD: one instruction does the work of several.
    Fast,
}

/// How a model's matrices lie in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Precision {
    /// f32: four bytes a weight, and exactly what the files say.
    Exact,
    /// 8 bits, and a scale for each output and 64 inputs: a quarter of that, and twice as fast, for a loss that is hard to
    /// find (README).
    #[default]
    EightBit,
}

impl Precision {
    /// Bytes of memory that a weight takes; the scales are not counted.
    #[must_use]
    pub const fn bytes_a_weight(self) -> u64 {
        match self {
            Self::Exact => 4,
            Self::EightBit => 1,
        }
    }

    /// Bytes of memory that a model's weights take in this form.
    #[must_use]
    pub const fn memory(self, parameters: u64) -> u64 {
        parameters * self.bytes_a_weight()
    }
}

/// Bytes that a model's weights may take: a browser's 32-bit memory has 4.3 GB, and lessons need some of it.
pub const MOST_MEMORY: u64 = 3_000_000_000;

/// What a lesson minimises, besides staying close to the base model. `p` is the probability of the post's tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Objective {
    /// The original demo's method: `reward · mean(−log p)`. The reward is never negative, so every lesson says "more of
    /// this", however bad the post was rated.
    RewardWeighted,
    /// `advantage · mean(−log p)` with `advantage = reward − baseline`, the baseline being the running mean of the
    /// person's rewards. A post that is worse than usual is pushed down, gently and with a floor.
    #[default]
    Advantage,
}

impl Objective {
    /// All objectives, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Advantage, Self::RewardWeighted];

    /// The name on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RewardWeighted => "Reward-weighted (original)",
            Self::Advantage => "Better or worse than usual",
        }
    }
}

/// Which of a block's four matrices carry a LoRA pair.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent matrices, each adapted or not"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Targets {
    /// Attention's query, key and value, `attn.c_attn`.
    pub attention_in: bool,
    /// Attention's output, `attn.c_proj`.
    pub attention_out: bool,
    /// The MLP's widening, `mlp.c_fc`.
    pub mlp_in: bool,
    /// The MLP's narrowing, `mlp.c_proj`.
    pub mlp_out: bool,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            attention_in: true,
            attention_out: true,
            mlp_in: true,
            mlp_out: true,
        }
    }
}

/// The shape of the adapter: `ΔW = alpha / rank · B·A` on every targeted matrix (Hu et al. 2021, arXiv 2106.09685).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lora {
    /// Rows of A and columns of B.
    pub rank: usize,
    /// The scale's numerator.
    pub alpha: f64,
    /// The matrices that are adapted.
    pub targets: Targets,
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            targets: Targets::default(),
        }
    }
}

impl Lora {
    /// `alpha / rank`.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}

/// How a lesson is taught.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Teaching {
    /// What is minimised.
    pub objective: Objective,
    /// Optimiser steps a lesson.
    pub steps: usize,
    /// AdamW's learning rate.
    pub learning_rate: f64,
    /// The weight of the divergence from the untaught model; in practice, where that has reached the target.
    pub kl_weight: f64,
    /// The divergence that the model's own texts shall have at most, in nats a token.
    pub kl_target: f64,
    /// Earlier texts that are taught along with each new one.
    pub replay: usize,
    /// Texts of its own that the model practises on in each of some rounds of a lesson, once the automatic rater is honest.
    pub practice: usize,
    /// The adapter's shape. It counts when the first lesson is taught and stays until everything is forgotten.
    pub lora: Lora,
}

impl Default for Teaching {
    /// For the embedded model, from the lab (`examples/lab/RESULTS.md`, 30 ratings, ten seeds): the reward on held-out prompts rose by
    /// 52 % (mentor), 76 % (storyteller), 38 % (asker), 51 % (tagger), 29 % (minimalist), 24 % and 42 % (torn about length and voice),
    /// at a mean KL of 0.06 to 0.09, with 91 to 101 % of the untaught texts' different pairs of words and 92 to 100 % of their entropy.
    /// With a KL target of 0.12, when pairs cost less, seed 102: 48 % (mentor) and 66 % (tagger), but 86 and 90 % of the pairs, and 87 %
    /// of the entropy.
    fn default() -> Self {
        Self {
            objective: Objective::default(),
            steps: 2,
            learning_rate: 1e-3,
            kl_weight: 0.1,
            kl_target: 0.1,
            replay: 2,
            practice: 8,
            lora: Lora::default(),
        }
    }
}

impl Teaching {
    /// These settings with every value brought into its bounds.
    #[must_use]
    pub fn clamped(self) -> Self {
        let fallback = Self::default();
        let targets = self.lora.targets;
        let any = targets.attention_in || targets.attention_out || targets.mlp_in || targets.mlp_out;
        Self {
            objective: self.objective,
            steps: self.steps.clamp(1, 32),
            learning_rate: bounded(self.learning_rate, 1e-6..=1e-1, fallback.learning_rate),
            kl_weight: bounded(self.kl_weight, 0.0..=10.0, fallback.kl_weight),
            kl_target: bounded(self.kl_target, 0.001..=10.0, fallback.kl_target),
            replay: self.replay.min(8),
            practice: self.practice.min(16),
            lora: Lora {
                rank: self.lora.rank.clamp(1, 64),
                alpha: bounded(self.lora.alpha, 0.1..=256.0, fallback.lora.alpha),
                targets: if any { targets } else { Targets::default() },
            },
        }
    }
}

/// The value within its bounds; what is not a number becomes the default.
#[must_use]
pub fn bounded(value: f64, bounds: RangeInclusive<f64>, default: f64) -> f64 {
    if value.is_nan() {
        default
    } else {
        value.clamp(*bounds.start(), *bounds.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_settings_are_brought_into_their_bounds() {
        let sampling = Sampling {
            temperature: f64::NAN,
            top_p: -3.0,
            min_p: f64::INFINITY,
            repetition_penalty: f32::NAN,
            length: 0,
            ..Sampling::default()
        }
        .clamped();
        let expected = Sampling {
            top_p: 0.01,
            min_p: 1.0,
            length: 1,
            ..Sampling::default()
        };
        assert_eq!(sampling, expected);

        let teaching = Teaching {
            steps: 0,
            learning_rate: f64::INFINITY,
            kl_weight: f64::NAN,
            lora: Lora {
                rank: 0,
                alpha: f64::NEG_INFINITY,
                targets: Targets {
                    attention_in: false,
                    attention_out: false,
                    mlp_in: false,
                    mlp_out: false,
                },
            },
            ..Teaching::default()
        }
        .clamped();
        assert_eq!((teaching.steps, teaching.lora.rank), (1, 1));
        assert!(teaching.learning_rate <= 0.1 && teaching.lora.alpha > 0.0);
        assert_eq!(teaching.kl_weight.to_bits(), Teaching::default().kl_weight.to_bits());
        assert_eq!(
            teaching.lora.targets,
            Targets::default(),
            "an adapter has at least one matrix"
        );
    }

    #[test]
    fn defaults_are_within_their_bounds() {
        assert_eq!(Sampling::default().clamped(), Sampling::default());
        assert_eq!(Teaching::default().clamped(), Teaching::default());
    }
}
