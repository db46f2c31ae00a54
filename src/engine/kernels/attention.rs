//! Attention of one new token to those before it.

use super::float::{Stored, axpy, dot, softmax};

/// `softmax(q·Kᵀ / √d)·V` of each head: q `[h, d]`, K and V `[h, capacity, d]` of which the first `length` positions are
/// there, y `[h, d]`. `scores` is grown to `length` and may be reused.
///
/// A long context is bound by reading K and V: 74 MB a token of GPT-2 124M at 1000 positions in f32, half in
/// [`super::float::Bf16`].
///
/// # Panics
/// When shapes do not fit.
pub fn attend<T: Stored>(
    q: &[f32],
    keys: &[T],
    values: &[T],
    d: usize,
    length: usize,
    scores: &mut Vec<f32>,
    y: &mut [f32],
) {
    assert!(q.len() == y.len() && keys.len() == values.len(), "shapes of attention");
    let size = keys.len() / (q.len() / d);
    assert!(length > 0 && length * d <= size, "positions of attention");
    let factor = 1.0 / (d as f32).sqrt();
    let heads = q.chunks_exact(d).zip(y.chunks_exact_mut(d));
    for ((q, y), (keys, values)) in heads.zip(keys.chunks_exact(size).zip(values.chunks_exact(size))) {
        scores.clear();
        scores.resize(length, 0.0);
        score(q, keys, factor, scores);
        softmax(scores);
        y.fill(0.0);
        weigh(scores, values, d, y);
    }
}

/// Dot products with as many keys as there are scores.
#[inline(never)]
fn score<T: Stored>(q: &[f32], keys: &[T], factor: f32, scores: &mut [f32]) {
    for (score, key) in scores.iter_mut().zip(keys.chunks_exact(q.len())) {
        *score = dot(q, key) * factor;
    }
}

/// `y += Σ weight·value`, four positions at a time, so that `y` is read and written less often.
#[inline(never)]
fn weigh<T: Stored>(weights: &[f32], values: &[T], d: usize, y: &mut [f32]) {
    let (fours, rest) = weights.as_chunks::<4>();
    for (weights, values) in fours.iter().zip(values.chunks_exact(4 * d)) {
        let (first, second) = values.split_at(2 * d);
        let ((a, b), (c, e)) = (first.split_at(d), second.split_at(d));
        for ((((y, a), b), c), e) in y.iter_mut().zip(a).zip(b).zip(c).zip(e) {
            *y += (weights[0] * a.value() + weights[1] * b.value()) + (weights[2] * c.value() + weights[3] * e.value());
        }
    }
    for (weight, value) in rest.iter().zip(values[fours.len() * 4 * d..].chunks_exact(d)) {
        axpy(*weight, value, y);
    }
}

#[cfg(test)]
mod tests {
    use super::super::float::Bf16;
    use super::*;

    #[test]
    fn attention_is_the_formula() {
        for (heads, d, length, capacity) in [(1, 1, 1, 1), (2, 3, 5, 7), (3, 64, 4, 4), (2, 64, 18, 32)] {
            let numbers = |count: usize, phase: f32| {
                (0..count)
                    .map(|i| (i as f32 * 0.37 + phase).sin() * 2.0)
                    .collect::<Vec<f32>>()
            };
            let (q, keys, values) = (
                numbers(heads * d, 0.0),
                numbers(heads * capacity * d, 1.0),
                numbers(heads * capacity * d, 2.0),
            );
            let (mut y, mut scores) = (vec![f32::NAN; heads * d], Vec::new());
            attend(&q, &keys, &values, d, length, &mut scores, &mut y);
            let halves = |values: &[f32]| values.iter().map(|value| Bf16::from(*value)).collect::<Vec<_>>();
            let mut rough = vec![f32::NAN; heads * d];
            attend(&q, &halves(&keys), &halves(&values), d, length, &mut scores, &mut rough);
            assert!(y.iter().zip(&rough).all(|(y, rough)| (y - rough).abs() < 0.05));
            for head in 0..heads {
                let row = |of: &[f32], position: usize, i: usize| f64::from(of[(head * capacity + position) * d + i]);
                let weights: Vec<f64> = (0..length)
                    .map(|t| {
                        (0..d)
                            .map(|i| f64::from(q[head * d + i]) * row(&keys, t, i))
                            .sum::<f64>()
                    })
                    .map(|score| (score / (d as f64).sqrt()).exp())
                    .collect();
                for i in 0..d {
                    let sum = (0..length).map(|t| weights[t] * row(&values, t, i)).sum::<f64>();
                    let expected = sum / weights.iter().sum::<f64>();
                    assert!(
                        (f64::from(y[head * d + i]) - expected).abs() < 2e-6,
                        "{heads} {d} {length}"
                    );
                }
            }
        }
    }
}
