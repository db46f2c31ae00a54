//! Attention of new tokens to those before them, whose keys and values are kept.

use std::fmt::Debug;

use super::float::{dot, exp, max};
use super::halves::{Halves, LANES};
use super::lanes::Four;
use super::packed::{Block, GROUP, PANEL};
use super::{Activations, best};

/// Positions whose keys lie together.
pub const TOGETHER: usize = PANEL;

/// Positions whose values lie together. They are read at a time, so that a sum is read less often than they are.
pub const FEW: usize = 4;

/// How keys and values of heads are kept, `d` numbers each.
pub trait Kept: Clone + Debug {
    /// What keys are made of.
    type Key: Clone + Copy + Debug + Default + Send + Sync;
    /// What values are made of.
    type Value: Clone + Copy + Debug + Default + Send + Sync;

    /// How many hold the keys of [`TOGETHER`] positions.
    fn keys(d: usize) -> usize;

    /// How many hold the values of [`FEW`] positions.
    fn values(d: usize) -> usize;

    /// Keeps a key, as one of [`TOGETHER`].
    fn keep_key(key: &[f32], at: usize, keys: &mut [Self::Key]);

    /// Keeps a value, as one of [`FEW`].
    fn keep_value(value: &[f32], at: usize, values: &mut [Self::Value]);

    /// The dot products of each head's query, `[heads, d]`, with its keys: `[group][head]`. What `rounded` held does not matter.
    fn score(
        queries: &[f32],
        heads: usize,
        keys: &Heads<Self::Key>,
        rounded: &mut Activations,
        scores: &mut [[f32; TOGETHER]],
    );

    /// `y += Σ weight·value` for each head's first positions: weights `[group][head]`, y `[heads, d]`.
    fn weigh(weights: &[[f32; TOGETHER]], heads: usize, positions: usize, values: &Heads<Self::Value>, y: &mut [f32]);
}

/// Keys or values of several heads, `[group of positions][head]`: what a token reads of all its heads is one stream of memory.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'k, T> {
    kept: &'k [T],
    /// Heads of a group, those included that are not asked for.
    all: usize,
    /// The first that is.
    first: usize,
    /// What a group holds of a head.
    each: usize,
}

impl<'k, T> Heads<'k, T> {
    /// The heads from `first` on of `all`, with so much of each in a group.
    #[must_use]
    pub const fn new(kept: &'k [T], all: usize, first: usize, each: usize) -> Self {
        Self { kept, all, first, each }
    }

    /// How much a group holds of a head.
    pub(super) const fn each(&self) -> usize {
        self.each
    }

    /// What a group holds of a head.
    #[inline]
    pub(super) fn of(&self, group: usize, head: usize) -> &'k [T] {
        &self.kept[(group * self.all + self.first + head) * self.each..][..self.each]
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
        d * FEW
    }

    fn keep_key(key: &[f32], at: usize, keys: &mut [f32]) {
        keys[at * key.len()..][..key.len()].copy_from_slice(key);
    }

    fn keep_value(value: &[f32], at: usize, values: &mut [f32]) {
        Self::keep_key(value, at, values);
    }

    #[inline(never)]
    fn score(queries: &[f32], heads: usize, keys: &Heads<f32>, _: &mut Activations, scores: &mut [[f32; TOGETHER]]) {
        let d = queries.len() / heads;
        for (group, scores) in scores.chunks_exact_mut(heads).enumerate() {
            for (head, scores) in scores.iter_mut().enumerate() {
                let query = &queries[head * d..][..d];
                for (score, key) in scores.iter_mut().zip(keys.of(group, head).chunks_exact(d)) {
                    *score = dot(query, key);
                }
            }
        }
    }

    #[inline(never)]
    fn weigh(weights: &[[f32; TOGETHER]], heads: usize, positions: usize, values: &Heads<f32>, y: &mut [f32]) {
        let d = y.len() / heads;
        for few in 0..positions.div_ceil(FEW) {
            for (head, y) in y.chunks_exact_mut(d).enumerate() {
                let weights = some(weights, heads, few, head);
                let values = values.of(few, head);
                let [a, b, c, e]: [&[f32]; FEW] = std::array::from_fn(|at| &values[at * d..][..d]);
                for ((((y, a), b), c), e) in y.iter_mut().zip(a).zip(b).zip(c).zip(e) {
                    *y += (weights[0] * a + weights[1] * b) + (weights[2] * c + weights[3] * e);
                }
            }
        }
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
        Halves::count(d) * FEW
    }

    fn keep_key(key: &[f32], at: usize, keys: &mut [Block]) {
        for (block, part) in keys.iter_mut().zip(key.chunks(GROUP)) {
            block.set(at, part.iter().copied());
        }
    }

    fn keep_value(value: &[f32], at: usize, values: &mut [Halves]) {
        for (place, word) in Halves::words(&Halves::wide(value)).enumerate() {
            values[(place / LANES * FEW + at) * LANES + place % LANES] = word;
        }
    }

    fn score(
        queries: &[f32],
        heads: usize,
        keys: &Heads<Block>,
        rounded: &mut Activations,
        scores: &mut [[f32; TOGETHER]],
    ) {
        best().round_rows(queries, heads, queries.len() / heads, rounded);
        best().scores(keys, rounded, scores);
    }

    #[inline(never)]
    fn weigh(weights: &[[f32; TOGETHER]], heads: usize, positions: usize, values: &Heads<Halves>, y: &mut [f32]) {
        let (d, wide) = (y.len() / heads, 2 * Halves::count(y.len() / heads));
        if d != wide {
            let mut sums = vec![0.0; heads * wide];
            Self::weigh(weights, heads, positions, values, &mut sums);
            for (y, sums) in y.chunks_exact_mut(d).zip(sums.chunks_exact(wide)) {
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
            }
            return;
        }
        // The two halves in turns here too. Only the later one has what is in the middle of an odd number.
        let fews = positions.div_ceil(FEW);
        let half = fews / 2;
        for (early, late) in (half..fews).enumerate() {
            for (head, y) in y.chunks_exact_mut(d).enumerate() {
                let of = |few: usize| *some(weights, heads, few, head);
                let weights = [if early < half { of(early) } else { [0.0; FEW] }, of(late)];
                add(weights, [values.of(early, head), values.of(late, head)], y);
            }
        }
    }
}

