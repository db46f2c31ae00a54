//! Attention of new tokens to those before them, whose keys and values are kept.

use std::borrow::Cow;

use super::float::{dot, exp, max};
use super::lanes::Four;
pub use super::lanes::Halves;
use super::product::in_turns;

/// Rows that are read at a time, so that a query and a sum are read less often than keys and values.
pub const TOGETHER: usize = 4;

/// Keys and values as they are kept: a row of `d` numbers is [`Kept::count`] of these.
pub trait Kept: Copy + Default + Send + Sync {
    /// How many hold a row of `d` numbers.
    fn count(d: usize) -> usize;

    /// Keeps a key, as one of [`TOGETHER`].
    fn keep_key(row: &[f32], at: usize, keys: &mut [Self]);

    /// Keeps a value, as one of [`TOGETHER`].
    fn keep_value(row: &[f32], at: usize, values: &mut [Self]);

    /// The dot products of a row with as many keys as there are scores.
    fn score(row: &[f32], keys: &[Self], scores: &mut [[f32; TOGETHER]]);

    /// `y += Σ weight·value`, with the weights of some scores. Returns the sum of the weights.
    fn weigh(scores: &[[f32; TOGETHER]], weight: Weight, values: &[Self], y: &mut [f32]) -> f32;
}

/// Softmax's weight of a score, before it is divided by the sum of all: `eᶠ⁽ˢ⁻ᵐ⁾`, with `m` the largest score.
///
/// Weights are computed a few at a time where values are read: the one keeps the processor busy, the other the memory.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    most: f32,
    factor: f32,
}

/// Groups of weights that are computed at a time.
const BLOCK: usize = 8;

impl Weight {
    /// The weights of up to [`BLOCK`] groups of scores, zeros after them, and their sum. A score of −∞ weighs nothing.
    #[inline(never)]
    fn of(self, scores: &[[f32; TOGETHER]], weights: &mut [[f32; TOGETHER]; BLOCK]) -> f32 {
        let mut sums = [0.0; TOGETHER];
        *weights = [[0.0; TOGETHER]; BLOCK];
        // What `exp` makes of −∞, of which sums and products shall have nothing.
        let nothing = exp(f32::NEG_INFINITY);
        for (weights, scores) in weights.iter_mut().zip(scores) {
            for at in 0..TOGETHER {
                weights[at] = exp((scores[at] - self.most) * self.factor) - nothing;
                sums[at] += weights[at];
            }
        }
        sums.iter().sum()
    }
}

impl Kept for f32 {
    fn count(d: usize) -> usize {
        d
    }

    fn keep_key(row: &[f32], at: usize, keys: &mut [Self]) {
        keys[at * row.len()..][..row.len()].copy_from_slice(row);
    }

    fn keep_value(row: &[f32], at: usize, values: &mut [Self]) {
        Self::keep_key(row, at, values);
    }

    #[inline(never)]
    fn score(row: &[f32], keys: &[Self], scores: &mut [[f32; TOGETHER]]) {
        let keys = keys.chunks_exact(row.len());
        for (score, key) in scores.as_flattened_mut().iter_mut().zip(keys) {
            *score = dot(row, key);
        }
    }

    #[inline(never)]
    fn weigh(scores: &[[f32; TOGETHER]], weight: Weight, values: &[Self], y: &mut [f32]) -> f32 {
        let (mut sum, mut weights) = (0.0, [[0.0; TOGETHER]; BLOCK]);
        for (scores, values) in scores.chunks(BLOCK).zip(values.chunks(BLOCK * y.len() * TOGETHER)) {
            sum += weight.of(scores, &mut weights);
            let weights = &weights[..scores.len()];
            for (weights, values) in weights.iter().zip(values.chunks_exact(y.len() * TOGETHER)) {
                let [a, b, c, e] = rows(values);
                for ((((y, a), b), c), e) in y.iter_mut().zip(a).zip(b).zip(c).zip(e) {
                    *y += (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * e);
                }
            }
        }
        sum
    }
}

/// Words of a vector.
const LANES: usize = 4;

