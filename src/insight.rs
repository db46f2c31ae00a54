//! What the automatic rater guesses, and how well it has guessed so far. Plain data with its rules: the worker fits the rater, the
//! page decides by this whether it is heard.

use serde::{Deserialize, Serialize};

use crate::feedback::{Metric, Ratings, Reward, Stars, Weights};
use crate::statistics::spearman;

/// It stays silent below so many ratings …
pub const LEAST_RATINGS: usize = 12;
/// … and below this rank correlation of its guesses with the person's rewards.
pub const LEAST_CORRELATION: f64 = 0.4;

/// What it would give a text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// Stars, not rounded, in the order of [`Metric::ALL`].
    pub stars: [f64; 4],
    /// How little the text is like those that it knows. At 1 it is as strange as the strangest tenth of them.
    pub doubt: f64,
}

impl Guess {
    /// What it is worth, 0 to 1.
    #[must_use]
    pub fn reward(&self, weights: &Weights) -> Reward {
        reward(&self.stars, weights)
    }

    /// In whole stars.
    #[must_use]
    pub fn ratings(&self) -> Ratings {
        let stars = Metric::ALL.into_iter().zip(self.stars);
        stars.fold(Ratings::all(Stars::ONE), |ratings, (metric, stars)| {
            let stars = Stars::new(stars.round().clamp(1.0, 5.0) as u8).unwrap_or(Stars::ONE);
            ratings.with(metric, stars)
        })
    }

    /// Whether the text is enough like others for its guess to be worth something.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.doubt <= 1.0
    }
}

fn reward(stars: &[f64; 4], weights: &Weights) -> Reward {
    let worth = |(metric, stars): (Metric, &f64)| weights.share(metric) * (stars - 1.0) / 4.0;
    Reward::of(Metric::ALL.into_iter().zip(stars).map(worth).sum())
}

/// A rating that it is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What the person gave.
    pub given: Ratings,
    /// What it would have given without knowing that, in stars.
    pub guessed: [f64; 4],
}

/// How well it knows the person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Insight {
    /// All ratings that it knows, oldest first.
    pub checks: Vec<Check>,
}

impl Insight {
    /// How many ratings it knows.
    #[must_use]
    pub const fn ratings(&self) -> usize {
        self.checks.len()
    }

    /// How well its guesses of a metric follow the person's ratings: Spearman's rank correlation. Who always gives the same is
    /// easily foretold, and nothing is learned from it: 0.
    #[must_use]
    pub fn correlation(&self, metric: Metric) -> f64 {
        let guessed = self.checks.iter().map(|check| check.guessed[metric as usize]);
        let given = self.checks.iter().map(|check| check.given.get(metric).share());
        spearman(&guessed.collect::<Vec<_>>(), &given.collect::<Vec<_>>()).unwrap_or(0.0)
    }

    /// The same of the reward.
    #[must_use]
    pub fn reward_correlation(&self, weights: &Weights) -> f64 {
        let guessed = self.checks.iter().map(|check| reward(&check.guessed, weights).get());
        let given = self.checks.iter().map(|check| weights.reward(&check.given).get());
        spearman(&guessed.collect::<Vec<_>>(), &given.collect::<Vec<_>>()).unwrap_or(0.0)
    }

    /// Whether it knows enough to be heard.
    #[must_use]
    pub fn is_honest(&self, weights: &Weights) -> bool {
        self.ratings() >= LEAST_RATINGS && self.reward_correlation(weights) >= LEAST_CORRELATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insight(count: u8, guess: impl Fn(u8) -> f64) -> Insight {
        let check = |at| {
            let stars = at % 5 + 1;
            Check {
                given: Ratings::all(Stars::new(stars).expect("1 to 5")),
                guessed: [guess(stars); 4],
            }
        };
        Insight {
            checks: (0..count).map(check).collect(),
        }
    }

    #[test]
    fn it_is_silent_until_it_is_honest() {
        let weights = Weights::default();
        assert!(!insight(11, f64::from).is_honest(&weights), "too few ratings");
        assert!(insight(12, f64::from).is_honest(&weights));
        assert!(
            !insight(40, |stars| 5.0 - f64::from(stars)).is_honest(&weights),
            "the wrong way round"
        );
        assert!(insight(40, |_| 3.0).correlation(Metric::Clarity).abs() < 1e-12);
    }

    #[test]
    fn a_guess_is_worth_what_its_stars_are_worth() {
        let guess = Guess {
            stars: [5.0, 1.0, 2.6, 4.4],
            doubt: 0.5,
        };
        assert!((guess.reward(&Weights::from([1.0, 1.0, 0.0, 0.0])).get() - 0.5).abs() < 1e-12);
        let stars = Metric::ALL.map(|metric| guess.ratings().get(metric).count());
        assert_eq!(stars, [5, 1, 3, 4]);
    }
}
