//! The automatic rater: ridge regression from what a text looks like to the stars that the person would give, one for each
//! metric (Hoerl & Kennard 1970).
//!
//! There are fewer ratings than features, so it is fitted in its dual form (Saunders et al. 1998): with the Gram matrix
//! `K = X·Xᵀ + 1` of standardised features, `α = (K + λ)⁻¹ (y − ȳ)`, and the rating of a new text is `ȳ + k·α`. Left-one-out
//! predictions need no refitting: `yᵢ − αᵢ / ((K + λ)⁻¹)ᵢᵢ` (Allen 1974's PRESS). `λ` is the one whose left-out predictions err
//! least.
//!
//! What it is unsure of is what is unlike all that it knows: the part of a text's `k(x, x)` that the known ones do not explain,
//! `k(x, x) − k·(K + λ)⁻¹·k` (the variance of a Gaussian process, Rasmussen & Williams 2006, 2.26).

use crate::feedback::{Metric, Ratings, Weights};
use crate::insight::{Check, Guess, Insight};
use crate::statistics::mean;

/// The newest ratings that it is fitted on at most: what it takes grows with their cube.
const MOST_RATINGS: usize = 240;

/// Penalties that are tried, as shares of the mean of the Gram matrix's diagonal.
const PENALTIES: [f64; 3] = [0.1, 0.3, 1.0];

/// What is known of a rated text.
#[derive(Clone, Debug)]
pub struct Rated {
    /// Its features; all texts have equally many.
    pub features: Vec<f64>,
    /// What the person gave it.
    pub ratings: Ratings,
}

/// A fitted rater.
#[derive(Clone, Debug)]
pub struct Rater {
    /// Of each feature.
    scale: Vec<Scale>,
    /// Standardised, `[n][d]`.
    known: Vec<Vec<f64>>,
    metrics: Vec<Fit>,
    insight: Insight,
    novelty: Novelty,
}

#[derive(Clone, Copy, Debug)]
struct Scale {
    mean: f64,
    /// By which a deviation from it is multiplied; 0 where a feature does not vary.
    factor: f64,
}

