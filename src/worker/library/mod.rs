//! Where models come from: a [`folder`] on a server (the embedded one), files that the person picked, or the [`shelf`] of
//! this device, where picked ones are kept. Their weights are read piece by piece and never lie in memory as a whole file.

mod blob;
mod connection;
mod folder;
pub mod hub;
mod opfs;
mod race;
mod shelf;

use js_sys::Reflect;
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

pub use self::blob::{BlobReader, Meter};
pub use self::connection::Stop;
pub use self::folder::fetch;
pub use self::opfs::Error as ShelfError;
pub use self::race::{Either, race};
pub use self::shelf::Shelf;
use crate::engine::weights::WeightFile;
use crate::engine::{self, ModelFiles, tokenizer};
use crate::worker::selection::{Refusal, Selection, Tokenizer};

/// Why a model can't be had.
#[derive(Debug, Error)]
pub enum Error {
    /// From a server.
    #[error("{0}; check the address and the connection, then try again")]
    Folder(#[from] folder::Error),
    /// From files.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// From a hub.
    #[error("{0}")]
    Hub(#[from] hub::Error),
    /// From this device.
    #[error("{0}")]
    Shelf(#[from] opfs::Error),
    /// A file can't be read any more.
    #[error("{0} can't be read; choose it once more")]
    Unreadable(String),
    /// What was read is no model.
    #[error("{0}")]
    Engine(#[from] engine::Error),
}

/// The files that travelled beside a message, with their names.
pub fn beside(message: &JsValue) -> Vec<(String, Blob)> {
    let files = Reflect::get(message, &"files".into()).unwrap_or_default();
    let files = files.dyn_into::<js_sys::Array>().unwrap_or_default();
    files
        .iter()
        .filter_map(|file| file.dyn_into::<File>().ok())
        .map(|file| (file.name(), file.into()))
        .collect()
}

/// The files of a model that is kept on this device, opened.
pub async fn kept(id: &str, progress: impl Fn(u64, Option<u64>) + 'static) -> Result<ModelFiles, Error> {
    let (name, files) = Shelf::open().await?.files(id).await?;
    let files = open(&files, progress).await?;
    Ok(ModelFiles {
        name: Some(name),
        ..files
    })
}

/// The files of a model among these, opened. `progress` hears of bytes that are read, and of how many there are.
pub async fn open(
    files: &[(String, Blob)],
    progress: impl Fn(u64, Option<u64>) + 'static,
) -> Result<ModelFiles, Error> {
    let total: f64 = files.iter().map(|(_, blob)| blob.size()).sum();
    let meter = Meter::new(move |read| progress(read.min(total as u64), Some(total as u64)));
    let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    match Selection::of(&names)? {
        Selection::Gguf(at) => Ok(ModelFiles::from_gguf(weights(&files[at], &meter)?)?),
        Selection::Folder {
            config,
            tokenizer,
            weights: shards,
            card,
        } => {
            let tokenizer = match tokenizer {
                Tokenizer::Whole(at) => read(&files[at]).await?,
                Tokenizer::Parts(vocabulary, merges) => {
                    tokenizer::from_parts(&read(&files[vocabulary]).await?, &read(&files[merges]).await?)?
                }
            };
            Ok(ModelFiles {
                config: read(&files[config]).await?,
                tokenizer,
                weights: shards
                    .into_iter()
                    .map(|at| weights(&files[at], &meter))
                    .collect::<Result<_, _>>()?,
                card: match card {
                    Some(at) => Some(read(&files[at]).await?),
                    None => None,
                },
                name: None,
            })
        }
    }
}

/// A file whose content is read as it is needed.
fn weights((name, blob): &(String, Blob), meter: &Meter) -> Result<WeightFile, Error> {
    let source = BlobReader::open(blob.clone(), meter.clone()).map_err(|_error| Error::Unreadable(name.clone()))?;
    Ok(WeightFile {
        name: name.clone(),
        source: Box::new(source),
    })
}

/// All of a small file.
pub async fn read((name, blob): &(String, Blob)) -> Result<Vec<u8>, Error> {
    let bytes = JsFuture::from(blob.array_buffer()).await;
    let bytes = bytes.map_err(|_error| Error::Unreadable(name.clone()))?;
    Ok(js_sys::Uint8Array::new(&bytes).to_vec())
}
