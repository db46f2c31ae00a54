//! From a reward to the factor on a post's cross-entropy, and the running mean that rewards are compared with.
//!
//! Every objective minimises `c · CE + β · KL`, where `CE` is the mean of `−log π(token)` over the post's tokens (the
//! end-of-text included, the prompt not), and `KL` is the mean over the same positions of `KL(π ‖ π₀)`, `π₀` being the model
//! without its adapter. They differ in `c`:
//!
//! | objective | c |
//! |---|---|
//! | reward-weighted (original) | `reward` |
//! | advantage | `A` if `A ≥ 0`, else `A/2 · min(1, π/μ)`, with `A = clip(reward − baseline, −1, 1)` |
//!
//! A likelihood that is minimised has no floor, so a negative `c` is damped twice: by half, and by how much less likely the
//! post has already become since it was written (`π/μ`, per token: the ratio of the geometric means). This is the truncated
//! importance weight on negatives of TOPR (Le Roux et al. 2025, arXiv 2503.14286). The baseline is REINFORCE's (Williams
//! 1992), here the running mean of the person's own rewards.

use serde::{Deserialize, Serialize};

use crate::feedback::Reward;
use crate::settings::Objective;

/// Negative advantages count this much.
const NEGATIVE_DAMPING: f64 = 0.5;

/// The factor `c` on the cross-entropy. `ratio` is π/μ: how likely a token of the post is now, compared with when it was
/// written (geometric mean).
#[must_use]
pub fn coefficient(objective: Objective, reward: Reward, baseline: f64, ratio: f64) -> f64 {
    match objective {
        Objective::RewardWeighted => reward.get(),
        Objective::Advantage => {
            let advantage = (reward.get() - baseline).clamp(-1.0, 1.0);
            if advantage >= 0.0 {
                advantage
            } else {
                NEGATIVE_DAMPING * advantage * ratio.min(1.0)
            }
        }
    }
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
}
