//! What tells a finding from luck: an exact sign test, a bootstrap interval, a rank correlation.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Draws of a bootstrap.
const RESAMPLES: usize = 2000;

/// The share of an interval's resamples, in thousandths, that lie below its lower end, and below its upper one: 95 %.
const ENDS: [usize; 2] = [25, 975];

/// A mean and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure for the values themselves.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The mean of values with its percentile bootstrap interval (Efron 1979). `None` without values.
#[must_use]
pub fn mean_interval(values: &[f64], seed: u64) -> Option<Estimate> {
    interval(values, seed, mean)
}

/// A figure of some items, with its percentile bootstrap interval: items are drawn with replacement, pairs stay pairs.
#[must_use]
pub fn interval<T: Copy>(items: &[T], seed: u64, figure: impl Fn(&[T]) -> f64) -> Option<Estimate> {
    if items.is_empty() {
        return None;
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut resample = vec![items[0]; items.len()];
    let mut figures: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.fill_with(|| items[rng.random_range(0..items.len())]);
            figure(&resample)
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    let [low, high] = ENDS.map(|thousandths| figures[(RESAMPLES * thousandths / 1000).min(RESAMPLES - 1)]);
    Some(Estimate {
        value: figure(items),
        low,
        high,
    })
}

/// The mean; 0 without values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The root of the mean square; 0 without values.
#[must_use]
pub fn root_mean_square(values: &[f64]) -> f64 {
    mean(&values.iter().map(|value| value * value).collect::<Vec<_>>()).sqrt()
}

/// How likely a fair coin would fall at least as unevenly, two-sided: the exact sign test.
#[must_use]
pub fn sign_test(wins: u32, losses: u32) -> f64 {
    let n = wins + losses;
    let tail = wins.max(losses);
    // P(X = k) by the ratio to P(X = k − 1), from 2⁻ⁿ on.
    let mut probability = 0.5f64.powi(n as i32);
    let mut sum = 0.0;
    for k in 0..=n {
        if k > 0 {
            probability *= f64::from(n - k + 1) / f64::from(k);
        }
        if k >= tail {
            sum += probability;
        }
    }
    (2.0 * sum).min(1.0)
}

/// Below this probability a difference counts as proven.
pub const SIGNIFICANT: f64 = 0.05;

/// How many more verdicts it takes until a sign test would be significant, if they go on falling as they have; `None` if they
/// fall evenly, or if it would take more than `most`.
#[must_use]
pub fn verdicts_to_go(wins: u32, losses: u32, most: u32) -> Option<u32> {
    let n = wins + losses;
    // Before anything is known: if every verdict is the same.
    let share = if n == 0 {
        1.0
    } else {
        f64::from(wins.max(losses)) / f64::from(n)
    };
    if share <= 0.5 {
        return None;
    }
    (0..=most).find(|more| {
        let total = n + more;
        let wins = (share * f64::from(total)).round() as u32;
        total > 0 && sign_test(wins, total - wins) < SIGNIFICANT
    })
}

/// Spearman's rank correlation; equal values share their mean rank. `None` where one side does not vary.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    correlation(&ranks(a), &ranks(b))
}

/// Pearson's correlation.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
    };
    let spread = (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt();
    (a.len() == b.len() && spread > 1e-12).then(|| product(a, mean_a, b, mean_b) / spread)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let below = order.iter().take_while(|at| values[**at] < values[group[0]]).count();
        let rank = below as f64 + (group.len() - 1) as f64 / 2.0;
        for at in group {
            ranks[*at] = rank;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: scipy 1.16, `binomtest(k, n).pvalue` and `spearmanr(a, b).statistic`.
    #[test]
    fn the_sign_test_is_exact() {
        for (wins, losses, expected) in [
            (9, 1, 0.021_484_375),
            (1, 9, 0.021_484_375),
            (5, 5, 1.0),
            (6, 0, 0.03125),
            (0, 0, 1.0),
        ] {
            assert!((sign_test(wins, losses) - expected).abs() < 1e-12, "{wins} {losses}");
        }
    }

    #[test]
    fn it_says_how_many_more_verdicts_it_takes() {
        assert_eq!(verdicts_to_go(0, 0, 100), Some(6));
        assert_eq!(verdicts_to_go(6, 0, 100), Some(0));
        assert_eq!(verdicts_to_go(3, 3, 100), None);
        let more = verdicts_to_go(7, 3, 100).expect("some");
        assert!((5..40).contains(&more), "{more}");
    }

    #[test]
    fn ranks_correlate_as_scipy_says() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert!((spearman(&a, &[5.0, 6.0, 7.0, 8.0, 7.0]).expect("varies") - 0.820_782_681_668_123_3).abs() < 1e-12);
        assert!((spearman(&a, &[2.0, 2.0, 1.0, 3.0, 3.0]).expect("varies") - 0.632_455_532_033_675_9).abs() < 1e-12);
        assert_eq!(spearman(&a, &[1.0; 5]), None);
    }

    #[test]
    fn a_bootstrap_interval_holds_the_mean_and_narrows_with_numbers() {
        let few: Vec<f64> = (0..10).map(f64::from).collect();
        let many: Vec<f64> = few.iter().cycle().take(1000).copied().collect();
        let (few, many) = (
            mean_interval(&few, 1).expect("some"),
            mean_interval(&many, 1).expect("some"),
        );
        assert!(few.low < 4.5 && 4.5 < few.high);
        assert!(many.high - many.low < 0.2 * (few.high - few.low));
        assert_eq!(mean_interval(&[], 1), None);
    }
}
