//! The arithmetic of the engine: 8-bit frozen matrices, and f32 for everything small.
//!
//! [`Packed`] holds a matrix, [`Activations`] the inputs of a product; [`best`] is this machine's way of multiplying
//! them. What a product computes is the same on every machine: whole numbers inside a group, and f32 sums of the groups
//! in their order. Only fused multiplication may differ in the last bits.
//!
//! | file | for |
//! |---|---|
//! | `packed`, `activations` | the two operands |
//! | `product`, `gradient` | how a product and its gradient go through a matrix |
//! | `plain`, `simd128`, `relaxed`, `avx2` | the inner loops |
//! | `trust` | whether they are right on this machine |
//! | `pool` | threads, where there are any |
//! | `float` | layer norm, GELU, softmax and the like in f32 |
//! | `attention`, `halves`, `lanes` | attention to keys and values that are kept |

mod activations;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(test)]
pub mod checks;
pub mod float;
mod gradient;
mod halves;
mod lanes;
mod packed;
mod plain;
pub mod pool;
mod product;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(test)]
mod tests;
mod trust;

use std::fmt::Debug;
use std::ops::Range;
use std::sync::OnceLock;

pub use activations::Activations;
pub use gradient::Scratch;
pub use packed::{Block, GROUP, Order, PANEL, Packed, Packer};
pub use product::{Target, View};

use activations::{Group, Rounded};
use attention::Heads;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use relaxed::Relaxed;

/// A way of multiplying. All of them agree to the last bits of an f32.
pub trait Kernels: Debug + Sync {
    /// As in the target features: `plain`, `simd128`, `relaxed-simd`, `avx2`.
    fn name(&self) -> &'static str;

    /// Rounds the inputs of a product, `[m, k]`, to 7 bits.
    ///
    /// # Panics
    /// When there are not `m * k` values.
    fn round(&self, x: &[f32], m: usize, k: usize, to: &mut Activations);

    /// The same for rows that are multiplied one by one, each with a matrix of its own.
    ///
    /// # Panics
    /// When there are not `m * k` values.
    fn round_rows(&self, x: &[f32], m: usize, k: usize, to: &mut Activations);

    /// `y = x·Wᵀ` for some panels of 16 outputs: `[m, k]` → those columns of `[m, n]`.
    ///
    /// # Safety
    /// No other thread writes or reads the same panels of `y` meanwhile.
    ///
    /// # Panics
    /// When shapes do not fit.
    #[expect(unsafe_code, reason = "threads write columns of one matrix")]
    unsafe fn matmul_panels(&self, w: &Packed, x: &Activations, panels: Range<usize>, y: &Target);

    /// `y = x·Wᵀ`: `[m, k]` → `[m, n]`.
    ///
    /// # Panics
    /// When shapes do not fit.
    #[expect(unsafe_code, reason = "all columns at once")]
    fn matmul(&self, w: &Packed, x: &Activations, y: &mut [f32]) {
        let target = Target::new(y, x.tokens(), w.outputs());
        // SAFETY: `y` is borrowed by this call alone.
        unsafe { self.matmul_panels(w, x, 0..w.panels(), &target) }
    }

    /// The dot products of each head's query, from [`Kernels::round_rows`], with its keys: `[panel][head]`.
    ///
    /// # Panics
    /// When shapes do not fit.
    fn scores(&self, keys: &Heads<Block>, queries: &Activations, scores: &mut [[f32; PANEL]]);

    /// Rounds the gradient of a product's result, `[m, n]`, to 7 bits, for this matrix.
    ///
    /// # Panics
    /// When there are not `m * n` values.
    fn round_gradient(&self, w: &Packed, dy: &[f32], m: usize, to: &mut Activations);

    /// `dx = dy·W` with `dy` from [`Kernels::round_gradient`], 1 to 2 % off, for some groups of 64 inputs: `[m, n]` → those
    /// columns of `[m, k]`. Threads take groups, each with its own scratch.
    ///
    /// # Panics
    /// When shapes do not fit.
    fn grad_input_rounded(
        &self,
        w: &Packed,
        dy: &Activations,
        groups: Range<usize>,
        dx: &mut [f32],
        scratch: &mut Scratch,
    );

    /// Some rows of `c += a·b` for f32: `[m, k]` × `[k, n]` → `[rows, n]`. Meant for the small matrices of LoRA. Threads take
    /// rows, each with its own scratch.
    ///
    /// # Panics
    /// When shapes do not fit.
    fn gemm_rows(&self, a: View, b: View, rows: Range<usize>, c: &mut [f32], scratch: &mut Scratch);

    /// `c += a·b`: all rows.
    ///
    /// # Panics
    /// When shapes do not fit.
    fn gemm(&self, a: View, b: View, c: &mut [f32], scratch: &mut Scratch) {
        self.gemm_rows(a, b, 0..a.rows(), c, scratch);
    }
}

