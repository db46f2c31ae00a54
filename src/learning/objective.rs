//! What a lesson minimises: from what a person said of some texts to the factor on each text's cross-entropy.
//!
//! Every objective minimises the mean over the lesson's tokens of `c · CE + β · KL`, where `CE` is `−log π(token)` (the
//! end-of-text included, the prompt not), and `KL` is `KL(π ‖ π₀)` at its position, `π₀` being the model without its adapter. A
//! mean over texts instead would let each token of a long text count less: long texts would hardly be pushed down, and who likes
//! short ones would not be heard (Liu et al. 2025, arXiv 2503.20783; in the lab, the minimalist's reward fell by 6 % with it and rose
//! by 40 % without). The objectives differ in `c`, which is computed anew before each step:
//!
//! | objective | c |
//! |---|---|
//! | reward-weighted (original) | `reward` |
//! | advantage | `A` if `A ≥ 0`, else `A/2 · min(1, π/μ)`, with `A = clip(reward − baseline, −1, 1)` |
//! | preference | `σ(−z)` for the chosen text, `−σ(−z)` for the rejected one, with `z = s · (Δ(chosen) − Δ(rejected))` and `Δ = mean(log π − log π₀)`; of several rejected ones, the mean |
//! | demonstration | `1` for the text that the person wrote; the text that it replaces counts as rejected |
//!
//! *Advantage*: a likelihood that is minimised has no floor, so a negative `c` is damped twice: by half, and by how much less
//! likely the post has already become since it was written (`π/μ`, per token: the ratio of the geometric means). This is the
//! truncated importance weight on negatives of TOPR (Le Roux et al. 2025, arXiv 2503.14286). The baseline is REINFORCE's
//! (Williams 1992): of several candidates for one prompt, the mean of the others' rewards (Kool et al. 2019, "Buy 4 REINFORCE
//! Samples, Get a Baseline for Free!"); of a single text, the running mean of the person's rewards.
//!
//! What the automatic rater judges is taught by *advantage* too, one for each of its tokens ([`credit`](super::credit)).
//!
//! *KL*: `β` follows from how far the model has gone on the lesson's texts, and from a target ([`restraint`]).
//!
//! *Preference* is DPO (Rafailov et al. 2023, arXiv 2305.18290), `−log σ(z) / s`, with the log-ratios per token, so that long
//! texts do not count more (Lambert et al. 2024, arXiv 2411.15124). Its gradient is that of `c · CE` above, and vanishes by
//! itself once the chosen text is preferred clearly enough.

use serde::{Deserialize, Serialize};

use crate::feedback::Reward;
use crate::settings::Objective;
use crate::statistics::root_mean_square;

/// Negative advantages count this much.
const NEGATIVE_DAMPING: f64 = 0.5;

/// DPO's `s`: at a difference of one nat a token, a preference is learned to `σ(−5)`, under one per cent.
const PREFERENCE_SCALE: f64 = 5.0;

/// A factor that stands for a clear opinion: a star more than usual on everything, or a little more.
const CLEAR: f64 = 0.3;

/// How many times the weight that is set [`restraint`] may be.
const MOST_RESTRAINT: f64 = 4.0;

/// The factor `c` on a rated text's cross-entropy. `ratio` is π/μ: how likely a token of it is now, compared with when it was
/// written (geometric mean).
#[must_use]
pub fn coefficient(objective: Objective, reward: Reward, baseline: f64, ratio: f64) -> f64 {
    match objective {
        Objective::RewardWeighted => reward.get(),
        Objective::Advantage => damped(reward.get() - baseline, ratio),
    }
}

/// The factor on the cross-entropy of a text with this advantage: clipped, and damped where it is negative.
#[must_use]
pub fn damped(advantage: f64, ratio: f64) -> f64 {
    let advantage = advantage.clamp(-1.0, 1.0);
    if advantage >= 0.0 {
        advantage
    } else {
        NEGATIVE_DAMPING * advantage * ratio.min(1.0)
    }
}

/// The weight `β` of the divergence from the untaught model, where a lesson's texts diverge by `kl`: what is set, times the square of
/// `kl`'s share of the target. It adapts as the coefficient of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2) does, but at once
/// and without a memory: a lesson has few steps.
///
/// That is practice. What the person said never takes less than the weight that is set: a single rating says so little that most of
/// what it changes is chance.
#[must_use]
pub fn restraint(set: f64, kl: f64, target: f64) -> f64 {
    set * (kl / target).powi(2).min(MOST_RESTRAINT)
}

