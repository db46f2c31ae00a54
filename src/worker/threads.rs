//! Helpers for the engine: more workers on the same memory, where the page is cross-origin isolated and this build can share
//! memory.

use js_sys::{Array, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Worker, WorkerOptions};

use super::host;
use crate::engine::kernels::pool;

/// What helpers are called; `worker_loader.js` knows it too.
const NAME: &str = "fledge-helper";
/// More would wait for memory.
const MOST: u32 = 4;

/// Whether this worker is a helper.
#[must_use]
pub fn is_helper() -> bool {
    host::scope().name() == NAME
}

/// Computes what the engine's worker has to share, until that ends.
#[wasm_bindgen]
pub fn help() {
    pool::help()
}

/// As many threads as are of use here: one for each core.
#[must_use]
pub fn useful() -> u32 {
    (host::scope().navigator().hardware_concurrency() as u32).clamp(1, MOST)
}

/// Starts so many threads less the caller's, if threads can be had. They join when they are there.
pub fn start(threads: u32) {
    if !cfg!(target_feature = "atomics") || !is_isolated() {
        return;
    }
    for _ in 1..threads {
        if let Err(error) = start_helper() {
            web_sys::console::warn_2(&"no helper:".into(), &error);
        }
    }
}

fn start_helper() -> Result<(), JsValue> {
    let options = WorkerOptions::new();
    options.set_name(NAME);
    let helper = Worker::new_with_options(&host::scope().location().href(), &options)?;
    helper.post_message(&Array::of2(&wasm_bindgen::module(), &wasm_bindgen::memory()))?;
    // It lives as long as this worker.
    std::mem::forget(helper);
    Ok(())
}

/// Only a page that is isolated from others may share memory among its workers.
fn is_isolated() -> bool {
    Reflect::get(&host::scope(), &"crossOriginIsolated".into()).is_ok_and(|isolated| isolated.is_truthy())
}
