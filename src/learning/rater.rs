//! The automatic rater: ridge regression from what a text looks like to the stars that the person would give, one for each
//! metric (Hoerl & Kennard 1970; [`regression`]).
//!
//! There are fewer ratings than features, so it is fitted in its dual form (Saunders et al. 1998): with the Gram matrix
//! `K = X·Xᵀ + 1` of standardised features, `α = (K + λ)⁻¹ (y − ȳ)`, and the rating of a new text is `ȳ + k·α`. `λ` is the one
//! whose left-out predictions err least.
//!
//! What it is unsure of is what is unlike all that it knows: the part of a text's `k(x, x)` that the known ones do not explain,
//! `k(x, x) − k·(K + λ)⁻¹·k` (the variance of a Gaussian process, Rasmussen & Williams 2006, 2.26).

mod cholesky;
mod regression;

use cholesky::dot;
use regression::{Known, Regression, diagonal, gram, penalised};

use crate::feedback::{Metric, Ratings, Weights};
use crate::insight::{Check, Guess, Insight};

/// The newest ratings that it is fitted on at most: what it takes grows with their cube.
const MOST_RATINGS: usize = 160;

/// What is known of a rated text.
#[derive(Clone, Debug)]
pub struct Rated {
    /// Its features; all texts have equally many.
    pub features: Vec<f64>,
    /// What the person gave it.
    pub ratings: Ratings,
}

/// Features that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// How many.
    pub features: usize,
    /// How much all of them count, of 1.
    pub share: f64,
    /// Whether those count more that tell more of a metric by themselves, or all the same.
    pub by_relevance: bool,
}

/// A fitted rater.
#[derive(Clone, Debug)]
pub struct Rater {
    /// Of each feature.
    scale: Vec<Scale>,
    /// Standardised, `[n][d]`.
    known: Vec<Vec<f64>>,
    metrics: Vec<Regression>,
    insight: Insight,
    novelty: Novelty,
}

#[derive(Clone, Copy, Debug)]
struct Scale {
    mean: f64,
    /// By which a deviation from it is multiplied; 0 where a feature does not vary.
    factor: f64,
}

/// How unlike the known texts a text is.
#[derive(Clone, Debug)]
struct Novelty {
    /// `(K + λ)⁻¹`, `[n, n]`
    inverse: Vec<f64>,
    /// Of the known texts, each held against the others, nine tenths are less unlike them than this.
    usual: f64,
}

impl Rater {
    /// Fits one on ratings, oldest first; `None` if there are fewer than two. Texts' features come in these parts.
    #[must_use]
    pub fn fit(rated: &[Rated], parts: &[Part]) -> Option<Self> {
        let rated = &rated[rated.len().saturating_sub(MOST_RATINGS)..];
        let dimensions = rated.first()?.features.len();
        if rated.len() < 2 {
            return None;
        }
        let weights = parts
            .iter()
            .flat_map(|part| std::iter::repeat_n(part.share / part.features as f64, part.features));
        let scale = (0..dimensions).zip(weights);
        let scale: Vec<Scale> = scale
            .map(|(at, weight)| Scale::of(rated.iter().map(|one| one.features[at]), weight))
            .collect();
        let rows: Vec<Vec<f64>> = rated.iter().map(|one| standardised(&scale, &one.features)).collect();
        let known = Known::new(&rows, parts);
        let metrics = Metric::ALL.map(|metric| {
            let stars: Vec<f64> = rated
                .iter()
                .map(|one| f64::from(one.ratings.get(metric).count()))
                .collect();
            Regression::of(&known, &stars)
        });
        let metrics: Vec<Regression> = metrics.into_iter().collect::<Option<_>>()?;
        let check = |(at, one): (usize, &Rated)| Check {
            given: one.ratings,
            guessed: [0, 1, 2, 3].map(|metric: usize| metrics[metric].left_out[at]),
        };
        let insight = Insight {
            checks: rated.iter().enumerate().map(check).collect(),
        };
        Some(Self {
            novelty: Novelty::of(&rows)?,
            insight,
            scale,
            known: rows,
            metrics,
        })
    }

    /// How well it knows the person.
    #[must_use]
    pub const fn insight(&self) -> &Insight {
        &self.insight
    }

    /// How much each feature adds to the reward, and what it usually is: the rater is linear, but for the bounds of its stars.
    #[must_use]
    pub fn slopes(&self, weights: &Weights) -> Vec<(f64, f64)> {
        let mut slopes = vec![0.0; self.scale.len()];
        for (metric, regression) in Metric::ALL.into_iter().zip(&self.metrics) {
            let worth = weights.share(metric) / 4.0;
            for (slope, stars) in slopes.iter_mut().zip(&regression.slopes) {
                *slope += worth * stars;
            }
        }
        let scaled = slopes.iter().zip(&self.scale);
        scaled
            .map(|(slope, scale)| (slope * scale.factor, scale.mean))
            .collect()
    }

    /// What it would give a text.
    #[must_use]
    pub fn guess(&self, features: &[f64]) -> Guess {
        let x = standardised(&self.scale, features);
        let stars = [0, 1, 2, 3].map(|at: usize| self.metrics[at].guess(&x).clamp(1.0, 5.0));
        let k: Vec<f64> = self.known.iter().map(|known| alike(known, &x)).collect();
        Guess {
            stars,
            doubt: self.novelty.of_text(alike(&x, &x), &k),
        }
    }
}