/// How much of the learning rate a lesson is worth whose tokens have these factors: as much as their root mean square is of a clear
/// opinion's ([`CLEAR`]), and at most all of it. AdamW's steps are as large for a faint opinion as for a clear one, because it divides
/// the gradient by its usual size; so what is faint, and mostly chance, would move the model as far.
#[must_use]
pub fn pace(factors: &[f64]) -> f64 {
    (root_mean_square(factors) / CLEAR).min(1.0)
}

/// `σ(−z)` of a preference: how much of it is still to be learned, 0 to 1. The log-ratios are means per token, in nats.
#[must_use]
pub fn unlearned(chosen: f64, rejected: f64) -> f64 {
    let z = PREFERENCE_SCALE * (chosen - rejected);
    1.0 / (1.0 + z.exp())
}

/// What each of several rewards for one prompt is compared with: the mean of the others, or `alone` where there is only one.
#[must_use]
pub fn leave_one_out(rewards: &[Reward], alone: f64) -> Vec<f64> {
    let sum: f64 = rewards.iter().map(|reward| reward.get()).sum();
    let others = rewards.len().saturating_sub(1);
    let baseline = |reward: &Reward| {
        if others == 0 {
            alone
        } else {
            (sum - reward.get()) / others as f64
        }
    };
    rewards.iter().map(baseline).collect()
}

/// The running mean of rewards. It starts at one half, as if two posts had been rated so before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    sum: f64,
    count: f64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { sum: 1.0, count: 2.0 }
    }
}

impl Baseline {
    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count
    }

    pub(super) const fn bits(self) -> [u64; 2] {
        [self.sum.to_bits(), self.count.to_bits()]
    }

    pub(super) const fn from_bits([sum, count]: [u64; 2]) -> Self {
        Self {
            sum: f64::from_bits(sum),
            count: f64::from_bits(count),
        }
    }

    /// Takes one more reward in.
    pub fn add(&mut self, reward: Reward) {
        self.sum += reward.get();
        self.count += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{Ratings, Stars, Weights};

    fn reward(stars: u8) -> Reward {
        Weights::default().reward(&Ratings::all(Stars::new(stars).expect("1 to 5")))
    }

    #[test]
    fn the_original_never_pushes_down() {
        for stars in 1..=5 {
            assert!(coefficient(Objective::RewardWeighted, reward(stars), 0.9, 1.0) >= 0.0);
        }
    }

    #[test]
    fn the_advantage_has_the_sign_of_the_judgement_and_a_floor() {
        assert!(coefficient(Objective::Advantage, reward(5), 0.5, 1.0) > 0.0);
        assert!(coefficient(Objective::Advantage, reward(1), 0.5, 1.0) < 0.0);
        let first = coefficient(Objective::Advantage, reward(1), 0.5, 1.0);
        let later = coefficient(Objective::Advantage, reward(1), 0.5, 0.01);
        assert!(
            later.abs() < 0.02 * first.abs(),
            "a post that is unlikely already is not pushed further"
        );
    }

    #[test]
    fn the_baseline_is_a_running_mean() {
        let mut baseline = Baseline::default();
        assert!((baseline.mean() - 0.5).abs() < 1e-12);
        baseline.add(reward(5));
        baseline.add(reward(5));
        assert!((baseline.mean() - 0.75).abs() < 1e-12);
    }

    #[test]
    fn candidates_are_compared_with_each_other_and_one_alone_with_the_usual() {
        let baselines = leave_one_out(&[reward(5), reward(1), reward(3)], 0.9);
        for (baseline, expected) in baselines.iter().zip([0.25, 0.75, 0.5]) {
            assert!((baseline - expected).abs() < 1e-12, "{baselines:?}");
        }
        assert_eq!(leave_one_out(&[reward(5)], 0.9), [0.9]);
    }

    #[test]
    fn a_preference_that_is_learned_asks_for_no_more() {
        assert!((unlearned(0.3, 0.3) - 0.5).abs() < 1e-12);
        assert!(unlearned(1.0, 0.0) < 0.01);
        assert!(unlearned(0.0, 1.0) > 0.99);
    }

    #[test]
    fn the_restraint_grows_with_the_divergence_and_is_bounded() {
        for (kl, expected) in [(0.0, 0.0), (0.1, 0.025), (0.2, 0.1), (0.3, 0.225), (5.0, 0.4)] {
            assert!((restraint(0.1, kl, 0.2) - expected).abs() < 1e-12, "{kl}");
        }
    }

    #[test]
    fn a_faint_opinion_takes_a_small_step() {
        assert!((pace(&[0.9, -0.9]) - 1.0).abs() < 1e-12);
        assert!((pace(&[0.06, -0.06]) - 0.2).abs() < 1e-12);
        assert!(pace(&[0.0; 3]).abs() < 1e-12);
    }
}
