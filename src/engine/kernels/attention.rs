//! Attention of new tokens to those before them, whose keys and values are kept.

use super::float::{dot, softmax};

/// Rows that are read at a time, so that a query and a sum are read less often than keys and values.
pub const TOGETHER: usize = 4;

/// Keys and values as they are kept: a row of `d` numbers is [`Kept::count`] of these.
pub trait Kept: Copy + Default + Send + Sync {
    /// How many hold a row of `d` numbers.
    fn count(d: usize) -> usize;

    /// Keeps a row.
    fn keep(row: &[f32], kept: &mut [Self]);

    /// The dot products of a row and [`TOGETHER`] rows that lie one after the other.
    fn dots(row: &[f32], kept: &[Self]) -> [f32; TOGETHER];

    /// `y += Σ weight·row` of as many rows.
    fn add(weights: &[f32; TOGETHER], kept: &[Self], y: &mut [f32]);
}

impl Kept for f32 {
    fn count(d: usize) -> usize {
        d
    }

    fn keep(row: &[f32], kept: &mut [Self]) {
        kept.copy_from_slice(row);
    }

    fn dots(row: &[f32], kept: &[Self]) -> [f32; TOGETHER] {
        std::array::from_fn(|at| dot(row, &kept[at * row.len()..][..row.len()]))
    }

    fn add(weights: &[f32; TOGETHER], kept: &[Self], y: &mut [f32]) {
        let [a, b, c, e] = rows(kept);
        for ((((y, a), b), c), e) in y.iter_mut().zip(a).zip(b).zip(c).zip(e) {
            *y += (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * e);
        }
    }
}

/// Two numbers in bf16, the upper half of an f32, rounded: 8 bits of precision in half the memory, which is what a long
/// context costs. A row's first half lies in the lower bits and its second half in the upper ones, so that one operation
/// makes an f32 of either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Halves(u32);

impl Halves {
    #[inline]
    fn lower(self) -> f32 {
        f32::from_bits(self.0 << 16)
    }

    #[inline]
    fn upper(self) -> f32 {
        f32::from_bits(self.0 & 0xffff_0000)
    }
}

/// The bits of a number in bf16, to the nearest; half-way cases to the even one. What is no number stays none.
fn bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = if value.is_nan() {
        bits | 0x40_0000
    } else {
        bits + 0x7fff + (bits >> 16 & 1)
    };
    rounded >> 16
}

impl Kept for Halves {
    fn count(d: usize) -> usize {
        d.div_ceil(2)
    }

    fn keep(row: &[f32], kept: &mut [Self]) {
        let (lower, upper) = row.split_at(kept.len());
        for (at, (kept, lower)) in kept.iter_mut().zip(lower).enumerate() {
            let upper = upper.get(at).copied().unwrap_or_default();
            *kept = Self(bf16(*lower) | bf16(upper) << 16);
        }
    }

    fn dots(row: &[f32], kept: &[Self]) -> [f32; TOGETHER] {
        const LANES: usize = 4;
        let rows = rows(kept);
        // The lower half is the longer one if they differ.
        let (lower, upper) = row.split_at(rows[0].len());
        let whole = upper.len() / LANES * LANES;
        let chunks = rows.map(|row| row[..whole].as_chunks::<LANES>().0);
        let mut sums = [[0.0; LANES]; TOGETHER];
        let halves = lower[..whole]
            .as_chunks::<LANES>()
            .0
            .iter()
            .zip(upper.as_chunks::<LANES>().0);
        for (at, (lower, upper)) in halves.enumerate() {
            for (sums, chunks) in sums.iter_mut().zip(chunks) {
                let kept = &chunks[at];
                for lane in 0..LANES {
                    sums[lane] += lower[lane] * kept[lane].lower() + upper[lane] * kept[lane].upper();
                }
            }
        }
        std::array::from_fn(|at| {
            let rest = &rows[at][whole..];
            let lower = lower[whole..]
                .iter()
                .zip(rest)
                .map(|(value, kept)| value * kept.lower());
            let upper = upper[whole..]
                .iter()
                .zip(rest)
                .map(|(value, kept)| value * kept.upper());
            let sums = sums[at];
            (sums[0] + sums[2]) + (sums[1] + sums[3]) + lower.sum::<f32>() + upper.sum::<f32>()
        })
    }

    fn add(weights: &[f32; TOGETHER], kept: &[Self], y: &mut [f32]) {
        let [a, b, c, e] = rows(kept);
        let (lower, upper) = y.split_at_mut(a.len());
        for ((((y, a), b), c), e) in lower.iter_mut().zip(a).zip(b).zip(c).zip(e) {
            let early = weights[0] * a.lower() + weights[1] * b.lower();
            *y += early + (weights[2] * c.lower() + weights[3] * e.lower());
        }
        for ((((y, a), b), c), e) in upper.iter_mut().zip(a).zip(b).zip(c).zip(e) {
            let early = weights[0] * a.upper() + weights[1] * b.upper();
            *y += early + (weights[2] * c.upper() + weights[3] * e.upper());
        }
    }
}