impl Scale {
    /// `weight` is the part of all features' variance that this one shall have.
    fn of(values: impl Iterator<Item = f64> + Clone, weight: f64) -> Self {
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / count;
        let deviation = (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self {
            mean,
            factor: if deviation > 1e-9 {
                weight.sqrt() / deviation
            } else {
                0.0
            },
        }
    }
}

impl Novelty {
    /// Of known texts.
    fn of(rows: &[Vec<f64>]) -> Option<Self> {
        let n = rows.len();
        let gram = gram(rows, alike);
        let inverse = penalised(&gram, 1.0, n)?.inverse();
        // Left out, a known text's part is 1 / inverseᵢᵢ − λ.
        let penalty = diagonal(&gram, n);
        let mut known: Vec<f64> = (0..n).map(|i| 1.0 / inverse[i * n + i] - penalty).collect();
        known.sort_by(f64::total_cmp);
        Some(Self {
            usual: known[(9 * n / 10).min(n - 1)].max(1e-9),
            inverse,
        })
    }

    /// Of a text with this `k(x, x)` and `k`.
    fn of_text(&self, own: f64, k: &[f64]) -> f64 {
        let explained: f64 = self
            .inverse
            .chunks_exact(k.len())
            .zip(k)
            .map(|(row, k_i)| k_i * dot(row, k))
            .sum();
        (own - explained) / self.usual
    }
}

fn standardised(scale: &[Scale], features: &[f64]) -> Vec<f64> {
    let values = features.iter().zip(scale);
    values
        .map(|(value, Scale { mean, factor })| (value - mean) * factor)
        .collect()
}

/// How alike two texts are: the dot product, plus one for the intercept.
fn alike(a: &[f64], b: &[f64]) -> f64 {
    1.0 + dot(a, b)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::feedback::Stars;
    use crate::statistics::spearman;

    const PARTS: [Part; 2] = [
        Part {
            features: 26,
            share: 0.8,
            by_relevance: true,
        },
        Part {
            features: 14,
            share: 0.2,
            by_relevance: false,
        },
    ];

    fn stars(value: f64) -> Stars {
        Stars::new(value.round().clamp(1.0, 5.0) as u8).expect("1 to 5")
    }

    /// Texts of 40 features, of which the first makes relevance and the second, reversed, clarity; the rest is noise.
    fn rated(count: usize, seed: u64) -> Vec<Rated> {
        let mut rng = StdRng::seed_from_u64(seed);
        let one = |_| {
            let features: Vec<f64> = (0..40).map(|_| rng.random_range(-1.0..1.0)).collect();
            let ratings = Ratings::all(Stars::ONE)
                .with(Metric::Relevance, stars(3.0 + 2.0 * features[0]))
                .with(Metric::Clarity, stars(3.0 - 2.0 * features[1]))
                .with(Metric::Originality, stars(rng.random_range(1.0..5.0)));
            Rated { features, ratings }
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn it_finds_what_ratings_depend_on_and_knows_what_it_does_not_know() {
        let rater = Rater::fit(&rated(120, 1), &PARTS).expect("a rater");
        let [relevance, originality, engagement] = [Metric::Relevance, Metric::Originality, Metric::Engagement]
            .map(|metric| rater.insight().correlation(metric));
        assert!(relevance > 0.6 && originality < 0.3, "{relevance} {originality}");
        assert!(engagement.abs() < 1e-12, "always the same: nothing is foretold");
        let fresh = rated(60, 2);
        let guessed: Vec<f64> = fresh.iter().map(|one| rater.guess(&one.features).stars[0]).collect();
        let given: Vec<f64> = fresh
            .iter()
            .map(|one| f64::from(one.ratings.get(Metric::Relevance).count()))
            .collect();
        assert!(spearman(&guessed, &given).expect("varies") > 0.6);
    }

    #[test]
    fn it_is_honest_about_what_is_clear() {
        assert!(Rater::fit(&rated(1, 1), &PARTS).is_none());
        let mut clear = rated(40, 5);
        for one in &mut clear {
            let value = one.ratings.get(Metric::Relevance);
            one.ratings = Ratings::all(value);
        }
        let clear = Rater::fit(&clear, &PARTS).expect("a rater");
        assert!(clear.insight().is_honest(&Weights::default()));
    }

    #[test]
    fn what_is_chance_is_seldom_taken_for_a_taste() {
        let heard = |seed: u64| {
            let mut rng = StdRng::seed_from_u64(1000 + seed);
            let mut chance = rated(20, seed);
            for one in &mut chance {
                one.ratings = Ratings::all(stars(rng.random_range(1.0..5.0)));
            }
            let rater = Rater::fit(&chance, &PARTS).expect("a rater");
            rater.insight().is_honest(&Weights::default())
        };
        let heard = (0..100).filter(|seed| heard(*seed)).count();
        assert!(heard <= 15, "{heard} of 100");
    }

    #[test]
    fn it_doubts_what_is_unlike_all_that_it_knows() {
        let known = rated(40, 6);
        let rater = Rater::fit(&known, &PARTS).expect("a rater");
        let sure = known.iter().filter(|one| rater.guess(&one.features).is_sure()).count();
        assert!(sure >= 36, "what it knows itself: {sure} of 40");
        let strange: Vec<f64> = known[0].features.iter().map(|value| 5.0 * value).collect();
        assert!(!rater.guess(&strange).is_sure());
    }
}
