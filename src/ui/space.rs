//! The browser's disk: how much it would still keep, and the promise not to clear it.

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// Bytes that the browser would still keep for this site, if it says so.
pub async fn free() -> Option<f64> {
    let estimate = JsFuture::from(call("estimate").ok()?).await.ok()?;
    let number = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64();
    Some(number("quota")? - number("usage")?)
}

/// Asks the browser not to clear this site's data when the disk runs full. Whether it promises that.
pub async fn persist() -> bool {
    match call("persist") {
        Ok(answer) => JsFuture::from(answer).await.is_ok_and(|answer| answer.is_truthy()),
        Err(_) => false,
    }
}

/// A method of `navigator.storage`, which is missing outside secure contexts.
fn call(method: &str) -> Result<Promise, JsValue> {
    let storage = Reflect::get(&window().navigator(), &"storage".into())?;
    let method: Function = Reflect::get(&storage, &method.into())?.dyn_into()?;
    method.call0(&storage)?.dyn_into()
}
