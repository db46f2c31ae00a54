//! Four numbers of f32 at a time, for attention, in so many words where it is WebAssembly: LLVM would make vectors of every fourth
//! number of four rows, put together one by one, which takes twice as long.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use core::arch::wasm32::{f32x4_add, f32x4_mul, f32x4_splat, u32x4_shl, v128};

use super::halves::Halves;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd128::{load, store};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Vector = v128;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
type Vector = [f32; 4];

/// Four numbers.
#[derive(Clone, Copy)]
pub(super) struct Four(Vector);

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
impl Four {
    #[inline]
    pub(super) fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline]
    pub(super) fn load(from: &[f32; 4]) -> Self {
        Self(load(from))
    }

    #[inline]
    pub(super) fn store(self, to: &mut [f32; 4]) {
        store(to, self.0);
    }

    /// The numbers in the lower bits.
    #[inline]
    pub(super) fn lower(words: &[Halves; 4]) -> Self {
        Self(u32x4_shl(load(words), 16))
    }

    /// The numbers in the upper bits, and below.
    #[inline]
    pub(super) fn upper(words: &[Halves; 4]) -> Self {
        Self(load(words))
    }

    #[inline]
    pub(super) fn plus(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline]
    pub(super) fn times(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Four {
    #[inline]
    pub(super) const fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline]
    pub(super) const fn load(from: &[f32; 4]) -> Self {
        Self(*from)
    }

    #[inline]
    pub(super) const fn store(self, to: &mut [f32; 4]) {
        *to = self.0;
    }

    #[inline]
    pub(super) fn lower(words: &[Halves; 4]) -> Self {
        Self(words.map(|Halves(word)| f32::from_bits(word << 16)))
    }

    #[inline]
    pub(super) fn upper(words: &[Halves; 4]) -> Self {
        Self(words.map(|Halves(word)| f32::from_bits(word & 0xffff_0000)))
    }

    #[inline]
    pub(super) fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline]
    pub(super) fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }
}
