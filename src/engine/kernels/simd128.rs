//! Inner loops for WebAssembly's vectors of 16 bytes, as every browser has them.
//!
//! These multiply 16-bit numbers, so a vector of weights becomes two: one of its first two outputs, one of its others.
//! Hot loops are small functions of their own, called often: V8 does not replace a function while it runs.

use core::arch::wasm32::{
    f32x4_add, f32x4_convert_i32x4, f32x4_div, f32x4_extract_lane, f32x4_gt, f32x4_mul, f32x4_pmax, f32x4_pmin,
    f32x4_splat, f32x4_sub, i8x16_narrow_i16x8, i8x16_shuffle, i16x8_add, i16x8_extadd_pairwise_i8x16,
    i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i16x8_extend_low_u8x16, i16x8_narrow_i32x4, i16x8_q15mulr_sat,
    i16x8_splat, i32x4_add, i32x4_dot_i16x8, i32x4_extadd_pairwise_i16x8, i32x4_extend_low_u16x8, i32x4_neg, i32x4_shl,
    i32x4_shuffle, i32x4_splat, i32x4_sub, i64x2_shuffle, u8x16_narrow_i16x8, u32x4_splat, v128, v128_and, v128_load,
    v128_load64_splat, v128_load64_zero, v128_store,
};

use super::Loops;
use super::activations::{Group, MAGIC, Rounded};
use super::packed::{Block, GROUP, PANEL, QUADS};

/// 128-bit vectors.
#[derive(Debug)]
pub(super) struct Simd128;

