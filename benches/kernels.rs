//! The kernels natively, beside candle's own products of the same matrices, on one thread each:
//! `RAYON_NUM_THREADS=1 cargo bench --bench kernels` (candle takes all cores otherwise).
//!
//! The matrices are those of a block of GPT-2 124M; `m` is how many tokens go through at once: one is written, four
//! candidates are, a post of 64 is learnt from. Rates are multiplications and additions a second.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{DType, Device, Module as _, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use fledge::engine::kernels::{self, Activations, Kernels, Order, Packed, Scratch, View};

/// Outputs and inputs of `c_fc`, the largest matrix of a block.
const N: usize = 3072;
const K: usize = 768;
const TOKENS: [usize; 4] = [1, 4, 16, 64];

fn main() {
    divan::main();
}

/// Numbers between −1 and 1 without a pattern that helps anyone.
fn numbers(count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

fn operations(m: usize) -> ItemsCount {
    ItemsCount::new(2 * m * N * K)
}

/// The kernels of this machine, by their names.
fn named(name: &str) -> &'static dyn Kernels {
    let found = kernels::available().iter().find(|kernels| kernels.name() == name);
    *found.expect("kernels of this machine")
}

fn names() -> impl Iterator<Item = &'static str> {
    kernels::available().iter().map(|kernels| kernels.name())
}

/// Every kind of kernels with every number of tokens.
fn cases() -> impl Iterator<Item = (&'static str, usize)> {
    names().flat_map(|name| TOKENS.map(|m| (name, m)))
}

/// `y = x·Wᵀ` in 8 bits, the rounding of `x` included.
#[divan::bench(args = cases())]
fn product(bencher: Bencher, (name, m): (&str, usize)) {
    let (kernels, x) = (named(name), numbers(m * K));
    let packed = Packed::new(&numbers(N * K), N, K, Order::OutIn);
    let (mut rounded, mut y) = (Activations::default(), vec![0.0; m * N]);
    bencher.counter(operations(m)).bench_local(|| {
        kernels.round(&x, m, K, &mut rounded);
        kernels.matmul(&packed, &rounded, &mut y);
    });
}

/// `dx = dy·W` in 8 bits, the rounding of `dy` included.
#[divan::bench(args = names())]
fn input_gradient(bencher: Bencher, name: &str) {
    let m = 64;
    let (kernels, dy) = (named(name), numbers(m * N));
    let packed = Packed::new(&numbers(N * K), N, K, Order::OutIn);
    let (mut dx, mut rounded, mut scratch) = (vec![0.0; m * K], Activations::default(), Scratch::default());
    bencher.counter(operations(m)).bench_local(|| {
        kernels.round_gradient(&packed, &dy, m, &mut rounded);
        kernels.grad_input_rounded(&packed, &rounded, 0..packed.groups(), &mut dx, &mut scratch);
    });
}

/// `x·Aᵀ` of LoRA with rank 8, in f32.
#[divan::bench(args = names())]
fn low_rank(bencher: Bencher, name: &str) {
    let (m, rank) = (64, 8);
    let (kernels, x, a) = (named(name), numbers(m * K), numbers(rank * K));
    let (mut low, mut scratch) = (vec![0.0; m * rank], Scratch::default());
    bencher.counter(ItemsCount::new(2 * m * K * rank)).bench_local(|| {
        kernels.gemm(View::new(&x, m, K), View::new(&a, rank, K).t(), &mut low, &mut scratch);
    });
}

/// candle's product in f32: what a linear layer of candle-nn does.
#[divan::bench(args = TOKENS)]
fn candle_f32(bencher: Bencher, m: usize) {
    let w = Tensor::from_vec(numbers(N * K), (N, K), &Device::Cpu)
        .and_then(|w| w.t())
        .expect("w");
    let x = Tensor::from_vec(numbers(m * K), (m, K), &Device::Cpu).expect("x");
    bencher.counter(operations(m)).bench_local(|| x.matmul(&w).expect("y"));
}

/// candle's product of 8-bit weights, with a scale for 32 inputs.
#[divan::bench(args = TOKENS)]
fn candle_q8_0(bencher: Bencher, m: usize) {
    let w = Tensor::from_vec(numbers(N * K), (N, K), &Device::Cpu).expect("w");
    let w = QTensor::quantize(&w, GgmlDType::Q8_0)
        .and_then(QMatMul::from_qtensor)
        .expect("w");
    let x = Tensor::from_vec(numbers(m * K), (m, K), &Device::Cpu)
        .and_then(|x| x.to_dtype(DType::F32))
        .expect("x");
    bencher.counter(operations(m)).bench_local(|| w.forward(&x).expect("y"));
}
