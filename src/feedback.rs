//! How a person's judgement becomes one number.
//!
//! Four [`Metric`]s, each rated with one to five [`Stars`]; [`Weights`] say how much each metric counts;
//! the [`Reward`] is the weighted sum of the ratings on a scale from 0 to 1:
//!
//! ```text
//! reward = Σ wᵢ · (starsᵢ − 1) / 4      with  wᵢ = weightᵢ / Σ weight
//! ```
//!
//! The stars are what is kept; a reward can always be recomputed from them under other weights.
//!
//! ```
//! use fledge::feedback::{Metric, Ratings, Stars, Weights};
//!
//! let ratings = Ratings::all(Stars::FIVE).with(Metric::Originality, Stars::ONE);
//! let weights = Weights::default(); // originality counts 20 %
//! assert!((weights.reward(&ratings).get() - 0.8).abs() < 1e-12);
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the four things that a post is judged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Metric {
    /// Is it about the prompt?
    Relevance,
    /// Is it easy to understand?
    Clarity,
    /// Does it say something that not everybody says?
    Originality,
    /// Would one read on, answer, share it?
    Engagement,
}

impl Metric {
    /// All metrics, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Relevance, Self::Clarity, Self::Originality, Self::Engagement];

    /// The name on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relevance => "Relevance",
            Self::Clarity => "Clarity",
            Self::Originality => "Originality",
            Self::Engagement => "Engagement",
        }
    }

    /// The question that a person answers with stars.
    #[must_use]
    pub const fn question(self) -> &'static str {
        match self {
            Self::Relevance => "Is it about the prompt?",
            Self::Clarity => "Is it easy to understand?",
            Self::Originality => "Does it say something new?",
            Self::Engagement => "Would you read on, or answer?",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// A rating: one to five stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Stars(u8);

impl Stars {
    /// The lowest rating.
    pub const ONE: Self = Self(1);
    /// The highest rating.
    pub const FIVE: Self = Self(5);

    /// `None` unless `count` is between 1 and 5.
    #[must_use]
    pub const fn new(count: u8) -> Option<Self> {
        match count {
            1..=5 => Some(Self(count)),
            _ => None,
        }
    }

    /// Every rating from one to five stars.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=5).map(Self)
    }

    /// The number of stars, 1 to 5.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0
    }

    /// One star is 0, five stars are 1.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0 - 1) / 4.0
    }
}

impl TryFrom<u8> for Stars {
    type Error = String;

    fn try_from(count: u8) -> Result<Self, String> {
        Self::new(count).ok_or_else(|| format!("a rating has 1 to 5 stars, not {count}"))
    }
}

impl From<Stars> for u8 {
    fn from(stars: Stars) -> Self {
        stars.count()
    }
}

/// A rating on every metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratings([Stars; 4]);

impl Ratings {
    /// The same rating on every metric.
    #[must_use]
    pub const fn all(stars: Stars) -> Self {
        Self([stars; 4])
    }

    /// These ratings, with another one on `metric`.
    #[must_use]
    pub const fn with(mut self, metric: Metric, stars: Stars) -> Self {
        self.0[metric.index()] = stars;
        self
    }

    /// The rating on one metric.
    #[must_use]
    pub const fn get(&self, metric: Metric) -> Stars {
        self.0[metric.index()]
    }
}

/// Ratings in the making: some metrics may not be rated yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialRatings([Option<Stars>; 4]);

impl PartialRatings {
    /// The rating on one metric, if there is one.
    #[must_use]
    pub const fn get(&self, metric: Metric) -> Option<Stars> {
        self.0[metric.index()]
    }

    /// Rates one metric.
    pub const fn set(&mut self, metric: Metric, stars: Stars) {
        self.0[metric.index()] = Some(stars);
    }

    /// All four ratings, once they are there.
    #[must_use]
    pub fn complete(&self) -> Option<Ratings> {
        let [a, b, c, d] = self.0;
        Some(Ratings([a?, b?, c?, d?]))
    }

    /// Whether no metric is rated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These ratings, and where there is none, those of `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self(Metric::ALL.map(|metric| self.get(metric).or(others.get(metric))))
    }

    /// These ratings without those of metrics that `others` rate too.
    #[must_use]
    pub fn without(self, others: &Self) -> Self {
        Self(Metric::ALL.map(|metric| self.get(metric).filter(|_| others.get(metric).is_none())))
    }

    /// The first metric without a rating.
    #[must_use]
    pub fn first_missing(&self) -> Option<Metric> {
        Metric::ALL.into_iter().find(|m| self.get(*m).is_none())
    }
}

impl From<Ratings> for PartialRatings {
    fn from(ratings: Ratings) -> Self {
        Self(ratings.0.map(Some))
    }
}

/// How much each metric counts. Only the proportions matter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub struct Weights([f64; 4]);

