//! Models that are kept on this device, in the origin private file system: `models/<id>/`, the files under their own names.
//!
//! A folder counts as a model only with `about.json` in it, which is written last: what is half written is no model, and is
//! swept away when the shelf is opened.

use js_sys::{Array, AsyncIterator, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemRemoveOptions, FileSystemSyncAccessHandle,
};

use crate::protocol::KeptModel;
use crate::worker::host;

/// The folder of all models.
const FOLDER: &str = "models";
/// The file that makes a folder a model.
const ABOUT: &str = "about.json";
/// So much is copied at a time.
pub const PIECE: f64 = 4e6;

/// Why a model can't be kept or found.
#[derive(Debug, Error)]
pub enum Error {
    /// `file://`, a private window, an old browser.
    #[error("this browser gives the page no place for files")]
    NoPlace,
    /// The quota is used up.
    #[error("there is not enough space for it: {need} MB are needed, {free} MB are free")]
    Full {
        /// Megabytes that it takes.
        need: u64,
        /// Megabytes that are left.
        free: u64,
    },
    /// It was deleted, here or by the browser.
    #[error("it is no longer on this device")]
    Gone,
    /// Whatever else the browser says.
    #[error("the browser's file system failed ({0})")]
    Browser(String),
}

impl From<JsValue> for Error {
    fn from(error: JsValue) -> Self {
        let text = |name: &str| Reflect::get(&error, &name.into()).ok()?.as_string();
        match text("name").as_deref() {
            Some("NotFoundError") => Self::Gone,
            Some("SecurityError") => Self::NoPlace,
            name => Self::Browser(text("message").or_else(|| name.map(str::to_owned)).unwrap_or_default()),
        }
    }
}

/// What `about.json` says.
#[derive(Serialize, Deserialize)]
struct About {
    name: String,
    files: Vec<String>,
    bytes: u64,
}

/// The models of this device.
pub struct Shelf {
    models: FileSystemDirectoryHandle,
}

impl Shelf {
    /// Opens the shelf.
    pub async fn open() -> Result<Self, Error> {
        let storage = Reflect::get(&host::scope().navigator(), &"storage".into())?;
        if !Reflect::has(&storage, &"getDirectory".into()).unwrap_or(false) {
            return Err(Error::NoPlace);
        }
        let storage: web_sys::StorageManager = storage.unchecked_into();
        let root: FileSystemDirectoryHandle = JsFuture::from(storage.get_directory()).await?.unchecked_into();
        Ok(Self {
            models: directory(&root, FOLDER, true).await?,
        })
    }

    /// What is there, by name. Folders that are no models are deleted.
    pub async fn list(&self) -> Result<Vec<KeptModel>, Error> {
        let mut kept = Vec::new();
        for id in names(&self.models.keys()).await? {
            match self.about(&id).await {
                Ok(About { name, bytes, .. }) => kept.push(KeptModel { id, name, bytes }),
                Err(_) => self.discard(&id).await?,
            }
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        Ok(kept)
    }

    /// The files of a model, with their names.
    pub async fn files(&self, id: &str) -> Result<Vec<(String, Blob)>, Error> {
        let folder = directory(&self.models, id, false).await?;
        let mut files = Vec::new();
        for name in self.about(id).await?.files {
            let file = JsFuture::from(file(&folder, &name, false).await?.get_file()).await?;
            files.push((name, file.unchecked_into()));
        }
        Ok(files)
    }

    /// Deletes a model.
    pub async fn discard(&self, id: &str) -> Result<(), Error> {
        let options = FileSystemRemoveOptions::new();
        options.set_recursive(true);
        JsFuture::from(self.models.remove_entry_with_options(id, &options)).await?;
        Ok(())
    }

    /// Begins to copy files into the folder of a model, if there is room for them.
    pub async fn keep(&self, id: &str, name: &str, files: Vec<(String, Blob)>) -> Result<Copying, Error> {
        let bytes: f64 = files.iter().map(|(_, blob)| blob.size()).sum();
        if let Some(free) = free().await.filter(|free| *free < bytes) {
            return Err(Error::Full {
                need: (bytes / 1e6) as u64,
                free: (free / 1e6) as u64,
            });
        }
        let folder = directory(&self.models, id, true).await?;
        let about = About {
            name: name.to_owned(),
            files: files.iter().map(|(name, _)| name.clone()).collect(),
            bytes: bytes as u64,
        };
        Ok(Copying {
            folder,
            about,
            waiting: files.into_iter().rev().collect(),
            current: None,
            copied: 0.0,
        })
    }

    async fn about(&self, id: &str) -> Result<About, Error> {
        let folder = directory(&self.models, id, false).await?;
        let about: File = JsFuture::from(file(&folder, ABOUT, false).await?.get_file())
            .await?
            .unchecked_into();
        let text = JsFuture::from(about.text()).await?.as_string().unwrap_or_default();
        serde_json::from_str(&text).map_err(|error| Error::Browser(error.to_string()))
    }
}

/// A model on its way to the shelf.
pub struct Copying {
    folder: FileSystemDirectoryHandle,
    about: About,
    waiting: Vec<(String, Blob)>,
    current: Option<Current>,
    copied: f64,
}

struct Current {
    blob: Blob,
    at: f64,
    handle: FileSystemSyncAccessHandle,
}

impl Drop for Current {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl Copying {
    /// Copies a piece. Whether there is more.
    pub async fn step(&mut self) -> Result<bool, Error> {
        if let Some(current) = &mut self.current {
            let end = (current.at + PIECE).min(current.blob.size());
            let part = current.blob.slice_with_f64_and_f64(current.at, end)?;
            let bytes = Uint8Array::new(&JsFuture::from(part.array_buffer()).await?);
            write(&current.handle, current.at, &bytes)?;
            self.copied += end - current.at;
            current.at = end;
            if end >= current.blob.size() {
                current.handle.flush()?;
                self.current = None;
            }
            return Ok(true);
        }
        let Some((name, blob)) = self.waiting.pop() else {
            return Ok(false);
        };
        self.current = Some(Current {
            blob,
            at: 0.0,
            handle: handle(&self.folder, &name).await?,
        });
        Ok(true)
    }