/// One metric's regression.
#[derive(Clone, Debug)]
struct Fit {
    mean: f64,
    alpha: Vec<f64>,
    /// What it would have given without knowing that rating.
    left_out: Vec<f64>,
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
    /// Fits one on ratings, oldest first; `None` if there are fewer than two. Features come in parts of these lengths, and
    /// each part counts as much as is said, however many it has.
    #[must_use]
    pub fn fit(rated: &[Rated], parts: &[(usize, f64)]) -> Option<Self> {
        let rated = &rated[rated.len().saturating_sub(MOST_RATINGS)..];
        let dimensions = rated.first()?.features.len();
        if rated.len() < 2 {
            return None;
        }
        let weights = parts
            .iter()
            .flat_map(|(count, share)| std::iter::repeat_n(share / *count as f64, *count));
        let scale = (0..dimensions).zip(weights);
        let scale: Vec<Scale> = scale
            .map(|(at, weight)| Scale::of(rated.iter().map(|one| one.features[at]), weight))
            .collect();
        let known: Vec<Vec<f64>> = rated.iter().map(|one| standardised(&scale, &one.features)).collect();
        let gram: Vec<f64> = known
            .iter()
            .flat_map(|a| known.iter().map(move |b| kernel(a, b)))
            .collect();
        let metrics = Metric::ALL.map(|metric| {
            let stars: Vec<f64> = rated
                .iter()
                .map(|one| f64::from(one.ratings.get(metric).count()))
                .collect();
            Fit::best(&gram, &stars)
        });
        let metrics: Vec<Fit> = metrics.into_iter().collect::<Option<_>>()?;
        let check = |(at, one): (usize, &Rated)| Check {
            given: one.ratings,
            guessed: [0, 1, 2, 3].map(|metric: usize| metrics[metric].left_out[at]),
        };
        let insight = Insight {
            checks: rated.iter().enumerate().map(check).collect(),
        };
        Some(Self {
            novelty: Novelty::of(&gram, known.len())?,
            insight,
            scale,
            known,
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
        for (metric, fit) in Metric::ALL.into_iter().zip(&self.metrics) {
            for (known, alpha) in self.known.iter().zip(&fit.alpha) {
                let factor = weights.share(metric) / 4.0 * alpha;
                for (slope, value) in slopes.iter_mut().zip(known) {
                    *slope += factor * value;
                }
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
        let k: Vec<f64> = self.known.iter().map(|known| kernel(known, &x)).collect();
        let stars = [0, 1, 2, 3].map(|at| {
            let fit = &self.metrics[at];
            (fit.mean + dot(&k, &fit.alpha)).clamp(1.0, 5.0)
        });
        Guess {
            stars,
            doubt: self.novelty.of_text(kernel(&x, &x), &k),
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

impl Fit {
    /// With the penalty whose left-out predictions err least.
    fn best(gram: &[f64], stars: &[f64]) -> Option<Self> {
        let n = stars.len();
        let mean = mean(stars);
        let centred: Vec<f64> = stars.iter().map(|stars| stars - mean).collect();
        let diagonal = (0..n).map(|i| gram[i * n + i]).sum::<f64>() / n as f64;
        let fits = PENALTIES.into_iter().filter_map(|penalty| {
            let mut matrix = gram.to_vec();
            for i in 0..n {
                matrix[i * n + i] += penalty * diagonal;
            }
            let inverse = inverse(matrix, n)?;
            let alpha: Vec<f64> = inverse.chunks_exact(n).map(|row| dot(row, &centred)).collect();
            let left_out: Vec<f64> = (0..n).map(|i| stars[i] - alpha[i] / inverse[i * n + i]).collect();
            let error: f64 = left_out.iter().zip(stars).map(|(a, b)| (a - b).powi(2)).sum();
            Some((error, Self { mean, alpha, left_out }))
        });
        fits.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, fit)| fit)
    }
}

impl Novelty {
    /// From the Gram matrix, `[n, n]`.
    fn of(gram: &[f64], n: usize) -> Option<Self> {
        let mut matrix = gram.to_vec();
        let penalty = (0..n).map(|i| gram[i * n + i]).sum::<f64>() / n as f64;
        for i in 0..n {
            matrix[i * n + i] += penalty;
        }
        let inverse = inverse(matrix, n)?;
        // Left out, a known text's part is 1 / inverseᵢᵢ − λ.
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

/// The dot product, plus one for the intercept.
fn kernel(a: &[f64], b: &[f64]) -> f64 {
    1.0 + dot(a, b)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The inverse of a symmetric positive definite matrix `[n, n]`, by Cholesky; `None` if it is none.
fn inverse(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    // L, in the lower half.
    for j in 0..n {
        for i in j..n {
            let (upper, lower) = matrix.split_at(i * n);
            let (row_i, row_j) = (&lower[..j], if i == j { &lower[..j] } else { &upper[j * n..][..j] });
            let value = lower[j] - dot(row_i, row_j);
            matrix[i * n + j] = if i == j {
                if value <= 0.0 {
                    return None;
                }
                value.sqrt()
            } else {
                value / matrix[j * n + j]
            };
        }
    }
    // Columns of the inverse: L·z = e, Lᵀ·x = z.
    let mut inverse = vec![0.0; n * n];
    let mut x = vec![0.0; n];
    for column in 0..n {
        x.fill(0.0);
        for i in column..n {
            let e = f64::from(u8::from(i == column));
            x[i] = (e - dot(&matrix[i * n..][..i], &x[..i])) / matrix[i * n + i];
        }
        for i in (0..n).rev() {
            let below: f64 = (i + 1..n).map(|k| matrix[k * n + i] * x[k]).sum();
            x[i] = (x[i] - below) / matrix[i * n + i];
        }
        inverse[column * n..][..n].copy_from_slice(&x);
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::feedback::Stars;
    use crate::statistics::spearman;

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
        let rater = Rater::fit(&rated(120, 1), &[(40, 1.0)]).expect("a rater");
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
    fn what_it_leaves_out_is_what_it_would_say_without() {
        let all = rated(20, 3);
        let gram = |rated: &[Rated]| -> Vec<f64> {
            rated
                .iter()
                .flat_map(|a| rated.iter().map(move |b| kernel(&a.features, &b.features)))
                .collect()
        };
        // The closed form against fitting again without the first; the mean is the same in both.
        let stars: Vec<f64> = all
            .iter()
            .map(|one| f64::from(one.ratings.get(Metric::Relevance).count()) - 3.0)
            .collect();
        let solve = |rated: &[Rated], y: &[f64]| {
            let n = rated.len();
            let mut matrix = gram(rated);
            (0..n).for_each(|i| matrix[i * n + i] += 0.5);
            let inverse = inverse(matrix, n).expect("positive definite");
            let alpha: Vec<f64> = inverse.chunks_exact(n).map(|row| dot(row, y)).collect();
            (alpha, inverse)
        };
        let (alpha, whole) = solve(&all, &stars);
        let closed = stars[0] - alpha[0] / whole[0];
        let (without, _) = solve(&all[1..], &stars[1..]);
        let k: Vec<f64> = all[1..]
            .iter()
            .map(|one| kernel(&one.features, &all[0].features))
            .collect();
        assert!((closed - dot(&k, &without)).abs() < 1e-9);
    }

    #[test]
    fn it_is_honest_about_what_is_clear() {
        assert!(Rater::fit(&rated(1, 1), &[(40, 1.0)]).is_none());
        let mut clear = rated(40, 5);
        for one in &mut clear {
            let value = one.ratings.get(Metric::Relevance);
            one.ratings = Ratings::all(value);
        }
        let clear = Rater::fit(&clear, &[(40, 1.0)]).expect("a rater");
        assert!(clear.insight().is_honest(&Weights::default()));
    }

    #[test]
    fn it_doubts_what_is_unlike_all_that_it_knows() {
        let known = rated(40, 6);
        let rater = Rater::fit(&known, &[(40, 1.0)]).expect("a rater");
        let sure = known.iter().filter(|one| rater.guess(&one.features).is_sure()).count();
        assert!(sure >= 36, "what it knows itself: {sure} of 40");
        let strange: Vec<f64> = known[0].features.iter().map(|value| 5.0 * value).collect();
        assert!(!rater.guess(&strange).is_sure());
    }
}