/// Inner loops, from which [`Kernels`] are made.
trait Loops: Debug + Sync {
    fn name(&self) -> &'static str;

    /// Rounds a group of inputs.
    fn round(&self, inputs: &[f32; GROUP]) -> Rounded;

    /// Rounds a group of inputs of four tokens.
    fn round_tile(&self, inputs: &[[f32; GROUP]; 4], to: &mut Group<4>) {
        for (token, inputs) in inputs.iter().enumerate() {
            to.set(token, &self.round(inputs));
        }
    }

    /// 16 outputs of each of two panels, of one token, over as many groups as there are. Writing is bound by memory, and two
    /// streams are read faster than one: in 0.8 of the time (V8 15.6, AMD EPYC of family 25).
    fn row(&self, panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]);

    /// 16 outputs of four tokens.
    fn tile(&self, blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]);

    /// Makes the block's inputs from `16 * panel` the outputs of `to`, and its outputs the inputs from `16 * quarter`
    /// of `to`, with each weight times `ratios` of its former output in 32768ths.
    fn transpose(&self, block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block);

    /// Adds each output's weights up.
    fn sum(&self, block: &mut Block);

    /// `y = aᵀ·b` over the rows of a and b.
    fn product(&self, a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]);
}

impl<T: Loops> Kernels for T {
    fn name(&self) -> &'static str {
        Loops::name(self)
    }

    fn round(&self, x: &[f32], m: usize, k: usize, to: &mut Activations) {
        if m == 1 {
            return self.round_rows(x, m, k, to);
        }
        assert_eq!(x.len(), m * k, "{m} rows of {k}");
        to.fill_tiles(self, m, k, copy(x, k));
    }

    fn round_rows(&self, x: &[f32], m: usize, k: usize, to: &mut Activations) {
        assert_eq!(x.len(), m * k, "{m} rows of {k}");
        to.fill_rows(self, m, k, copy(x, k));
    }

    #[expect(unsafe_code, reason = "passed on")]
    unsafe fn matmul_panels(&self, w: &Packed, x: &Activations, panels: Range<usize>, y: &Target) {
        // SAFETY: the caller's promise.
        unsafe { product::matmul_panels(self, w, x, panels, y) }
    }

    fn scores(&self, keys: &Heads<Block>, queries: &Activations, scores: &mut [[f32; PANEL]]) {
        product::scores(self, keys, queries, scores);
    }

    fn round_gradient(&self, w: &Packed, dy: &[f32], m: usize, to: &mut Activations) {
        gradient::round(self, w, dy, m, to);
    }

    fn grad_input_rounded(
        &self,
        w: &Packed,
        dy: &Activations,
        groups: Range<usize>,
        dx: &mut [f32],
        scratch: &mut Scratch,
    ) {
        gradient::rounded(self, w, dy, groups, dx, scratch);
    }

    fn gemm_rows(&self, a: View, b: View, rows: Range<usize>, c: &mut [f32], scratch: &mut Scratch) {
        product::gemm_rows(self, a, b, rows, c, scratch);
    }
}

/// Copies a token's inputs from the first on, as many as there are of `k`, and zeros after them.
fn copy(x: &[f32], k: usize) -> impl Fn(usize, usize, &mut [f32; GROUP]) + Sync {
    move |token, first, to| {
        let x = &x[token * k + first..(token + 1) * k];
        // A copy of a known length is a few instructions; one of any length is a call out of WebAssembly.
        if let Some(x) = x.first_chunk() {
            *to = *x;
            return;
        }
        let (some, beyond) = to.split_at_mut(x.len());
        some.copy_from_slice(x);
        beyond.fill(0.0);
    }
}

/// The fastest kernels of this machine that compute what they should.
#[must_use]
pub fn best() -> &'static dyn Kernels {
    static BEST: OnceLock<&'static dyn Kernels> = OnceLock::new();
    *BEST.get_or_init(|| trust::first_right(available()))
}

/// Every kind of kernels that this machine can run, the fastest first, `plain` last.
#[must_use]
pub fn available() -> &'static [&'static dyn Kernels] {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    return if relaxed::pairs_first() {
        &[&Relaxed::<true>, &Relaxed::<false>, &simd128::Simd128, &plain::Plain]
    } else {
        &[&Relaxed::<false>, &Relaxed::<true>, &simd128::Simd128, &plain::Plain]
    };
    #[cfg(all(
        target_arch = "wasm32",
        target_feature = "simd128",
        not(target_feature = "relaxed-simd")
    ))]
    return &[&simd128::Simd128, &plain::Plain];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return &[&avx2::Avx2, &plain::Plain];
    }
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    return &[&plain::Plain];
}
