//! Attention of new tokens to those before them, whose keys and values are kept.

use std::borrow::Cow;
use std::fmt::Debug;

use super::float::{dot, exp, max};
use super::halves::{Halves, LANES};
use super::lanes::Four;
use super::packed::{Block, GROUP, PANEL};
use super::{Activations, best};

/// Positions whose keys and values lie together.
pub const TOGETHER: usize = PANEL;

/// Values that are read at a time, so that a sum is read less often than they are.
const FEW: usize = 4;

/// How keys and values of heads are kept, `d` numbers each.
pub trait Kept: Clone + Debug {
    /// What keys are made of.
    type Key: Clone + Copy + Debug + Default + Send + Sync;
    /// What values are made of.
    type Value: Clone + Copy + Debug + Default + Send + Sync;

    /// How many hold the keys of [`TOGETHER`] positions.
    fn keys(d: usize) -> usize;

    /// How many hold their values.
    fn values(d: usize) -> usize;

    /// Keeps a key, as one of [`TOGETHER`].
    fn keep_key(key: &[f32], at: usize, keys: &mut [Self::Key]);

    /// Keeps a value, as one of [`TOGETHER`].
    fn keep_value(value: &[f32], at: usize, values: &mut [Self::Value]);

    /// The dot products of a query with as many keys as there are scores. What `rounded` held does not matter.
    fn score(query: &[f32], keys: &[Self::Key], rounded: &mut Activations, scores: &mut [[f32; TOGETHER]]);

    /// `y += Σ weight·value`, with the weights of some scores. Returns the sum of the weights.
    fn weigh(scores: &[[f32; FEW]], weight: Weight, values: &[Self::Value], y: &mut [f32]) -> f32;
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
    fn of(self, scores: &[[f32; FEW]], weights: &mut [[f32; FEW]; BLOCK]) -> f32 {
        let mut sums = [0.0; FEW];
        *weights = [[0.0; FEW]; BLOCK];
        // What `exp` makes of −∞, of which sums and products shall have nothing.
        let nothing = exp(f32::NEG_INFINITY);
        for (weights, scores) in weights.iter_mut().zip(scores) {
            for at in 0..FEW {
                weights[at] = exp((scores[at] - self.most) * self.factor) - nothing;
                sums[at] += weights[at];
            }
        }
        sums.iter().sum()
    }
}

/// In f32, row by row.
#[derive(Clone, Debug)]
pub enum Exact {}

impl Kept for Exact {
    type Key = f32;
    type Value = f32;

    fn keys(d: usize) -> usize {
        d * TOGETHER
    }

    fn values(d: usize) -> usize {
        Self::keys(d)
    }

    fn keep_key(key: &[f32], at: usize, keys: &mut [f32]) {
        keys[at * key.len()..][..key.len()].copy_from_slice(key);
    }

    fn keep_value(value: &[f32], at: usize, values: &mut [f32]) {
        Self::keep_key(value, at, values);
    }

    #[inline(never)]
    fn score(query: &[f32], keys: &[f32], _: &mut Activations, scores: &mut [[f32; TOGETHER]]) {
        let keys = keys.chunks_exact(query.len());
        for (score, key) in scores.as_flattened_mut().iter_mut().zip(keys) {
            *score = dot(query, key);
        }
    }

    #[inline(never)]
    fn weigh(scores: &[[f32; FEW]], weight: Weight, values: &[f32], y: &mut [f32]) -> f32 {
        let (mut sum, mut weights) = (0.0, [[0.0; FEW]; BLOCK]);
        for (scores, values) in scores.chunks(BLOCK).zip(values.chunks(BLOCK * y.len() * FEW)) {
            sum += weight.of(scores, &mut weights);
            let weights = &weights[..scores.len()];
            for (weights, values) in weights.iter().zip(values.chunks_exact(y.len() * FEW)) {
                let [a, b, c, e] = rows(values);
                for ((((y, a), b), c), e) in y.iter_mut().zip(a).zip(b).zip(c).zip(e) {
                    *y += (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * e);
                }
            }
        }
        sum
    }
}

/// Keys as a matrix of 8 bits, whose outputs are the positions: their scores are a product like any other, with a query of 7 bits.
/// Values as [`Halves`].
#[derive(Clone, Debug)]
pub enum EightBit {}

/// Values lie in turns, `[word / 4][value][4]`, so that a few are read from their start to their end.
impl Kept for EightBit {
    type Key = Block;
    type Value = Halves;

    fn keys(d: usize) -> usize {
        d.div_ceil(GROUP)
    }

    fn values(d: usize) -> usize {
        Halves::count(d) * TOGETHER
    }

    fn keep_key(key: &[f32], at: usize, keys: &mut [Block]) {
        for (block, part) in keys.iter_mut().zip(key.chunks(GROUP)) {
            block.set(at, part.iter().copied());
        }
    }

