//! What is computed in f32 once a token: layer norm, GELU, softmax and sums.
//!
//! Loops over eight numbers at a time, which the compiler turns into the vectors of the machine.

use super::pool;

const LANES: usize = 8;
/// So many exponentials take longer than waking another thread.
pub const WORTH_SHARING: usize = 20_000;
/// For dot products, which wait for their own sums otherwise, and for what has many constants.
const WIDE: usize = 16;

/// eˣ, off by at most 2e-7 of itself between −87 and 88; beyond, as at these ends.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ by Cephes' polynomial, 2ⁿ by the exponent's bits.
#[inline]
#[must_use]
pub fn exp(x: f32) -> f32 {
    // 1.5·2²³: what is added to it is rounded to a whole number, found in its lowest bits.
    const MAGIC: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few bits, so that n times it is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let n = x * std::f32::consts::LOG2_E + MAGIC;
    let power = f32::from_bits((n.to_bits() << 23).wrapping_add(1f32.to_bits()));
    let n = n - MAGIC;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4 * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    (p * (r * r) + r + 1.0) * power
}

/// Sums eight numbers at a time.
#[inline]
pub(super) fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += of(chunk[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|value| of(*value)).sum::<f32>()
}

/// The dot product of two vectors.
#[inline]
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..WIDE {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    // In halves, as vectors can.
    let eight: [f32; 8] = std::array::from_fn(|lane| sums[lane] + sums[lane + 8]);
    let four: [f32; 4] = std::array::from_fn(|lane| eight[lane] + eight[lane + 4]);
    (four[0] + four[2]) + (four[1] + four[3]) + rest
}

/// `y += a·x`.
#[inline]
pub fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// The largest value; −∞ of none.
#[must_use]
pub fn max(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = if chunk[lane] > most[lane] {
                chunk[lane]
            } else {
                most[lane]
            };
        }
    }
    // Not `max`, which is a call in WebAssembly.
    let larger = |most, value| if value > most { value } else { most };
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// Where the largest value is, first among equals; 0 of none.
#[must_use]
pub fn argmax(values: &[f32]) -> usize {
    let most = max(values);
    // In which chunk it is first: that needs no number by itself.
    let (chunks, _) = values.as_chunks::<WIDE>();
    let is_in = |chunk: &[f32; WIDE]| chunk.iter().map(|value| u32::from(*value >= most)).sum::<u32>() > 0;
    let before = WIDE * chunks.iter().position(is_in).unwrap_or(chunks.len());
    let rest = values[before..].iter().position(|value| *value >= most);
    rest.map_or(0, |at| before + at)
}

/// `Σ eˣ⁻ᵐ` with `m` the largest: what softmax and cross entropy divide by. Returns `(m, sum)`.
#[must_use]
pub fn sum_exp(values: &[f32]) -> (f32, f32) {
    let most = max(values);
    (most, sum(values, |value| exp(value - most)))
}

/// Softmax in place.
pub fn softmax(values: &mut [f32]) {
    let most = max(values);
    for value in &mut *values {
        *value = exp(*value - most);
    }
    let factor = 1.0 / sum(values, |value| value);
    for value in values {
        *value *= factor;
    }
}

/// Layer norm of each row: `(x − mean) / √(variance + ε)·gain + bias`, `[m, n]` → `[m, n]`.
///
/// # Panics
/// When shapes do not fit.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    let n = gain.len();
    assert!(
        bias.len() == n && x.len() == y.len() && x.len().is_multiple_of(n),
        "shapes of a layer norm"
    );
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        let (mean, inverse) = moments(x, epsilon);
        for (((y, x), gain), bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
            *y = (x - mean) * inverse * gain + bias;
        }
    }
}

/// The gradient of [`layer_norm`]'s input, with gain and bias frozen: `[m, n]` → `[m, n]`.
///
/// # Panics
/// When shapes do not fit.
pub fn layer_norm_backward(x: &[f32], gain: &[f32], epsilon: f32, dy: &[f32], dx: &mut [f32]) {
    let n = gain.len();
    let fits = x.len() == dy.len() && x.len() == dx.len() && x.len().is_multiple_of(n);
    assert!(fits, "shapes of a layer norm");
    for ((x, dy), dx) in x.chunks_exact(n).zip(dy.chunks_exact(n)).zip(dx.chunks_exact_mut(n)) {
        let (mean, inverse) = moments(x, epsilon);
        for ((dx, dy), gain) in dx.iter_mut().zip(dy).zip(gain) {
            *dx = dy * gain;
        }
        let slope = (dot(dx, x) - mean * sum(dx, |dx| dx)) * inverse * inverse / n as f32;
        let level = sum(dx, |dx| dx) / n as f32;
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = (*dx - level - (x - mean) * slope) * inverse;
        }
    }
}