impl Loops for Simd128 {
    fn name(&self) -> &'static str {
        "simd128"
    }

    fn round(&self, inputs: &[f32; GROUP]) -> Rounded {
        round(inputs)
    }

    fn round_tile(&self, inputs: &[[f32; GROUP]; 4], to: &mut Group<4>) {
        round_tile(inputs, to);
    }

    fn row(&self, panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
        row(panels, x, y);
    }

    fn tile(&self, blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
        tile(blocks, x, y);
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

/// Reads 16 bytes.
#[inline]
#[expect(unsafe_code, reason = "reads a vector")]
pub(super) fn load<T: Copy, const N: usize>(from: &[T; N]) -> v128 {
    const { assert!(size_of::<[T; N]>() == 16, "a vector") }
    // SAFETY: 16 initialised bytes without padding (all callers read numbers), and no alignment is asked for.
    unsafe { v128_load(from.as_ptr().cast()) }
}

/// Writes 16 bytes.
#[inline]
#[expect(unsafe_code, reason = "writes a vector")]
pub(super) fn store<T: Copy, const N: usize>(to: &mut [T; N], value: v128) {
    const { assert!(size_of::<[T; N]>() == 16, "a vector") }
    // SAFETY: 16 bytes (all callers have numbers there), and no alignment is asked for.
    unsafe { v128_store(to.as_mut_ptr().cast(), value) }
}

/// Reads four 16-bit numbers.
#[inline]
#[expect(unsafe_code, reason = "reads half a vector")]
fn load_half<T: Copy>(from: &[T; 4]) -> v128 {
    const { assert!(size_of::<T>() == 2, "half a vector") }
    // SAFETY: 8 bytes, and no alignment is asked for.
    unsafe { v128_load64_zero(from.as_ptr().cast()) }
}

/// Each lane in all lanes: cheaper than four loads, whose addresses V8 computes one by one.
#[inline]
pub(super) fn splats(lanes: v128) -> [v128; 4] {
    [
        i32x4_shuffle::<0, 0, 0, 0>(lanes, lanes),
        i32x4_shuffle::<1, 1, 1, 1>(lanes, lanes),
        i32x4_shuffle::<2, 2, 2, 2>(lanes, lanes),
        i32x4_shuffle::<3, 3, 3, 3>(lanes, lanes),
    ]
}

/// The scales of a quad's outputs.
#[inline]
pub(super) fn scales(block: &Block, quad: usize) -> v128 {
    i32x4_shl(
        i32x4_extend_low_u16x8(load_half(&block.scales.as_chunks::<4>().0[quad])),
        16,
    )
}

/// What a quad's dot products start with: the zero point's part.
#[inline]
pub(super) fn start(block: &Block, quad: usize, offset: i32) -> v128 {
    // In each lane the sum beside a zero, times the offset beside whatever: one instruction, where `i32x4_mul` is two.
    let sums = i32x4_extend_low_u16x8(load_half(&block.sums.as_chunks::<4>().0[quad]));
    i32x4_dot_i16x8(sums, i32x4_splat(offset))
}

/// Adds a quad's dot products to its outputs.
#[inline]
pub(super) fn accumulate(y: &mut [f32; PANEL], quad: usize, dots: v128, scale: v128) {
    let y = &mut y.as_chunks_mut::<4>().0[quad];
    store(y, f32x4_add(load(y), f32x4_mul(f32x4_convert_i32x4(dots), scale)));
}

/// Two vectors of 16-bit weights: of outputs 0 and 1, of outputs 2 and 3.
#[inline]
fn widen(weights: &[i8; 16]) -> (v128, v128) {
    let weights = load(weights);
    (i16x8_extend_low_i8x16(weights), i16x8_extend_high_i8x16(weights))
}

/// Four inputs, twice.
#[inline]
fn inputs(values: u32) -> v128 {
    i16x8_extend_low_u8x16(u32x4_splat(values))
}

/// `[0 0 1 1]`, `[2 2 3 3]` → `[0 1 2 3]`, each output's two parts added.
#[inline]
fn join(low: v128, high: v128) -> v128 {
    let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
    let odd = i32x4_shuffle::<1, 3, 5, 7>(low, high);
    i32x4_add(even, odd)
}

#[inline(never)]
pub(super) fn round(inputs: &[f32; GROUP]) -> Rounded {
    let quads = inputs.as_chunks::<4>().0;
    let (mut least, mut most, mut probe) = (f32x4_splat(0.0), f32x4_splat(0.0), f32x4_splat(0.0));
    for inputs in quads {
        let inputs = load(inputs);
        least = f32x4_pmin(least, inputs);
        most = f32x4_pmax(most, inputs);
        // A sum of zeros, unless an input is not finite: such an input has to reach the result.
        probe = f32x4_add(probe, f32x4_mul(inputs, f32x4_splat(0.0)));
    }
    let (least, most, probe) = (
        across(least, |a, b| f32x4_pmin(a, b)),
        across(most, |a, b| f32x4_pmax(a, b)),
        across(probe, |a, b| f32x4_add(a, b)),
    );
    Rounded::new(least, most, probe, |inverse, zero| {
        let (inverse, zero) = (f32x4_splat(inverse), f32x4_splat(zero));
        let value = |inputs: &[f32; 4]| {
            let value = f32x4_add(f32x4_mul(load(inputs), inverse), zero);
            let value = f32x4_pmin(f32x4_splat(127.0), f32x4_pmax(f32x4_splat(0.0), value));
            v128_and(f32x4_add(value, f32x4_splat(MAGIC)), i32x4_splat(127))
        };
        let mut bytes = [0; GROUP];
        for (quads, bytes) in quads.as_chunks::<4>().0.iter().zip(bytes.as_chunks_mut::<16>().0) {
            let [a, b, c, d] = [value(&quads[0]), value(&quads[1]), value(&quads[2]), value(&quads[3])];
            let (low, high) = (i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
            store(bytes, u8x16_narrow_i16x8(low, high));
        }
        bytes
    })
}

/// A token in each lane, so that nothing goes across lanes.
#[inline(never)]
pub(super) fn round_tile(inputs: &[[f32; GROUP]; 4], to: &mut Group<4>) {
    let nothing = f32x4_splat(0.0);
    let (mut least, mut most, mut probe) = ([nothing; 4], [nothing; 4], [nothing; 4]);
    for (token, inputs) in inputs.iter().enumerate() {
        for inputs in inputs.as_chunks::<4>().0 {
            let inputs = load(inputs);
            least[token] = f32x4_pmin(least[token], inputs);
            most[token] = f32x4_pmax(most[token], inputs);
            // A sum of zeros, unless an input is not finite: such an input has to reach the result.
            probe[token] = f32x4_add(probe[token], f32x4_mul(inputs, nothing));
        }
    }
    let least = of_all(least, |a, b| f32x4_pmin(a, b));
    let most = of_all(most, |a, b| f32x4_pmax(a, b));
    let probe = of_all(probe, |a, b| f32x4_add(a, b));
    let (magic, largest) = (f32x4_splat(MAGIC), f32x4_splat(127.0));
    let scale = f32x4_div(f32x4_sub(most, least), largest);
    let is_some = f32x4_gt(scale, f32x4_splat(1e-36));
    let inverse = v128_and(f32x4_div(f32x4_splat(1.0), scale), is_some);
    let zero = f32x4_sub(f32x4_sub(magic, f32x4_mul(least, inverse)), magic);
    let is_finite = f32x4_gt(inverse, nothing);
    store(&mut to.scales, f32x4_add(v128_and(scale, is_finite), probe));
    let zero_bits = v128_and(f32x4_add(zero, magic), i32x4_splat(127));
    store(&mut to.offsets, i32x4_neg(zero_bits));
    for (step, values) in to.values.iter_mut().enumerate() {
        let inputs = [0, 1, 2, 3].map(|token| load(&inputs[token].as_chunks::<4>().0[step]));
        let [a, b, c, d] = transposed(inputs).map(|inputs| {
            let value = f32x4_add(f32x4_mul(inputs, inverse), zero);
            f32x4_add(f32x4_pmin(largest, f32x4_pmax(nothing, value)), magic)
        });
        // The magic number's own bits are added up with the others, and taken off at the end.
        let cd = i32x4_add(i32x4_shl(d, 8), c);
        let bcd = i32x4_add(i32x4_shl(cd, 8), b);
        let all = i32x4_add(i32x4_shl(bcd, 8), a);
        store(values, i32x4_sub(all, i32x4_splat(MAGICS)));
    }
}

/// [`MAGIC`]'s bits, shifted by no byte, one, two and three, and added up.
const MAGICS: i32 = (MAGIC.to_bits()).wrapping_mul(0x0101_0101) as i32;

/// What `of` makes of all four vectors' lanes, each vector's in a lane.
#[inline]
fn of_all(vectors: [v128; 4], of: impl Fn(v128, v128) -> v128) -> v128 {
    let [a, b, c, d] = transposed(vectors);
    of(of(a, c), of(b, d))
}

/// Rows of four → columns.
#[inline]
fn transposed([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
    let (ab_late, cd_late) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
    [
        i64x2_shuffle::<0, 2>(ab, cd),
        i64x2_shuffle::<1, 3>(ab, cd),
        i64x2_shuffle::<0, 2>(ab_late, cd_late),
        i64x2_shuffle::<1, 3>(ab_late, cd_late),
    ]
}

#[inline(never)]
fn row(panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
    let [first, second] = panels;
    let [y_first, y_second] = y;
    for ((first, second), x) in first.iter().zip(second).zip(x) {
        row_block(first, x, y_first);
        row_block(second, x, y_second);
    }
}

/// What `of` makes of all four lanes. In vectors: `f32::max` is a call in WebAssembly.
#[inline]
fn across(lanes: v128, of: impl Fn(v128, v128) -> v128) -> f32 {
    let two = of(lanes, i32x4_shuffle::<2, 3, 0, 1>(lanes, lanes));
    f32x4_extract_lane::<0>(of(two, i32x4_shuffle::<1, 0, 3, 2>(two, two)))
}

/// Four outputs need two sums, so that those of two panels would not find registers.
#[inline]
fn row_block(block: &Block, x: &Group<1>, y: &mut [f32; PANEL]) {
    let mut low = [i32x4_splat(0); QUADS];
    let mut high = [i32x4_splat(0); QUADS];
    for (quads, x) in block.weights.iter().zip(&x.values) {
        let x = inputs(x[0]);
        for quad in 0..QUADS {
            let (first, second) = widen(&quads[quad]);
            low[quad] = i32x4_add(low[quad], i32x4_dot_i16x8(first, x));
            high[quad] = i32x4_add(high[quad], i32x4_dot_i16x8(second, x));
        }
    }
    let scale = f32x4_splat(x.scales[0]);
    for quad in 0..QUADS {
        let dots = i32x4_add(join(low[quad], high[quad]), start(block, quad, x.offsets[0]));
        accumulate(y, quad, dots, f32x4_mul(scales(block, quad), scale));
    }
}

#[inline(never)]
fn tile(blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
    for (block, x) in blocks.iter().zip(x) {
        for quad in 0..QUADS {
            tile_quad(block, quad, x, y);
        }
    }
}

#[inline]
fn tile_quad(block: &Block, quad: usize, x: &Group<4>, y: &mut [[f32; PANEL]; 4]) {
    let mut low = [i32x4_splat(0); 4];
    let mut high = [i32x4_splat(0); 4];
    for (quads, x) in block.weights.iter().zip(&x.values) {
        let (first, second) = widen(&quads[quad]);
        for (token, x) in x.iter().enumerate() {
            let x = inputs(*x);
            low[token] = i32x4_add(low[token], i32x4_dot_i16x8(first, x));
            high[token] = i32x4_add(high[token], i32x4_dot_i16x8(second, x));
        }
    }
    let scales = scales(block, quad);
    for token in 0..4 {
        let dots = i32x4_add(join(low[token], high[token]), start(block, quad, x.offsets[token]));
        let scales = f32x4_mul(scales, f32x4_splat(x.scales[token]));
        accumulate(&mut y[token], quad, dots, scales);
    }
}

#[inline(never)]
#[expect(unsafe_code, reason = "reads a vector")]
pub(super) fn transpose(block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block) {
    let (Some(from), Some(to)) = (
        block.weights.as_chunks::<QUADS>().0.get(panel),
        to.weights.as_chunks_mut::<QUADS>().0.get_mut(quarter),
    ) else {
        return;
    };
    for quad in 0..QUADS {
        // SAFETY: 8 bytes, and no alignment is asked for.
        let ratios = unsafe { v128_load64_splat(ratios.as_chunks::<4>().0[quad].as_ptr().cast()) };
        for step in 0..QUADS {
            let weights = load(&from[step][quad]);
            let columns = i8x16_shuffle::<0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15>(weights, weights);
            let first = i16x8_q15mulr_sat(i16x8_extend_low_i8x16(columns), ratios);
            let second = i16x8_q15mulr_sat(i16x8_extend_high_i8x16(columns), ratios);
            store(&mut to[quad][step], i8x16_narrow_i16x8(first, second));
        }
    }
}

#[inline(never)]
pub(super) fn sum(block: &mut Block) {
    let mut pairs = [i16x8_splat(0); QUADS];
    for quads in &block.weights {
        for (quad, pairs) in quads.iter().zip(&mut pairs) {
            *pairs = i16x8_add(*pairs, i16x8_extadd_pairwise_i8x16(load(quad)));
        }
    }
    let [a, b, c, d] = pairs.map(|pairs| i32x4_extadd_pairwise_i16x8(pairs));
    let sums = [i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)];
    for (to, sums) in block.sums.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        store(to, sums);
    }
}

/// Eight sums: with twelve, V8 runs out of registers.
#[inline(never)]
pub(super) fn product(a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]) {
    let mut sums = [[f32x4_splat(0.0); 2]; 4];
    for (a, b) in a.iter().zip(b) {
        let [first, second] = b.as_chunks::<4>().0 else {
            return;
        };
        let (first, second) = (load(first), load(second));
        for (a, sums) in splats(load(a)).into_iter().zip(&mut sums) {
            sums[0] = f32x4_add(sums[0], f32x4_mul(a, first));
            sums[1] = f32x4_add(sums[1], f32x4_mul(a, second));
        }
    }
    for (y, sums) in y.iter_mut().zip(sums) {
        for (y, sum) in y.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            store(y, sum);
        }
    }
}
