//! Inner loops for WebAssembly's relaxed vectors: one instruction multiplies 16 bytes and adds them, in pairs or in fours.
//!
//! Its second operand has to be below 128 for all machines to agree; here it is the activations. Nothing else is relaxed: fused
//! multiplication would round in other places than plain SIMD does, and the same seed should write the same text everywhere.
//!
//! Adding in fours is one instruction of a processor that has it (VNNI, dotprod). On others V8 makes five of it, two of them to
//! build the same constant again and again, where pairs that are then added to each other take three: products of several
//! tokens are 1.25 to 1.3 times as fast there (V8 15.6, AMD EPYC of family 25).

use core::arch::wasm32::{
    f32x4_mul, f32x4_splat, i8x16_splat, i16x8_relaxed_dot_i8x16_i7x16, i16x8_splat, i32x4_add, i32x4_dot_i16x8,
    i32x4_extract_lane, i32x4_relaxed_dot_i8x16_i7x16_add, u32x4_splat, v128,
};

use super::Loops;
use super::activations::{Group, Rounded};
use super::packed::{Block, GROUP, PANEL, QUADS};
use super::simd128::{accumulate, load, product, round, round_tile, scales, splats, start, sum, transpose};

/// 128-bit vectors with relaxed instructions, which add products in pairs or in fours first.
#[derive(Debug)]
pub(super) struct Relaxed<const PAIRS: bool>;

/// Whether adding in pairs first is the faster way: where it is what the processor can do. That shows outside of what
/// the instruction promises: x86 without VNNI multiplies unsigned with signed bytes, and holds the sum of a pair at 32767.
pub(super) fn pairs_first() -> bool {
    let (most, ones) = (i8x16_splat(127), std::hint::black_box(i8x16_splat(-1)));
    let four = i32x4_relaxed_dot_i8x16_i7x16_add(most, ones, u32x4_splat(0));
    i32x4_extract_lane::<0>(four) == 2 * i32::from(i16::MAX)
}

/// Adds to each of four sums four products of a weight and an activation.
#[inline]
fn dot<const PAIRS: bool>(weights: v128, x: v128, sums: v128) -> v128 {
    if PAIRS {
        // At most 2 * 127 * 127. With `i32x4_extadd_pairwise_i16x8`, LLVM would put the one instruction back together.
        let pairs = i16x8_relaxed_dot_i8x16_i7x16(weights, x);
        i32x4_add(sums, i32x4_dot_i16x8(pairs, i16x8_splat(1)))
    } else {
        i32x4_relaxed_dot_i8x16_i7x16_add(weights, x, sums)
    }
}

impl<const PAIRS: bool> Loops for Relaxed<PAIRS> {
    fn name(&self) -> &'static str {
        "relaxed-simd"
    }

    fn round(&self, inputs: &[f32; GROUP]) -> Rounded {
        round(inputs)
    }

    fn round_tile(&self, inputs: &[[f32; GROUP]; 4], to: &mut Group<4>) {
        round_tile(inputs, to);
    }

    fn row(&self, panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
        row::<PAIRS>(panels, x, y);
    }

    fn tile(&self, blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
        tile::<PAIRS>(blocks, x, y);
    }

    fn transpose(&self, block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block) {
        transpose(block, ratios, panel, quarter, to);
    }

    fn sum(&self, block: &mut Block) {
        sum(block);
    }

    fn product(&self, a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]) {
        product(a, b, y);
    }
}

#[inline(never)]
fn row<const PAIRS: bool>([first, second]: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
    for ((first, second), x) in first.iter().zip(second).zip(x) {
        let mut dots = [[u32x4_splat(0); QUADS]; 2];
        for quad in 0..QUADS {
            dots[0][quad] = start(first, quad, x.offsets[0]);
            dots[1][quad] = start(second, quad, x.offsets[0]);
        }
        let steps = first.weights.iter().zip(&second.weights);
        for ((first, second), x) in steps.zip(&x.values) {
            let x = u32x4_splat(x[0]);
            for quad in 0..QUADS {
                dots[0][quad] = dot::<PAIRS>(load(&first[quad]), x, dots[0][quad]);
                dots[1][quad] = dot::<PAIRS>(load(&second[quad]), x, dots[1][quad]);
            }
        }
        let scale = f32x4_splat(x.scales[0]);
        for quad in 0..QUADS {
            accumulate(&mut y[0], quad, dots[0][quad], f32x4_mul(scales(first, quad), scale));
            accumulate(&mut y[1], quad, dots[1][quad], f32x4_mul(scales(second, quad), scale));
        }
    }
}

/// Twice through each block, for half of its outputs a time. The same code does both halves: in code for each of them LLVM would
/// hold all of `y` in variables, which V8 then moves about on the stack.
#[inline(never)]
fn tile<const PAIRS: bool>(blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
    for half in 0..2 * blocks.len().min(x.len()) {
        tile_quads::<PAIRS>(&blocks[half / 2], &x[half / 2], 2 * (half % 2), y);
    }
}

/// Two quads of outputs and four tokens: eight sums, which leaves registers for the operands.
#[inline]
fn tile_quads<const PAIRS: bool>(block: &Block, x: &Group<4>, first: usize, y: &mut [[f32; PANEL]; 4]) {
    let quads = [first, first + 1];
    let mut dots = x.offsets.map(|offset| quads.map(|quad| start(block, quad, offset)));
    for (weights, x) in block.weights.iter().zip(&x.values) {
        let weights = quads.map(|quad| load(&weights[quad]));
        for (x, dots) in splats(load(x)).into_iter().zip(&mut dots) {
            dots[0] = dot::<PAIRS>(weights[0], x, dots[0]);
            dots[1] = dot::<PAIRS>(weights[1], x, dots[1]);
        }
    }
    let scales = quads.map(|quad| scales(block, quad));
    for (token, dots) in dots.into_iter().enumerate() {
        let scale = f32x4_splat(x.scales[token]);
        for (at, dots) in dots.into_iter().enumerate() {
            accumulate(&mut y[token], quads[at], dots, f32x4_mul(scales[at], scale));
        }
    }
}
