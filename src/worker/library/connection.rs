//! One connection at a time: a plain GET or a single range, read piece by piece, noticed when it falls silent, ended by Stop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response};

use super::race::{Either, race};
use crate::worker::host;
use crate::worker::repository::content_range;

/// A connection that says nothing for so many milliseconds has broken off.
const SILENCE: i32 = 15_000;

/// Ends a download, or the connection that it has now, from outside.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Rc<Cell<bool>>,
    abort: Rc<RefCell<Option<AbortController>>>,
}

impl Stop {
    /// Ends it.
    pub fn ask(&self) {
        self.asked.set(true);
        if let Some(abort) = &*self.abort.borrow() {
            abort.abort();
        }
    }

    /// Whether that was asked.
    pub fn is_asked(&self) -> bool {
        self.asked.get()
    }
}

/// The connection failed, broke off or fell silent.
pub struct Broken;

/// An answer whose body is read piece by piece. Dropping it ends the connection.
pub struct Answer {
    /// Status and headers.
    pub response: Response,
    reader: Option<ReadableStreamDefaultReader>,
    abort: AbortController,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Answer {
    /// The next bytes; nothing at the end.
    pub async fn next(&self, stop: &Stop) -> Result<Option<Vec<u8>>, Broken> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let Either::First(Ok(piece)) = race(JsFuture::from(reader.read()), host::sleep(SILENCE)).await else {
            return Err(Broken);
        };
        if stop.asked.get() {
            return Err(Broken);
        }
        let value = Reflect::get(&piece, &"value".into()).map_err(|_error| Broken)?;
        Ok(value.dyn_into::<Uint8Array>().ok().map(|piece| {
            let bytes = piece.to_vec();
            host::free(&piece);
            bytes
        }))
    }

    /// All of it, up to a limit.
    pub async fn read(&self, most: u64, stop: &Stop) -> Result<Vec<u8>, Broken> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next(stop).await? {
            all.extend(bytes);
            if all.len() as u64 > most {
                return Err(Broken);
            }
        }
        Ok(all)
    }
}

/// Asks for an address, or a range of it.
pub async fn get(address: &str, range: Option<(u64, u64)>, stop: &Stop) -> Result<Answer, Broken> {
    let broken = |_error: JsValue| Broken;
    let abort = AbortController::new().map_err(broken)?;
    *stop.abort.borrow_mut() = Some(abort.clone());
    let init = RequestInit::new();
    init.set_signal(Some(&abort.signal()));
    let headers = web_sys::Headers::new().map_err(broken)?;
    if let Some((first, last)) = range {
        headers.set("range", &format!("bytes={first}-{last}")).map_err(broken)?;
    }
    init.set_headers(&headers);
    let response = JsFuture::from(host::scope().fetch_with_str_and_init(address, &init));
    let Either::First(Ok(response)) = race(response, host::sleep(SILENCE)).await else {
        abort.abort();
        return Err(Broken);
    };
    let response: Response = response.unchecked_into();
    let reader = response.body().map(|body| body.get_reader().unchecked_into());
    Ok(Answer {
        response,
        reader,
        abort,
    })
}

/// Where an answer's bytes begin in the file, and how long the file is, if the server says so.
pub fn extent(response: &Response) -> (u64, Option<u64>) {
    let range = header(response, "content-range").and_then(|range| content_range(&range));
    if let Some((first, total)) = range {
        return (first, Some(total));
    }
    let is_plain = header(response, "content-encoding").is_none();
    let length = header(response, "content-length").filter(|_| is_plain);
    (0, length.and_then(|length| length.parse().ok()))
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}
