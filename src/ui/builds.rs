//! Which build of the worker this browser can run.

use js_sys::{Uint8Array, WebAssembly};

use crate::settings::Build;

/// A module with one function, `() -> v128`, that uses `i8x16.relaxed_swizzle`: valid where there is relaxed SIMD
/// (<https://github.com/GoogleChromeLabs/wasm-feature-detect>).
const RELAXED_SIMD: [u8; 36] = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
    253, 128, 2, 11,
];

/// The person's wish, or the fastest that runs here.
pub fn choose(wish: Option<Build>) -> Build {
    wish.unwrap_or_else(|| {
        let is_valid = WebAssembly::validate(&Uint8Array::from(&RELAXED_SIMD[..])).unwrap_or(false);
        if is_valid { Build::Fast } else { Build::Baseline }
    })
}