    /// Bytes that are copied, and bytes in all.
    pub const fn progress(&self) -> (u64, u64) {
        (self.copied as u64, self.about.bytes)
    }

    /// Makes it a model.
    pub async fn finish(self) -> Result<(), Error> {
        let about = serde_json::to_vec(&self.about).map_err(|error| Error::Browser(error.to_string()))?;
        let handle = handle(&self.folder, ABOUT).await?;
        let written = write(&handle, 0.0, &Uint8Array::from(about.as_slice())).and_then(|()| Ok(handle.flush()?));
        handle.close();
        written
    }
}

/// Writes bytes at a place; a full disk shows as fewer bytes written, or as an exception.
fn write(handle: &FileSystemSyncAccessHandle, at: f64, bytes: &Uint8Array) -> Result<(), Error> {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at);
    let written = handle.write_with_js_u8_array_and_options(bytes, &options)?;
    if written < f64::from(bytes.length()) {
        return Err(Error::Browser("the disk is full".into()));
    }
    Ok(())
}

/// An empty file to write into.
async fn handle(folder: &FileSystemDirectoryHandle, name: &str) -> Result<FileSystemSyncAccessHandle, Error> {
    let file = file(folder, name, true).await?;
    let handle: FileSystemSyncAccessHandle = JsFuture::from(file.create_sync_access_handle()).await?.unchecked_into();
    handle.truncate_with_u32(0)?;
    Ok(handle)
}

/// Bytes that the browser would still take, if it says so.
async fn free() -> Option<f64> {
    let estimate = JsFuture::from(host::scope().navigator().storage().estimate().ok()?)
        .await
        .ok()?;
    let number = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64();
    Some(number("quota")? - number("usage")?)
}

async fn directory(
    parent: &FileSystemDirectoryHandle,
    name: &str,
    create: bool,
) -> Result<FileSystemDirectoryHandle, Error> {
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(create);
    let found = JsFuture::from(parent.get_directory_handle_with_options(name, &options)).await?;
    Ok(found.unchecked_into())
}

async fn file(folder: &FileSystemDirectoryHandle, name: &str, create: bool) -> Result<FileSystemFileHandle, Error> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(create);
    let found = JsFuture::from(folder.get_file_handle_with_options(name, &options)).await?;
    Ok(found.unchecked_into())
}

/// All that an asynchronous iterator of names gives.
async fn names(iterator: &AsyncIterator) -> Result<Vec<String>, Error> {
    let all = Array::new();
    loop {
        let step = JsFuture::from(iterator.next()?).await?;
        if Reflect::get(&step, &"done".into())?.is_truthy() {
            return Ok(all.iter().filter_map(|name| name.as_string()).collect());
        }
        all.push(&Reflect::get(&step, &"value".into())?);
    }
}