    fn keep_value(value: &[f32], at: usize, values: &mut [Halves]) {
        let (few, at) = (at / FEW * FEW * Halves::count(value.len()), at % FEW);
        for (place, word) in Halves::words(&Halves::wide(value)).enumerate() {
            let (chunk, lane) = (place / LANES, place % LANES);
            values[few + (chunk * FEW + at) * LANES + lane] = word;
        }
    }

    fn score(query: &[f32], keys: &[Block], rounded: &mut Activations, scores: &mut [[f32; TOGETHER]]) {
        best().round(query, 1, query.len(), rounded);
        best().rows(keys, rounded, scores);
    }

    #[inline(never)]
    fn weigh(scores: &[[f32; FEW]], weight: Weight, values: &[Halves], y: &mut [f32]) -> f32 {
        if let Cow::Owned(mut wide) = Halves::wide(y) {
            let sum = Self::weigh(scores, weight, values, &mut wide);
            y.copy_from_slice(&wide[..y.len()]);
            return sum;
        }
        // The two halves in turns here too. In the middle of an odd number is one that only the later half has.
        let each = y.len() / 2 * FEW;
        let (earlier, later) = scores.split_at(scores.len() / 2);
        let group = |at: usize| &values[at * each..][..each];
        let (mut sum, mut weights) = (0.0, [[[0.0; FEW]; BLOCK]; 2]);
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

/// `y += Σ weight·value` of two groups, `[word / LANES][value][LANES]`.
#[inline]
fn add(weights: [&[f32; FEW]; 2], [early, late]: [&[Halves]; 2], y: &mut [f32]) {
    let weights = weights.map(|weights| weights.map(Four::splat));
    let (lower, upper) = y.split_at_mut(y.len() / 2);
    let [early, late] = [early, late].map(|group| group.as_chunks::<LANES>().0.as_chunks::<FEW>().0);
    let [lower, upper] = [lower, upper].map(|y| y.as_chunks_mut::<LANES>().0);
    for (((lower, upper), early), late) in lower.iter_mut().zip(upper).zip(early).zip(late) {
        let weighed = |of: fn(&[Halves; LANES]) -> Four| sum(&weights[0], early, of).plus(sum(&weights[1], late, of));
        Four::load(lower).plus(weighed(Four::lower)).store(lower);
        Four::load(upper).plus(weighed(Four::upper)).store(upper);
    }
}

#[inline]
fn sum(weights: &[Four; FEW], group: &[[Halves; LANES]; FEW], of: impl Fn(&[Halves; LANES]) -> Four) -> Four {
    let at = |at: usize| weights[at].times(of(&group[at]));
    at(0).plus(at(1)).plus(at(2).plus(at(3)))
}

/// [`FEW`] rows that lie one after the other.
#[inline]
fn rows<T>(kept: &[T]) -> [&[T]; FEW] {
    let count = kept.len() / FEW;
    std::array::from_fn(|at| &kept[at * count..][..count])
}

/// What attention of a token needs besides keys and values. To be reused: it allocates only when it has to grow.
#[derive(Debug, Default)]
pub struct Scratch {
    scores: Vec<f32>,
    rounded: Activations,
}

/// `softmax(q·Kᵀ / √d)·V` of one head: q and y `[d]`; of K and V, `[capacity, d]` in groups of [`TOGETHER`], the first `length`
/// positions count.
///
/// # Panics
/// When shapes do not fit.
pub fn attend<T: Kept>(
    q: &[f32],
    keys: &[T::Key],
    values: &[T::Value],
    length: usize,
    scratch: &mut Scratch,
    y: &mut [f32],
) {
    let d = q.len();
    let groups = length.div_ceil(TOGETHER);
    assert!(length > 0 && d == y.len(), "shapes of attention");
    assert!(
        groups * T::keys(d) <= keys.len() && groups * T::values(d) <= values.len(),
        "positions of attention"
    );
    let Scratch { scores, rounded } = scratch;
    scores.resize(groups * TOGETHER, 0.0);
    T::score(q, keys, rounded, scores.as_chunks_mut().0);
    scores.truncate(length.next_multiple_of(FEW));
    let (there, beyond) = scores.split_at_mut(length);
    let weight = Weight {
        most: max(there),
        factor: 1.0 / (d as f32).sqrt(),
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

    /// Rows of `d`, kept, with room for a multiple of [`TOGETHER`], of which `each` hold one.
    fn kept<T: Copy + Default>(
        values: &[f32],
        d: usize,
        each: usize,
        keep: impl Fn(&[f32], usize, &mut [T]),
    ) -> Vec<T> {
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
        let (mut y, mut scratch) = (vec![f32::NAN; d], Scratch::default());
        let kept_keys = kept(&keys, d, T::keys(d), T::keep_key);
        let kept_values = kept(&values, d, T::values(d), T::keep_value);
        attend::<T>(&q, &kept_keys, &kept_values, length, &mut scratch, &mut y);
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
            let exact = worst::<Exact>(d, length, capacity);
            assert!(exact < 2e-6, "{d} {length}: {exact}");
            let rough = worst::<EightBit>(d, length, capacity);
            assert!(rough < 0.05, "{d} {length}: {rough}");
        }
    }
}
