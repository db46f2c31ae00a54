//! Models that are kept on this device, in the origin private file system: `models/<id>/`, the files under their own names.
//!
//! A folder counts as a model only with `about.json` in it, which is written last: what is half written is no model. A
//! download that was stopped leaves its parts, and `download.json` beside them, to go on from; everything else that is half
//! written is swept away when the shelf is listed.

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
/// The file that says that a download may go on here.
const DOWNLOAD: &str = "download.json";
/// Behind the name of a file that is not whole.
const PART: &str = ".part";
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
    /// The model's id, once it has been opened.
    #[serde(default)]
    model: Option<String>,
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
                Ok(About { name, model, bytes, .. }) => kept.push(KeptModel { id, model, name, bytes }),
                Err(_) if self.is_download(&id).await => {}
                Err(_) => self.discard(&id).await?,
            }
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        Ok(kept)
    }

    /// Whether a model is here.
    pub async fn has(&self, id: &str) -> bool {
        self.about(id).await.is_ok()
    }

    async fn is_download(&self, id: &str) -> bool {
        match directory(&self.models, id, false).await {
            Ok(folder) => file(&folder, DOWNLOAD, false).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Begins a download of so many bytes, or goes on with it, if there is room for what is missing.
    pub async fn begin(&self, id: &str, total: u64) -> Result<Folder, Error> {
        let folder = Folder(directory(&self.models, id, true).await?);
        let missing = (total - folder.bytes().await?.min(total)) as f64;
        room_for(missing).await?;
        folder.write_whole(DOWNLOAD, b"{}").await?;
        Ok(folder)
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

    /// Notes which model a folder holds.
    pub async fn identify(&self, id: &str, model: &str) -> Result<(), Error> {
        let mut about = self.about(id).await?;
        if about.model.as_deref() == Some(model) {
            return Ok(());
        }
        about.model = Some(model.to_owned());
        let about = serde_json::to_vec(&about).map_err(|error| Error::Browser(error.to_string()))?;
        let folder = Folder(directory(&self.models, id, false).await?);
        folder.write_whole(ABOUT, &about).await
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
        room_for(bytes).await?;
        let folder = directory(&self.models, id, true).await?;
        let about = About {
            name: name.to_owned(),
            model: Some(id.to_owned()),
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

/// The folder of a download.
pub struct Folder(FileSystemDirectoryHandle);

impl Folder {
    /// Writes a small file.
    pub async fn write_whole(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let handle = handle(&self.0, name).await?;
        let written = write(&handle, 0.0, &Uint8Array::from(bytes)).and_then(|()| Ok(handle.flush()?));
        handle.close();
        written
    }

    /// What has arrived of a file: all of it, if it was whole before.
    pub async fn part(&self, name: &str) -> Result<Part, Error> {
        let whole = file(&self.0, name, false).await.is_ok();
        let name = if whole {
            name.to_owned()
        } else {
            format!("{name}{PART}")
        };
        let file = file(&self.0, &name, true).await?;
        let handle: FileSystemSyncAccessHandle =
            JsFuture::from(file.create_sync_access_handle()).await?.unchecked_into();
        let size = handle.get_size()?;
        Ok(Part { name, handle, size })
    }

    /// Gives a file that is whole its own name.
    pub async fn complete(&self, name: &str, part: Part) -> Result<(), Error> {
        part.handle.flush()?;
        if part.name == name {
            return Ok(());
        }
        let from = part.name.clone();
        drop(part);
        let file = file(&self.0, &from, false).await?;
        let rename: js_sys::Function = Reflect::get(&file, &"move".into())?.dyn_into()?;
        JsFuture::from(rename.call1(&file, &name.into())?.unchecked_into::<js_sys::Promise>()).await?;
        Ok(())
    }

    /// Makes it a model.
    pub async fn finish(&self, name: String, files: Vec<String>, bytes: u64) -> Result<(), Error> {
        let about = About {
            name,
            model: None,
            files,
            bytes,
        };
        let about = serde_json::to_vec(&about).map_err(|error| Error::Browser(error.to_string()))?;
        self.write_whole(ABOUT, &about).await
    }

    /// Bytes of everything in it.
    async fn bytes(&self) -> Result<u64, Error> {
        let mut bytes = 0.0;
        for name in names(&self.0.keys()).await? {
            let file: File = JsFuture::from(file(&self.0, &name, false).await?.get_file())
                .await?
                .unchecked_into();
            bytes += file.size();
        }
        Ok(bytes as u64)
    }
}

/// A file that is not whole yet. Dropping it closes it.
pub struct Part {
    name: String,
    handle: FileSystemSyncAccessHandle,
    size: f64,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl Part {
    /// Bytes that are there.
    pub const fn size(&self) -> u64 {
        self.size as u64
    }

    /// Writes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        write(&self.handle, self.size, &Uint8Array::from(bytes))?;
        self.size += bytes.len() as f64;
        Ok(())
    }

    /// Throws away what is there.
    pub fn empty(&mut self) -> Result<(), Error> {
        self.handle.truncate_with_u32(0)?;
        self.size = 0.0;
        Ok(())
    }

    /// Reads everything that is there, piece by piece.
    pub fn read_all(&self, mut each: impl FnMut(&[u8])) -> Result<(), Error> {
        let mut buffer = vec![0; PIECE as usize];
        let mut at = 0.0;
        while at < self.size {
            let options = FileSystemReadWriteOptions::new();
            options.set_at(at);
            let read = self.handle.read_with_u8_array_and_options(&mut buffer, &options)?;
            if read <= 0.0 {
                return Err(Error::Gone);
            }
            each(&buffer[..read as usize]);
            at += read;
        }
        Ok(())
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

/// Refuses what the browser would not take, as far as it says so.
async fn room_for(bytes: f64) -> Result<(), Error> {
    match free().await {
        Some(free) if free < bytes => Err(Error::Full {
            need: (bytes / 1e6) as u64,
            free: (free / 1e6) as u64,
        }),
        Some(_) | None => Ok(()),
    }
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
