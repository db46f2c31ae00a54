//! What all kernels have to do, compared with the plainest arithmetic.

use super::{Activations, GROUP, Kernels, Order, PANEL, Packed, Packer, Scratch, View, available};

/// Shapes `[n, k]`: single numbers, less than a vector, odd, whole panels and groups, several chunks of outputs.
const SHAPES: [(usize, usize); 9] = [
    (1, 1),
    (3, 5),
    (4, 4),
    (20, 12),
    (17, 33),
    (64, 48),
    (33, 130),
    (48, 192),
    (300, 70),
];
const TOKENS: [usize; 8] = [1, 2, 3, 4, 5, 16, 17, 33];

/// Numbers that look normally distributed, the same in each run.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in −0.5 to 0.5.
    pub const fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 40) as f32) / 16_777_216.0 - 0.5
    }

    /// Nearly normal, of variance 1.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum()
    }

    /// Nearly normal numbers.
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }
}

/// `|found − expected| / |expected|` of two vectors.
#[must_use]
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let distance = square(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let length = square(&mut expected.iter().map(|value| f64::from(*value)));
    if distance == 0.0 {
        0.0
    } else {
        (distance / length).sqrt()
    }
}

/// `a·bᵀ` in f64: `[m, k]` × `[n, k]`.
#[must_use]
pub fn reference(a: &[f32], b: &[f32], k: usize) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() as f32;
    a.chunks_exact(k)
        .flat_map(|a| b.chunks_exact(k).map(move |b| dot(a, b)))
        .collect()
}

/// `[rows, columns]` → `[columns, rows]`.
#[must_use]
pub fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| values.iter().skip(column).step_by(columns).copied())
        .collect()
}

/// The f32 weights that a packed matrix stands for, `[n, k]`.
#[must_use]
pub fn unpacked(w: &Packed) -> Vec<f32> {
    let mut values = vec![0.0; w.outputs() * w.inputs()];
    for (row, values) in values.chunks_exact_mut(w.inputs()).enumerate() {
        w.read_row(row, values);
    }
    values
}

/// What goes wrong, a line each.
#[must_use]
pub fn failures() -> Vec<String> {
    let mut failures = Vec::new();
    for (n, k) in SHAPES {
        packing(n, k, &mut failures);
        for kernels in available() {
            for m in TOKENS {
                products(*kernels, m, n, k, &mut failures);
            }
        }
    }
    failures
}

fn expect(what: &str, error: f64, most: f64, failures: &mut Vec<String>) {
    if error.is_nan() || error > most {
        failures.push(format!("{what}: off by {error:e}, at most {most:e}"));
    }
}

fn packing(n: usize, k: usize, failures: &mut Vec<String>) {
    let values = Random::new(1).normals(n * k);
    let w = Packed::new(&values, n, k, Order::OutIn);
    let found = unpacked(&w);
    for (found, exact) in found.chunks_exact(k).zip(values.chunks_exact(k)) {
        for (found, exact) in found.chunks(GROUP).zip(exact.chunks(GROUP)) {
            let most = exact.iter().fold(0f32, |most, value| most.max(value.abs()));
            let worst = found
                .iter()
                .zip(exact)
                .fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
            // Half a step, which is larger by up to 1/128 for its 8 bits.
            expect("packing", f64::from(worst / most), 0.5 / 127.0 * 1.009, failures);
        }
    }
    let mut packer = Packer::new(n, k, Order::InOut);
    for some in transposed(&values, k).chunks(7) {
        packer.push(some);
    }
    let mut copy = Packed::zeros(n, k);
    copy.as_bytes_mut().copy_from_slice(packer.finish().as_bytes());
    if copy.as_bytes() != w.as_bytes() || w.bytes() != n.div_ceil(PANEL) * k.div_ceil(GROUP) * 1088 {
        failures.push(format!("packing {n} × {k}: orders differ"));
    }
}

fn products(kernels: &dyn Kernels, m: usize, n: usize, k: usize, failures: &mut Vec<String>) {
    let mut random = Random::new(2);
    let (w, mut x, dy) = (random.normals(n * k), random.normals(m * k), random.normals(m * n));
    // Every other token on one side of zero.
    x.chunks_exact_mut(2 * k)
        .flat_map(|x| &mut x[..k])
        .for_each(|x| *x = x.abs());
    let packed = Packed::new(&w, n, k, Order::OutIn);
    let w = unpacked(&packed);
    let what = |what: &str| format!("{} {what} {m} × {n} × {k}", kernels.name());

    let (mut activations, mut scratch) = (Activations::default(), Scratch::default());
    kernels.round(&x, m, k, &mut activations);
    let mut y = vec![f32::NAN; m * n];
    kernels.matmul(&packed, &activations, &mut y);
    expect(
        &what("forward"),
        relative_error(&y, &reference(&x, &w, k)),
        0.03,
        failures,
    );
    let mut plain = vec![f32::NAN; m * n];
    available()[available().len() - 1].matmul(&packed, &activations, &mut plain);
    expect(&what("forward, plain"), relative_error(&y, &plain), 1e-6, failures);

    let expected = reference(&dy, &transposed(&w, k), n);
    let mut dx = vec![f32::NAN; m * k];
    kernels.round_gradient(&packed, &dy, m, &mut activations);
    kernels.grad_input_rounded(&packed, &activations, 0..packed.groups(), &mut dx, &mut scratch);
    expect(
        &what("rounded gradient"),
        relative_error(&dx, &expected),
        0.05,
        failures,
    );

    // The same in two parts, the second of which has the last group alone.
    let last = packed.groups() - 1;
    for (groups, columns) in [(0..last, 0..last * GROUP), (last..last + 1, last * GROUP..k)] {
        let mut part = vec![f32::NAN; m * columns.len()];
        kernels.grad_input_rounded(&packed, &activations, groups, &mut part, &mut scratch);
        let whole: Vec<f32> = dx
            .chunks_exact(k)
            .flat_map(|dx| &dx[columns.clone()])
            .copied()
            .collect();
        expect(
            &what("part of a gradient"),
            relative_error(&part, &whole),
            0.0,
            failures,
        );
    }

    let mut c = x.clone();
    kernels.gemm(View::new(&dy, m, n), View::new(&w, n, k), &mut c, &mut scratch);
    c.iter_mut().zip(&x).for_each(|(c, x)| *c -= x);
    expect(&what("gemm"), relative_error(&c, &expected), 2e-6, failures);
    let mut c = vec![0.0; m * n];
    kernels.gemm(View::new(&x, m, k), View::new(&w, n, k).t(), &mut c, &mut scratch);
    expect(
        &what("gemm with the transpose"),
        relative_error(&c, &reference(&x, &w, k)),
        2e-6,
        failures,
    );
    let mut c = vec![0.0; n * k];
    kernels.gemm(View::new(&dy, m, n).t(), View::new(&x, m, k), &mut c, &mut scratch);
    let expected = reference(&transposed(&dy, n), &transposed(&x, k), m);
    expect(&what("transposed gemm"), relative_error(&c, &expected), 2e-6, failures);

    // The same in two parts, the second of which has the last row alone.
    let (last, whole) = (n - 1, c);
    for rows in [0..last, last..n] {
        let mut part = vec![0.0; rows.len() * k];
        let (dy, x) = (View::new(&dy, m, n).t(), View::new(&x, m, k));
        kernels.gemm_rows(dy, x, rows.clone(), &mut part, &mut scratch);
        let whole = &whole[rows.start * k..rows.end * k];
        expect(&what("part of a gemm"), relative_error(&part, whole), 0.0, failures);
    }
}