impl Default for Weights {
    /// Relevance 30 %, clarity 25 %, originality 20 %, engagement 25 %.
    fn default() -> Self {
        Self([30.0, 25.0, 20.0, 25.0])
    }
}

impl From<[f64; 4]> for Weights {
    fn from(values: [f64; 4]) -> Self {
        Self(values.map(non_negative))
    }
}

impl From<Weights> for [f64; 4] {
    fn from(weights: Weights) -> Self {
        weights.0
    }
}

/// "Relevance 40 %, Clarity 20 %, Originality 20 %, Engagement 20 %"
impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (at, metric) in Metric::ALL.into_iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{} {:.0} %", metric.name(), 100.0 * self.share(metric))?;
        }
        Ok(())
    }
}

impl Weights {
    /// The weight of a metric, as it was set.
    #[must_use]
    pub const fn get(&self, metric: Metric) -> f64 {
        self.0[metric.index()]
    }

    /// Sets one weight; what is negative or not a number counts as 0.
    pub fn set(&mut self, metric: Metric, weight: f64) {
        self.0[metric.index()] = non_negative(weight);
    }

    /// The part of the whole that a metric counts, 0 to 1. If every weight is 0, all count the same.
    #[must_use]
    pub fn share(&self, metric: Metric) -> f64 {
        let sum: f64 = self.0.iter().sum();
        if sum > 0.0 {
            self.get(metric) / sum
        } else {
            1.0 / Metric::ALL.len() as f64
        }
    }

    /// The weighted sum of the ratings, 0 to 1.
    #[must_use]
    pub fn reward(&self, ratings: &Ratings) -> Reward {
        let sum: f64 = Metric::ALL
            .into_iter()
            .map(|m| self.share(m) * ratings.get(m).share())
            .sum();
        Reward::of(sum)
    }

    /// The reward that the ratings given so far amount to, over the metrics that are rated; `None` before the first.
    #[must_use]
    pub fn reward_so_far(&self, ratings: &PartialRatings) -> Option<Reward> {
        let rated = || Metric::ALL.into_iter().filter_map(|m| Some((m, ratings.get(m)?)));
        let count = rated().count() as f64;
        if count == 0.0 {
            return None;
        }
        let share: f64 = rated().map(|(m, _)| self.share(m)).sum();
        let sum: f64 = if share > 0.0 {
            rated().map(|(m, s)| self.share(m) * s.share()).sum::<f64>() / share
        } else {
            rated().map(|(_, s)| s.share()).sum::<f64>() / count
        };
        Some(Reward::of(sum))
    }
}

fn non_negative(weight: f64) -> f64 {
    if weight.is_finite() { weight.max(0.0) } else { 0.0 }
}

/// What a post is worth to the person who rated it, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Reward(f64);

impl Reward {
    /// The nearest reward to a number; what is not a number is worth nothing.
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) })
    }

    /// The number, 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stars(n: u8) -> Stars {
        Stars::new(n).expect("1 to 5")
    }

    #[test]
    fn the_extremes_are_zero_and_one_under_any_weights() {
        for weights in [[1.0, 0.0, 0.0, 0.0], [0.0; 4], [3.0, 2.0, 9.0, 0.5]] {
            let weights = Weights::from(weights);
            assert!(weights.reward(&Ratings::all(Stars::ONE)).get().abs() < 1e-12);
            assert!((weights.reward(&Ratings::all(Stars::FIVE)).get() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn only_the_proportions_of_the_weights_matter() {
        let ratings = Ratings::all(stars(2)).with(Metric::Clarity, Stars::FIVE);
        let small = Weights::from([0.1, 0.2, 0.3, 0.4]).reward(&ratings);
        let large = Weights::from([10.0, 20.0, 30.0, 40.0]).reward(&ratings);
        assert!((small.get() - large.get()).abs() < 1e-12);
    }

    #[test]
    fn nonsense_weights_count_as_zero() {
        let weights = Weights::from([f64::NAN, -3.0, f64::INFINITY, 2.0]);
        assert!((weights.share(Metric::Engagement) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_reward_so_far_becomes_the_reward() {
        let weights = Weights::default();
        let mut partial = PartialRatings::default();
        assert_eq!(weights.reward_so_far(&partial), None);
        for (metric, n) in Metric::ALL.into_iter().zip([5, 3, 1, 4]) {
            assert_eq!(partial.first_missing(), Some(metric));
            partial.set(metric, stars(n));
        }
        let whole = weights.reward(&partial.complete().expect("all rated"));
        let so_far = weights.reward_so_far(&partial).expect("rated");
        assert!((whole.get() - so_far.get()).abs() < 1e-12);
    }

    #[test]
    fn six_stars_are_refused_when_read() {
        assert!(serde_json::from_str::<Stars>("6").is_err());
        assert!(serde_json::from_str::<Stars>("0").is_err());
        assert_eq!(serde_json::from_str::<Stars>("5").expect("valid"), Stars::FIVE);
    }
}