impl Halves {
    /// A row with as many numbers as its words hold.
    fn wide(row: &[f32]) -> Cow<'_, [f32]> {
        let width = 2 * Self::count(row.len());
        if row.len() == width {
            return Cow::Borrowed(row);
        }
        let mut wide = row.to_vec();
        wide.resize(width, 0.0);
        Cow::Owned(wide)
    }

    /// The words of a row that is as wide as they are.
    fn words(row: &[f32]) -> impl Iterator<Item = Self> {
        let (lower, upper) = row.split_at(row.len() / 2);
        lower.iter().zip(upper).map(|(lower, upper)| Self::of(*lower, *upper))
    }

    fn of(lower: f32, upper: f32) -> Self {
        let (lower, bits) = (bf16(lower), upper.to_bits());
        // Of the words with this lower half, the one next to the number. What is not finite becomes no number.
        let (sign, magnitude) = (bits & 1 << 31, bits & !(1 << 31));
        let beyond = if upper.is_finite() {
            magnitude + 0x8000
        } else {
            0x7fc1_0000
        };
        Self(sign | beyond.saturating_sub(lower) & 0xffff_0000 | lower)
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

/// A row's first half lies in the lower bits, so that one operation makes f32 of them, and its second half in the words.
/// Keys lie across each other, `[word][key]`: a vector of them meets one number of the query, and its sums are the dot products.
/// Values lie in turns, `[word / 4][value][4]`, so that a group is read from its start to its end.
impl Kept for Halves {
    fn count(d: usize) -> usize {
        d.div_ceil(2).next_multiple_of(LANES)
    }

    fn keep_key(row: &[f32], at: usize, keys: &mut [Self]) {
        for (keys, word) in keys
            .as_chunks_mut::<TOGETHER>()
            .0
            .iter_mut()
            .zip(Self::words(&Self::wide(row)))
        {
            keys[at] = word;
        }
    }

    fn keep_value(row: &[f32], at: usize, values: &mut [Self]) {
        for (place, word) in Self::words(&Self::wide(row)).enumerate() {
            let (chunk, lane) = (place / LANES, place % LANES);
            values[(chunk * TOGETHER + at) * LANES + lane] = word;
        }
    }

    #[inline(never)]
    fn score(row: &[f32], keys: &[Self], scores: &mut [[f32; TOGETHER]]) {
        let (row, words) = (Self::wide(row), Self::count(row.len()));
        let keys = keys.as_chunks::<TOGETHER>().0;
        for [early, late] in in_turns(0..scores.len()) {
            let groups = [early, late].map(|group| &keys[group * words..][..words]);
            [scores[early], scores[late]] = dots(&row, groups);
        }
    }

    #[inline(never)]
    fn weigh(scores: &[[f32; TOGETHER]], weight: Weight, values: &[Self], y: &mut [f32]) -> f32 {
        if let Cow::Owned(mut wide) = Self::wide(y) {
            let sum = Self::weigh(scores, weight, values, &mut wide);
            y.copy_from_slice(&wide[..y.len()]);
            return sum;
        }
        // The two halves in turns here too. In the middle of an odd number is one that only the later half has.
        let each = y.len() / 2 * TOGETHER;
        let (earlier, later) = scores.split_at(scores.len() / 2);
        let group = |at: usize| &values[at * each..][..each];
        let (mut sum, mut weights) = (0.0, [[[0.0; TOGETHER]; BLOCK]; 2]);
        for first in (0..later.len()).step_by(BLOCK) {
            for (scores, weights) in [earlier, later].into_iter().zip(&mut weights) {
                let some = first.min(scores.len())..scores.len().min(first + BLOCK);
                sum += weight.of(&scores[some], weights);
            }
            for at in first..later.len().min(first + BLOCK) {
                let weights = [&weights[0][at - first], &weights[1][at - first]];
                add(weights, [group(at), group(earlier.len() + at)], y);
            }
        }
        sum
    }
}

/// The dot products of a row with the keys of two groups, `[word][key]`.
#[inline]
fn dots(row: &[f32], [early, late]: [&[[Halves; TOGETHER]]; 2]) -> [[f32; TOGETHER]; 2] {
    let (lower, upper) = row.split_at(early.len());
    let mut sums = [[Four::splat(0.0); 2]; 2]; // of each group: of lower and of upper halves
    for (((early, late), lower), upper) in early.iter().zip(late).zip(lower).zip(upper) {
        let (lower, upper) = (Four::splat(*lower), Four::splat(*upper));
        for (sums, keys) in sums.iter_mut().zip([early, late]) {
            sums[0] = sums[0].plus(lower.times(Four::lower(keys)));
            sums[1] = sums[1].plus(upper.times(Four::upper(keys)));
        }
    }
    sums.map(|[lower, upper]| {
        let mut dots = [0.0; TOGETHER];
        lower.plus(upper).store(&mut dots);
        dots
    })
}

/// `y += Σ weight·value` of two groups, `[word / LANES][value][LANES]`.
#[inline]
fn add(weights: [&[f32; TOGETHER]; 2], [early, late]: [&[Halves]; 2], y: &mut [f32]) {
    let weights = weights.map(|weights| weights.map(Four::splat));
    let (lower, upper) = y.split_at_mut(y.len() / 2);
    let [early, late] = [early, late].map(|group| group.as_chunks::<LANES>().0.as_chunks::<TOGETHER>().0);
    let [lower, upper] = [lower, upper].map(|y| y.as_chunks_mut::<LANES>().0);
    for (((lower, upper), early), late) in lower.iter_mut().zip(upper).zip(early).zip(late) {
        let weighed = |of: fn(&[Halves; LANES]) -> Four| sum(&weights[0], early, of).plus(sum(&weights[1], late, of));
        Four::load(lower).plus(weighed(Four::lower)).store(lower);
        Four::load(upper).plus(weighed(Four::upper)).store(upper);
    }
}

#[inline]
fn sum(weights: &[Four; TOGETHER], group: &[[Halves; LANES]; TOGETHER], of: impl Fn(&[Halves; LANES]) -> Four) -> Four {
    let at = |at: usize| weights[at].times(of(&group[at]));
    at(0).plus(at(1)).plus(at(2).plus(at(3)))
}

/// [`TOGETHER`] rows that lie one after the other.
#[inline]
fn rows<T>(kept: &[T]) -> [&[T]; TOGETHER] {
    let count = kept.len() / TOGETHER;
    std::array::from_fn(|at| &kept[at * count..][..count])
}

/// `softmax(q·Kᵀ / √d)·V` of one head: q and y `[d]`; of K and V, `[capacity, d]` in groups of [`TOGETHER`], the first `length`
/// positions count. `scores` may be reused.
///
/// # Panics
/// When shapes do not fit.
pub fn attend<T: Kept>(q: &[f32], keys: &[T], values: &[T], length: usize, scores: &mut Vec<f32>, y: &mut [f32]) {
    let each = T::count(q.len()) * TOGETHER;
    let groups = length.div_ceil(TOGETHER);
    assert!(length > 0 && q.len() == y.len(), "shapes of attention");
    assert!(groups * each <= keys.len().min(values.len()), "positions of attention");
    scores.resize(groups * TOGETHER, 0.0);
    T::score(q, keys, scores.as_chunks_mut().0);
    let (there, beyond) = scores.split_at_mut(length);
    let weight = Weight {
        most: max(there),
        factor: 1.0 / (q.len() as f32).sqrt(),
    };
    beyond.fill(f32::NEG_INFINITY);
    y.fill(0.0);
    let factor = 1.0 / T::weigh(scores.as_chunks().0, weight, values, y);
    for y in y {
        *y *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.37 + phase).sin() * 2.0).collect()
    }

    /// Rows of `d`, kept, with room for a multiple of [`TOGETHER`].
    fn kept<T: Kept>(values: &[f32], d: usize, keep: impl Fn(&[f32], usize, &mut [T])) -> Vec<T> {
        let each = T::count(d) * TOGETHER;
        let mut kept = vec![T::default(); (values.len() / d).div_ceil(TOGETHER) * each];
        for (position, row) in values.chunks_exact(d).enumerate() {
            keep(
                row,
                position % TOGETHER,
                &mut kept[position / TOGETHER * each..][..each],
            );
        }
        kept
    }

    /// The largest difference from the formula.
    fn worst<T: Kept>(d: usize, length: usize, capacity: usize) -> f64 {
        let (q, keys, values) = (numbers(d, 0.0), numbers(capacity * d, 1.0), numbers(capacity * d, 2.0));
        let (mut y, mut scores) = (vec![f32::NAN; d], vec![f32::NAN; 9]);
        let (kept_keys, kept_values) = (kept(&keys, d, T::keep_key), kept(&values, d, T::keep_value));
        attend::<T>(&q, &kept_keys, &kept_values, length, &mut scores, &mut y);
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
            let words: Vec<Halves> = Halves::words(&Halves::wide(&row)).collect();
            let lower = words.iter().map(|word| f32::from_bits(word.0 << 16));
            let back = lower.chain(words.iter().map(|word| f32::from_bits(word.0)));
            assert!(
                row.iter()
                    .zip(back)
                    .all(|(value, back)| (value - back).abs() <= value.abs() / 256.0)
            );
        }
        assert!(f32::from_bits(bf16(f32::NAN) << 16).is_nan());
        for lower in [0.0, 1.0, -1.0, f32::NAN] {
            assert!(f32::from_bits(Halves::of(lower, f32::NAN).0).is_nan(), "{lower}");
            let (nothing, most) = (Halves::of(lower, 0.0).0, Halves::of(lower, -1e38).0);
            assert!(
                f32::from_bits(nothing) < 1e-37 && (f32::from_bits(most) / -1e38 - 1.0).abs() < 0.004,
                "{lower}"
            );
        }
    }
}
