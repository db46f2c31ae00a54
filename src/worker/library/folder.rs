//! A Hugging Face folder behind a URL, fetched whole: for the model that comes with the page.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit, Response};

use crate::engine::ModelFiles;
use crate::engine::weights::WeightFile;
use crate::worker::host;

/// Why a model's files could not be fetched.
#[derive(Debug, Error)]
pub enum Error {
    /// The server can't be reached.
    #[error("{file} can't be fetched from {folder}: the connection failed")]
    Unreachable {
        /// The file.
        file: &'static str,
        /// Where it should lie.
        folder: String,
    },
    /// The server has no such file, or won't give it.
    #[error("there is no {file} in {folder} (the server answers {status})")]
    Missing {
        /// The file.
        file: &'static str,
        /// Where it should lie.
        folder: String,
        /// HTTP's status.
        status: u16,
    },
    /// The server answers every address with a page.
    #[error("there is no {file} in {folder} (the server answers with a web page)")]
    WebPage {
        /// The file.
        file: &'static str,
        /// Where it should lie.
        folder: String,
    },
    /// The connection broke off.
    #[error("{file} did not arrive whole: {received} bytes came")]
    BrokenOff {
        /// The file.
        file: &'static str,
        /// What had arrived.
        received: u64,
    },
    /// More than a tab's memory holds.
    #[error("{file} is too large for this tab's memory")]
    TooLarge {
        /// The file.
        file: &'static str,
    },
}

/// How often progress is told, in milliseconds.
const INTERVAL: f64 = 100.0;

/// Fetches a model's files. `progress` hears of bytes that have arrived, and of how many there are, if that is known.
pub async fn fetch(folder: &str, progress: impl FnMut(u64, Option<u64>)) -> Result<ModelFiles, super::Error> {
    let abort = AbortOnDrop(AbortController::new().ok());
    // All requests are on their way before the first answer is awaited.
    let start = |file| Download::start(folder, file, &abort);
    let [config, tokenizer] = ["config.json", "tokenizer.json"].map(start);
    let [card, weights] = ["fledge.json", "model.safetensors"].map(start);

    let mut meter = Meter {
        received: 0,
        total: None,
        told_at: f64::NEG_INFINITY,
        progress,
    };
    let config = config.json(&mut meter).await?;
    let tokenizer = tokenizer.json(&mut meter).await?;
    let card = card.json(&mut meter).await.ok().filter(|bytes| is_json(bytes));
    let weights = weights.weights(&mut meter).await?;
    meter.tell();
    Ok(ModelFiles {
        config,
        tokenizer,
        weights: vec![WeightFile::from_bytes("model.safetensors", weights)],
        card,
        name: None,
    })
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Ends what is still on its way when one file has failed; what has arrived is past aborting.
struct AbortOnDrop(Option<AbortController>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = &self.0 {
            controller.abort();
        }
    }
}

/// Counts what arrives.
struct Meter<P> {
    received: u64,
    total: Option<u64>,
    told_at: f64,
    progress: P,
}

impl<P: FnMut(u64, Option<u64>)> Meter<P> {
    fn add(&mut self, bytes: u64) {
        self.received += bytes;
        if host::now() - self.told_at >= INTERVAL {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told_at = host::now();
        // A total that is exceeded was none.
        self.total = self.total.filter(|total| self.received <= *total);
        (self.progress)(self.received, self.total);
    }
}

/// A file on its way.
struct Download<'a> {
    folder: &'a str,
    file: &'static str,
    response: JsFuture,
}

impl<'a> Download<'a> {
    fn start(folder: &'a str, file: &'static str, abort: &AbortOnDrop) -> Self {
        let address = format!("{folder}{file}");
        let response = early(&address).unwrap_or_else(|| {
            let init = RequestInit::new();
            init.set_signal(abort.0.as_ref().map(AbortController::signal).as_ref());
            host::scope().fetch_with_str_and_init(&address, &init)
        });
        Self {
            folder,
            file,
            response: JsFuture::from(response),
        }
    }

    async fn json<P: FnMut(u64, Option<u64>)>(self, meter: &mut Meter<P>) -> Result<Vec<u8>, Error> {
        let (file, folder) = (self.file, self.folder.to_owned());
        let response = self.answer().await?;
        let bytes = read(&response, file, meter).await?;
        if bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Error::WebPage { file, folder });
        }
        Ok(bytes)
    }

    /// The one file that counts for the total: the others are small, and known by the time that it is read.
    async fn weights<P: FnMut(u64, Option<u64>)>(self, meter: &mut Meter<P>) -> Result<Vec<u8>, Error> {
        let (file, folder) = (self.file, self.folder.to_owned());
        let response = self.answer().await?;
        if header(&response, "content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(Error::WebPage { file, folder });
        }
        meter.total = length(&response).map(|length| meter.received + length);
        let bytes = read(&response, file, meter).await?;
        match length(&response) {
            Some(length) if length != bytes.len() as u64 => Err(Error::BrokenOff {
                file,
                received: bytes.len() as u64,
            }),
            _ => Ok(bytes),
        }
    }

    async fn answer(self) -> Result<Response, Error> {
        let Self { folder, file, response } = self;
        let Ok(response) = response.await else {
            return Err(Error::Unreachable {
                file,
                folder: folder.to_owned(),
            });
        };
        let response: Response = response.unchecked_into();
        if response.ok() {
            Ok(response)
        } else {
            Err(Error::Missing {
                file,
                folder: folder.to_owned(),
                status: response.status(),
            })
        }
    }
}

/// The answer to a request that `worker_loader.js` made before this program ran; once.
fn early(address: &str) -> Option<Promise> {
    let take = Reflect::get(&host::scope(), &"takeEarly".into()).ok()?;
    let take: Function = take.dyn_into().ok()?;
    take.call1(&JsValue::NULL, &address.into()).ok()?.dyn_into().ok()
}

/// Reads a body to its end.
async fn read<P: FnMut(u64, Option<u64>)>(
    response: &Response,
    file: &'static str,
    meter: &mut Meter<P>,
) -> Result<Vec<u8>, Error> {
    let too_large = |_| Error::TooLarge { file };
    let expected = usize::try_from(length(response).unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(expected).map_err(too_large)?;
    let Some(body) = response.body() else { return Ok(bytes) };
    let broken = |received: usize| Error::BrokenOff {
        file,
        received: received as u64,
    };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let Ok(part) = JsFuture::from(reader.read()).await else {
            return Err(broken(bytes.len()));
        };
        let Ok(value) = Reflect::get(&part, &"value".into()) else {
            return Err(broken(bytes.len()));
        };
        let Ok(part) = value.dyn_into::<Uint8Array>() else {
            return Ok(bytes);
        };
        let start = bytes.len();
        bytes.try_reserve(part.length() as usize).map_err(too_large)?;
        bytes.resize(start + part.length() as usize, 0);
        part.copy_to(&mut bytes[start..]);
        meter.add(u64::from(part.length()));
    }
}

/// The body's length, unless it travels compressed: then the header counts something else.
fn length(response: &Response) -> Option<u64> {
    if header(response, "content-encoding").is_some() {
        return None;
    }
    header(response, "content-length")?.parse().ok()
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}
