//! Inner loops for AVX2, which is found at run time.
//!
//! A vector of 32 bytes holds two quads of outputs. Byte products are added in pairs of 16 bits, which cannot overflow
//! as the activations are below 128.

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm_packs_epi16, _mm_setr_epi8, _mm_shuffle_epi8,
    _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_broadcastq_epi64, _mm256_castsi256_ps,
    _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_cvtepi16_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32,
    _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_mul_ps, _mm256_mulhrs_epi16, _mm256_mullo_epi32, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_storeu_ps,
};

use super::Loops;
use super::activations::{Group, Rounded};
use super::packed::{Block, GROUP, PANEL, QUADS};
use super::plain::Plain;

/// 256-bit vectors with fused multiplication, for machines that have `avx2` and `fma`.
#[derive(Debug)]
pub(super) struct Avx2;

#[expect(unsafe_code, reason = "calls what needs AVX2 and FMA")]
impl Loops for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn round(&self, inputs: &[f32; GROUP]) -> Rounded {
        // SAFETY: `available` hands this out only where both features are there.
        unsafe { round(inputs) }
    }

    fn row(&self, panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
        for (blocks, y) in panels.into_iter().zip(y) {
            // SAFETY: as above.
            unsafe { tile(blocks, x, std::array::from_mut(y)) }
        }
    }

    fn tile(&self, blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
        // SAFETY: as above.
        unsafe { tile(blocks, x, y) }
    }

    fn transpose(&self, block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block) {
        // SAFETY: as above.
        unsafe { transpose(block, ratios, panel, quarter, to) }
    }

    fn sum(&self, block: &mut Block) {
        // SAFETY: as above.
        unsafe { sum(block) }
    }

    fn product(&self, a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]) {
        // SAFETY: as above.
        unsafe { product(a, b, y) }
    }
}

#[target_feature(enable = "avx2,fma")]
fn round(inputs: &[f32; GROUP]) -> Rounded {
    Rounded::plain(inputs)
}

#[target_feature(enable = "avx2,fma")]
fn sum(block: &mut Block) {
    Plain.sum(block);
}

/// Reads 32 bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "reads a vector")]
fn load<T: Copy, const N: usize>(from: &[T; N]) -> __m256i {
    const { assert!(size_of::<[T; N]>() == 32, "a vector") }
    // SAFETY: 32 initialised bytes without padding (all callers read numbers), and no alignment is asked for.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// Reads 16 bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "reads half a vector")]
fn load_half<T: Copy, const N: usize>(from: &[T; N]) -> __m128i {
    const { assert!(size_of::<[T; N]>() == 16, "half a vector") }
    // SAFETY: 16 initialised bytes without padding (all callers read numbers), and no alignment is asked for.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

/// Writes eight numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "writes a vector")]
fn store(to: &mut [f32; 8], value: __m256) {
    // SAFETY: 32 bytes, and no alignment is asked for.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), value) }
}

#[target_feature(enable = "avx2,fma")]
fn tile<const W: usize>(blocks: &[Block], x: &[Group<W>], y: &mut [[f32; PANEL]; W]) {
    let ones = _mm256_set1_epi16(1);
    for (block, x) in blocks.iter().zip(x) {
        let mut dots = [[_mm256_setzero_si256(); 2]; W];
        for (quads, x) in block.weights.iter().zip(&x.values) {
            let [low, high] = quads.as_chunks::<2>().0 else {
                return;
            };
            let (low, high) = (load(low), load(high));
            for (x, dots) in x.iter().zip(&mut dots) {
                let x = _mm256_set1_epi32(x.cast_signed());
                dots[0] = _mm256_add_epi32(dots[0], _mm256_madd_epi16(_mm256_maddubs_epi16(x, low), ones));
                dots[1] = _mm256_add_epi32(dots[1], _mm256_madd_epi16(_mm256_maddubs_epi16(x, high), ones));
            }
        }
        for half in 0..2 {
            let sums = _mm256_cvtepi16_epi32(load_half(&block.sums.as_chunks::<8>().0[half]));
            let scales = _mm256_cvtepu16_epi32(load_half(&block.scales.as_chunks::<8>().0[half]));
            let scales = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(scales));
            for token in 0..W {
                let start = _mm256_mullo_epi32(sums, _mm256_set1_epi32(x.offsets[token]));
                let dots = _mm256_cvtepi32_ps(_mm256_add_epi32(dots[token][half], start));
                let scales = _mm256_mul_ps(scales, _mm256_set1_ps(x.scales[token]));
                let y = &mut y[token].as_chunks_mut::<8>().0[half];
                store(y, _mm256_fmadd_ps(dots, scales, _mm256_castsi256_ps(load(y))));
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "reads and writes vectors")]
fn transpose(block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block) {
    let columns = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for quad in 0..QUADS {
        let ratios = ratios.as_chunks::<4>().0[quad];
        // SAFETY: 8 bytes, and no alignment is asked for.
        let ratios = _mm256_broadcastq_epi64(unsafe { _mm_loadl_epi64(ratios.as_ptr().cast()) });
        for step in 0..QUADS {
            let weights = _mm_shuffle_epi8(load_half(&block.weights[QUADS * panel + step][quad]), columns);
            let weights = _mm256_mulhrs_epi16(_mm256_cvtepi8_epi16(weights), ratios);
            let weights = _mm_packs_epi16(_mm256_castsi256_si128(weights), _mm256_extracti128_si256::<1>(weights));
            let to = &mut to.weights[QUADS * quarter + quad][step];
            // SAFETY: 16 bytes, and no alignment is asked for.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), weights) }
        }
    }
}

/// Even and odd rows apart: eight sums, as many as it takes to hide how long a fused multiplication lasts.
#[target_feature(enable = "avx2,fma")]
fn product(a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    let ((a, last_a), (b, last_b)) = (a.as_chunks::<2>(), b.as_chunks::<2>());
    for (a, b) in a.iter().zip(b) {
        for half in 0..2 {
            let b = _mm256_castsi256_ps(load(&b[half]));
            for (a, sums) in a[half].iter().zip(&mut sums) {
                sums[half] = _mm256_fmadd_ps(_mm256_set1_ps(*a), b, sums[half]);
            }
        }
    }
    for (a, b) in last_a.iter().zip(last_b) {
        let b = _mm256_castsi256_ps(load(b));
        for (a, sums) in a.iter().zip(&mut sums) {
            sums[0] = _mm256_fmadd_ps(_mm256_set1_ps(*a), b, sums[0]);
        }
    }
    for (y, sums) in y.iter_mut().zip(sums) {
        store(y, _mm256_add_ps(sums[0], sums[1]));
    }
}