/// A few of a head's weights, `[group][head]`.
#[inline]
fn some(weights: &[[f32; TOGETHER]], heads: usize, few: usize, head: usize) -> &[f32; FEW] {
    const FEWS: usize = TOGETHER / FEW;
    &weights[few / FEWS * heads + head].as_chunks().0[few % FEWS]
}

/// `y += Σ weight·value` of twice [`FEW`], `[word / LANES][value][LANES]`.
#[inline]
fn add(weights: [[f32; FEW]; 2], values: [&[Halves]; 2], y: &mut [f32]) {
    let weights = weights.map(|weights| weights.map(Four::splat));
    let (lower, upper) = y.split_at_mut(y.len() / 2);
    let [early, late] = values.map(|values| values.as_chunks::<LANES>().0.as_chunks::<FEW>().0);
    let [lower, upper] = [lower, upper].map(|y| y.as_chunks_mut::<LANES>().0);
    for (((lower, upper), early), late) in lower.iter_mut().zip(upper).zip(early).zip(late) {
        let weighed = |of: fn(&[Halves; LANES]) -> Four| sum(&weights[0], early, of).plus(sum(&weights[1], late, of));
        Four::load(lower).plus(weighed(Four::lower)).store(lower);
        Four::load(upper).plus(weighed(Four::upper)).store(upper);
    }
}

#[inline]
fn sum(weights: &[Four; FEW], values: &[[Halves; LANES]; FEW], of: impl Fn(&[Halves; LANES]) -> Four) -> Four {
    let at = |at: usize| weights[at].times(of(&values[at]));
    at(0).plus(at(1)).plus(at(2).plus(at(3)))
}

/// What attention of a token needs besides keys and values. To be reused: it allocates only when it has to grow.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[group][head]`
    scores: Vec<[f32; TOGETHER]>,
    rounded: Activations,
}

/// `softmax(q·Kᵀ / √d)·V` of some heads: q and y `[heads, d]`. Of keys, in groups of [`TOGETHER`], and values, in groups of [`FEW`],
/// the first `length` positions count.
///
/// # Panics
/// When shapes do not fit.
pub fn attend<T: Kept>(
    q: &[f32],
    d: usize,
    keys: &Heads<T::Key>,
    values: &Heads<T::Value>,
    length: usize,
    scratch: &mut Scratch,
    y: &mut [f32],
) {
    let heads = q.len() / d;
    assert!(
        length > 0 && q.len() == heads * d && q.len() == y.len(),
        "shapes of attention"
    );
    let Scratch { scores, rounded } = scratch;
    scores.resize(length.div_ceil(TOGETHER) * heads, [0.0; TOGETHER]);
    T::score(q, heads, keys, rounded, scores);
    let last = scores.len() - heads;
    for scores in &mut scores[last..] {
        scores[(length - 1) % TOGETHER + 1..].fill(f32::NEG_INFINITY);
    }
    soften(scores, heads, 1.0 / (d as f32).sqrt());
    y.fill(0.0);
    T::weigh(scores, heads, length, values, y);
}