/// Mean, and one over the standard deviation.
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let mean = sum(x, |x| x) / x.len() as f32;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / x.len() as f32;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// 2·√(2/π), and the cube's share.
const SLOPE: f32 = 1.595_769;
const CUBE: f32 = 0.044_715;

/// GELU as GPT-2 has it, `x/2·(1 + tanh u)` with `u = √(2/π)·(x + 0.044715·x³)`: the same as `x / (1 + e⁻²ᵘ)`.
#[inline]
#[must_use]
pub fn gelu(x: f32) -> f32 {
    x / (1.0 + exp(-SLOPE * (x + CUBE * x * x * x)))
}

/// [`gelu`] in place.
pub fn gelu_all(values: &mut [f32]) {
    let size = pool::fair(values.len(), WORTH_SHARING);
    pool::chunks(values, size, |_, values| {
        // Several vectors at a time: V8 puts every constant together anew in each round of a loop.
        let (chunks, rest) = values.as_chunks_mut::<WIDE>();
        for chunk in chunks {
            *chunk = chunk.map(gelu);
        }
        for x in rest {
            *x = gelu(*x);
        }
    });
}

/// What [`gelu`] makes of the gradient `dy` of its result at `x`.
///
/// # Panics
/// When shapes do not fit.
pub fn gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(x.len() == dy.len() && x.len() == dx.len(), "shapes of a gelu");
    let size = pool::fair(dx.len(), WORTH_SHARING);
    pool::chunks(dx, size, |part, dx| {
        let [x, dy] = [x, dy].map(|all| &all[part * size..][..dx.len()]);
        for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = dy * gelu_slope(*x);
        }
    });
}

/// The derivative of [`gelu`].
#[inline]
#[must_use]
pub fn gelu_slope(x: f32) -> f32 {
    let gate = 1.0 / (1.0 + exp(-SLOPE * (x + CUBE * x * x * x)));
    gate + x * gate * (1.0 - gate) * SLOPE * (1.0 + 3.0 * CUBE * x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> impl Iterator<Item = f32> {
        (-200_000..=200_000).map(|i| i as f32 * 4.3e-4)
    }

    #[test]
    fn exp_is_off_by_a_ulp_or_two() {
        let worst = numbers()
            .filter(|x| x.abs() < 86.9)
            .map(|x| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "{worst:e}");
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::INFINITY) > 1e38 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn gelu_and_its_slope_are_the_formula_s() {
        for x in numbers().filter(|x| x.abs() < 10.0) {
            let formula = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_8 * (x + 0.044_715 * x * x * x)).tanh());
            let x64 = f64::from(x);
            assert!(
                (f64::from(gelu(x)) - formula(x64)).abs() < 5e-7 * x64.abs().max(1.0),
                "{x}"
            );
            let slope = (formula(x64 + 1e-5) - formula(x64 - 1e-5)) / 2e-5;
            assert!((f64::from(gelu_slope(x)) - slope).abs() < 2e-6, "{x}");
        }
    }

    #[test]
    fn layer_norm_s_gradient_is_its_difference_quotient() {
        let n = 21;
        let numbers = |phase: f32| (0..n).map(|i| (i as f32 * 1.7 + phase).sin()).collect::<Vec<f32>>();
        let (x, gain, bias, dy) = (numbers(0.0), numbers(1.0), numbers(2.0), numbers(3.0));
        let loss = |x: &[f32]| {
            let mut y = vec![0.0; n];
            layer_norm(x, &gain, &bias, 1e-5, &mut y);
            y.iter()
                .zip(&dy)
                .map(|(y, dy)| f64::from(*y) * f64::from(*dy))
                .sum::<f64>()
        };
        let mut dx = vec![0.0; n];
        layer_norm_backward(&x, &gain, 1e-5, &dy, &mut dx);
        for i in 0..n {
            let (mut below, mut above) = (x.clone(), x.clone());
            below[i] -= 1e-2;
            above[i] += 1e-2;
            let slope = (loss(&above) - loss(&below)) / 2e-2;
            assert!((f64::from(dx[i]) - slope).abs() < 2e-3, "{} {slope}", dx[i]);
        }
    }

    #[test]
    fn sums_and_largest_values_do_not_depend_on_the_length() {
        for n in 1..40 {
            let values: Vec<f32> = (0..n).map(|i| ((i * 7) % 11) as f32).collect();
            let expected = values.iter().map(|value| value * value).sum::<f32>();
            assert!((dot(&values, &values) - expected).abs() < 1e-3);
            let most = values.iter().copied().fold(0.0, f32::max);
            assert!(max(&values) >= most && values[argmax(&values)] >= most);
            assert!(values[..argmax(&values)].iter().all(|value| *value < most));
            let mut shares = values.clone();
            softmax(&mut shares);
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            let (most, sum) = sum_exp(&values);
            assert!((shares[0] - exp(values[0] - most) / sum).abs() < 1e-7);
        }
    }
}