/// [`TOGETHER`] rows that lie one after the other.
#[inline]
fn rows<T>(kept: &[T]) -> [&[T]; TOGETHER] {
    let count = kept.len() / TOGETHER;
    std::array::from_fn(|at| &kept[at * count..][..count])
}

/// `softmax(q·Kᵀ / √d)·V` of one head: q and y `[d]`; of K and V, `[capacity, d]`, the first `length` positions count, and
/// there is room for a multiple of [`TOGETHER`]. `scores` may be reused.
///
/// # Panics
/// When shapes do not fit.
pub fn attend<T: Kept>(q: &[f32], keys: &[T], values: &[T], length: usize, scores: &mut Vec<f32>, y: &mut [f32]) {
    let each = T::count(q.len()) * TOGETHER;
    let groups = length.div_ceil(TOGETHER);
    assert!(length > 0 && q.len() == y.len(), "shapes of attention");
    assert!(groups * each <= keys.len().min(values.len()), "positions of attention");
    scores.resize(groups * TOGETHER, 0.0);
    score(q, keys, scores);
    let (there, beyond) = scores.split_at_mut(length);
    softmax(there);
    beyond.fill(0.0);
    y.fill(0.0);
    weigh(scores, values, y);
}

/// Dot products with as many keys as there are scores, over `√d`.
#[inline(never)]
fn score<T: Kept>(q: &[f32], keys: &[T], scores: &mut [f32]) {
    let factor = 1.0 / (q.len() as f32).sqrt();
    let keys = keys.chunks_exact(T::count(q.len()) * TOGETHER);
    for (scores, keys) in scores.as_chunks_mut::<TOGETHER>().0.iter_mut().zip(keys) {
        *scores = T::dots(q, keys).map(|dot| dot * factor);
    }
}

/// `y += Σ weight·value`
#[inline(never)]
fn weigh<T: Kept>(weights: &[f32], values: &[T], y: &mut [f32]) {
    let values = values.chunks_exact(T::count(y.len()) * TOGETHER);
    for (weights, values) in weights.as_chunks::<TOGETHER>().0.iter().zip(values) {
        T::add(weights, values, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.37 + phase).sin() * 2.0).collect()
    }

    /// Rows of `d`, kept, with room for a multiple of [`TOGETHER`].
    fn kept<T: Kept>(values: &[f32], d: usize) -> Vec<T> {
        let count = T::count(d);
        let mut kept = vec![T::default(); (values.len() / d).next_multiple_of(TOGETHER) * count];
        for (row, kept) in values.chunks_exact(d).zip(kept.chunks_exact_mut(count)) {
            T::keep(row, kept);
        }
        kept
    }

    /// The largest difference from the formula.
    fn worst<T: Kept>(d: usize, length: usize, capacity: usize) -> f64 {
        let (q, keys, values) = (numbers(d, 0.0), numbers(capacity * d, 1.0), numbers(capacity * d, 2.0));
        let (mut y, mut scores) = (vec![f32::NAN; d], vec![f32::NAN; 9]);
        attend::<T>(&q, &kept(&keys, d), &kept(&values, d), length, &mut scores, &mut y);
        let weights: Vec<f64> = keys
            .chunks_exact(d)
            .take(length)
            .map(|key| {
                q.iter()
                    .zip(key)
                    .map(|(q, key)| f64::from(*q) * f64::from(*key))
                    .sum::<f64>()
            })
            .map(|score| (score / (d as f64).sqrt()).exp())
            .collect();
        let differences = (0..d).map(|i| {
            let sum: f64 = weights
                .iter()
                .zip(values.chunks_exact(d))
                .map(|(w, value)| w * f64::from(value[i]))
                .sum();
            (f64::from(y[i]) - sum / weights.iter().sum::<f64>()).abs()
        });
        differences.fold(0.0, f64::max)
    }

    #[test]
    fn attention_is_the_formula() {
        for (d, length, capacity) in [(1, 1, 1), (3, 5, 7), (64, 4, 4), (64, 18, 32), (9, 6, 6), (10, 3, 5)] {
            let exact = worst::<f32>(d, length, capacity);
            assert!(exact < 2e-6, "{d} {length}: {exact}");
            let rough = worst::<Halves>(d, length, capacity);
            assert!(rough < 0.05, "{d} {length}: {rough}");
        }
    }

    #[test]
    fn halves_hold_eight_bits_of_each_number() {
        for d in [1, 2, 5, 8] {
            let row = numbers(d, 0.5);
            let mut words = vec![Halves::default(); Halves::count(d)];
            Halves::keep(&row, &mut words);
            let back = words
                .iter()
                .map(|word| word.lower())
                .chain(words.iter().map(|word| word.upper()));
            assert!(
                row.iter()
                    .zip(back)
                    .all(|(value, back)| (value - back).abs() <= value.abs() / 256.0)
            );
        }
        assert!(f32::from_bits(bf16(f32::NAN) << 16).is_nan());
    }
}