/// Softmax of each head's scores times a factor, in place: `[group][head]`. A score of −∞ weighs nothing.
#[inline(never)]
fn soften(scores: &mut [[f32; TOGETHER]], heads: usize, factor: f32) {
    // What `exp` makes of −∞, of which sums and products shall have nothing.
    let nothing = exp(f32::NEG_INFINITY);
    for head in 0..heads {
        let mut most = [f32::NEG_INFINITY; TOGETHER];
        for scores in scores[head..].iter().step_by(heads) {
            for (most, score) in most.iter_mut().zip(scores) {
                *most = if score > most { *score } else { *most };
            }
        }
        let (most, mut sums) = (max(&most), [0.0; TOGETHER]);
        for scores in scores[head..].iter_mut().step_by(heads) {
            for (score, sum) in scores.iter_mut().zip(&mut sums) {
                *score = exp((*score - most) * factor) - nothing;
                *sum += *score;
            }
        }
        let inverse = 1.0 / sums.iter().sum::<f32>();
        for scores in scores[head..].iter_mut().step_by(heads) {
            for score in scores {
                *score *= inverse;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.37 + phase).sin() * 2.0).collect()
    }

    /// Rows `[position][head][d]`, kept in groups of so many positions, of which each holds `each` of a head.
    fn kept<T: Copy + Default>(
        values: &[f32],
        [heads, d]: [usize; 2],
        together: usize,
        each: usize,
        keep: impl Fn(&[f32], usize, &mut [T]),
    ) -> Vec<T> {
        let groups = (values.len() / heads / d).div_ceil(together);
        let mut kept = vec![T::default(); groups * heads * each];
        for (at, row) in values.chunks_exact(d).enumerate() {
            let (position, head) = (at / heads, at % heads);
            let place = position / together * heads + head;
            keep(row, position % together, &mut kept[place * each..][..each]);
        }
        kept
    }

    /// The largest difference from the formula of two heads in the middle of four.
    fn worst<T: Kept>(d: usize, length: usize, capacity: usize) -> f64 {
        const HEADS: usize = 4;
        let [q, keys, values] = [1, capacity, capacity].map(|rows| numbers(rows * HEADS * d, rows as f32));
        let (mut y, mut scratch) = (vec![f32::NAN; 2 * d], Scratch::default());
        let kept_keys = kept(&keys, [HEADS, d], TOGETHER, T::keys(d), T::keep_key);
        let kept_values = kept(&values, [HEADS, d], FEW, T::values(d), T::keep_value);
        attend::<T>(
            &q[d..3 * d],
            d,
            &Heads::new(&kept_keys, HEADS, 1, T::keys(d)),
            &Heads::new(&kept_values, HEADS, 1, T::values(d)),
            length,
            &mut scratch,
            &mut y,
        );
        let differences = (1..3).map(|head| {
            let row = |of: &[f32], position: usize| -> Vec<f64> {
                let row = &of[(position * HEADS + head) * d..][..d];
                row.iter().copied().map(f64::from).collect()
            };
            let query = row(&q, 0);
            let weights: Vec<f64> = (0..length)
                .map(|position| {
                    query
                        .iter()
                        .zip(row(&keys, position))
                        .map(|(q, key)| q * key)
                        .sum::<f64>()
                })
                .map(|score| (score / (d as f64).sqrt()).exp())
                .collect();
            let differences = (0..d).map(|i| {
                let sum: f64 = (0..length)
                    .map(|position| weights[position] * row(&values, position)[i])
                    .sum();
                (f64::from(y[(head - 1) * d + i]) - sum / weights.iter().sum::<f64>()).abs()
            });
            differences.fold(0.0, f64::max)
        });
        differences.fold(0.0, f64::max)
    }

    #[test]
    fn attention_is_the_formula() {
        for (d, length, capacity) in [
            (1, 1, 1),
            (3, 5, 7),
            (64, 4, 4),
            (64, 18, 32),
            (9, 6, 6),
            (10, 3, 5),
            (2, 21, 32),
            (8, 37, 48),
        ] {
            let exact = worst::<Exact>(d, length, capacity);
            assert!(exact < 2e-6, "{d} {length}: {exact}");
            let rough = worst::<EightBit>(d, length, capacity);
            assert!(rough < 0.05, "{d} {length}: {rough}");
        }
    }
}
