//! Which build of the worker this browser can run.

use js_sys::{Function, Reflect, Uint8Array, WebAssembly};
use leptos::prelude::window;
use wasm_bindgen::prelude::*;

use crate::settings::Build;

/// A module with one function, `() -> v128`, that uses `i8x16.relaxed_swizzle`: valid where there is relaxed SIMD
/// (<https://github.com/GoogleChromeLabs/wasm-feature-detect>).
const RELAXED_SIMD: [u8; 36] = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
    253, 128, 2, 11,
];

/// The worker's address where the whole page is one file (`xtask/src/bundle`): it lies in that.
pub fn in_one_file() -> Option<String> {
    let worker: Function = Reflect::get(&window(), &"fledgeWorker".into()).ok()?.dyn_into().ok()?;
    worker.call0(&JsValue::NULL).ok()?.as_string()
}

/// Whether the whole page is one file.
pub fn is_one_file() -> bool {
    Reflect::has(&window(), &"fledgeWorker".into()).unwrap_or(false)
}

/// The person's wish, or the fastest that runs here.
pub fn choose(wish: Option<Build>) -> Build {
    // A file of its own has no threads, and holds one build.
    if is_one_file() {
        return Build::Baseline;
    }
    wish.unwrap_or_else(|| {
        let is_valid = WebAssembly::validate(&Uint8Array::from(&RELAXED_SIMD[..])).unwrap_or(false);
        if is_valid { Build::Fast } else { Build::Baseline }
    })
}
