//! What the worker asks of the browser around it: clock, event loop, locks, and a way out.

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessagePort};

/// The global scope.
pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the worker started, for durations.
pub fn now() -> f64 {
    scope()
        .performance()
        .map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// Lets a panic, or any other trap, end the worker instead of leaving it lame: its lock falls, so the page learns of it
/// and starts another one. The database holds the last durable state.
pub fn die_of_errors() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        scope().close();
    }));
    let scope = scope();
    let close = get(&scope, "close").and_then(|close| close.dyn_into::<Function>().ok());
    if let Some(close) = close.map(|close| close.bind0(&scope)) {
        for event in ["error", "unhandledrejection"] {
            if scope.add_event_listener_with_callback(event, &close).is_err() {
                web_sys::console::warn_1(&format!("no listener for {event}").into());
            }
        }
    }
}

/// Gives the event loop a turn, so that messages arrive while something long is going on.
pub struct Turn(Option<MessageChannel>);

impl Turn {
    /// Prepares for [`Turn::pass`].
    pub fn new() -> Self {
        Self(MessageChannel::new().ok())
    }

    /// Resolves as a macrotask of its own: microtasks would keep messages waiting, timers are clamped to 4 ms.
    pub async fn pass(&self) {
        let Some(channel) = &self.0 else { return sleep(0).await };
        let turn = Promise::new(&mut |resolve, _| {
            channel.port1().set_onmessage(Some(&resolve));
            if channel.port2().post_message(&JsValue::NULL).is_err() {
                drop(resolve.call0(&JsValue::NULL));
            }
        });
        drop(JsFuture::from(turn).await);
    }
}

/// Waits.
pub async fn sleep(millis: i32) {
    let timer = Promise::new(&mut |resolve, _| {
        if scope()
            .set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis)
            .is_err()
        {
            drop(resolve.call0(&JsValue::NULL));
        }
    });
    drop(JsFuture::from(timer).await);
}

/// How the attempt to take a lock went.
pub enum Lock {
    /// It is this worker's until the guard is dropped, or the worker dies.
    Held(Guard),
    /// Another one holds it.
    Taken,
    /// This browser, or this kind of page, has no locks.
    Missing,
}

/// A Web Lock that is held.
pub struct Guard(Function);

impl Guard {
    /// Holds the lock until the worker dies.
    pub fn keep_for_ever(self) {
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.call0(&JsValue::NULL));
    }
}

/// Takes an exclusive Web Lock. With `wait`, it waits until the lock is free.
pub async fn lock(name: &str, wait: bool) -> Lock {
    let Some(manager) = get(&scope().navigator(), "locks").filter(JsValue::is_object) else {
        return Lock::Missing;
    };
    let Some(request) = get(&manager, "request").and_then(|f| f.dyn_into::<Function>().ok()) else {
        return Lock::Missing;
    };
    let options = Object::new();
    set(&options, "ifAvailable", &(!wait).into());
    // Resolves with the function that releases the lock, with `false` if another one has it, with nothing if it is denied.
    let answer = Promise::new(&mut |resolve, _| {
        let granted = resolve.clone();
        // The lock is held for as long as the promise that this returns is pending.
        let callback = Closure::once_into_js(move |lock: JsValue| {
            if !lock.is_object() {
                drop(granted.call1(&JsValue::NULL, &false.into()));
                return JsValue::UNDEFINED;
            }
            let held = Promise::new(&mut |release, _| drop(granted.call1(&JsValue::NULL, &release)));
            held.into()
        });
        match request.call3(&manager, &name.into(), &options, &callback) {
            // Where locks are denied the request is rejected, and no callback is called.
            Ok(held) => drop(held.unchecked_into::<Promise>().catch(denied(&resolve))),
            Err(_) => drop(resolve.call0(&JsValue::NULL)),
        }
    });
    match JsFuture::from(answer).await {
        Ok(release) if release.is_function() => Lock::Held(Guard(release.unchecked_into())),
        Ok(taken) if taken.is_falsy() && !taken.is_undefined() => Lock::Taken,
        Ok(_) | Err(_) => Lock::Missing,
    }
}

/// Resolves with nothing; lives until the worker dies, as the lock does.
fn denied(resolve: &Function) -> &'static Closure<dyn FnMut(JsValue)> {
    let resolve = resolve.clone();
    let closure: Closure<dyn FnMut(JsValue)> = Closure::new(move |_| drop(resolve.call0(&JsValue::NULL)));
    Box::leak(Box::new(closure))
}

/// A property, if there is one.
fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &name.into())
        .ok()
        .filter(|value| !value.is_undefined())
}

/// Gives back at once the memory of bytes that nobody will look at again, by sending it to where nobody listens. Left to the
/// collector, the pieces of a model's file make up hundreds of megabytes before it comes round.
pub fn free(bytes: &Uint8Array) {
    thread_local! {
        static NOWHERE: Option<MessagePort> = MessageChannel::new().ok().map(|channel| {
            channel.port2().close();
            channel.port1()
        });
    }
    NOWHERE.with(|nowhere| {
        if let Some(nowhere) = nowhere {
            let buffer = bytes.buffer();
            let _kept = nowhere.post_message_with_transferable(&JsValue::NULL, &Array::of1(&buffer));
        }
    });
}

/// Sets a property of a plain object, which can't fail.
pub fn set(object: &Object, name: &str, value: &JsValue) {
    drop(Reflect::set(object, &name.into(), value));
}
