//! Files and folders of the origin private file system.

use js_sys::{Array, AsyncIterator, Reflect, Uint8Array};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemRemoveOptions, FileSystemSyncAccessHandle, StorageManager,
};

use crate::worker::host;

/// Behind the name of a file that is not whole.
const PART: &str = ".part";
/// So much is read at a time.
const PIECE: u32 = 4_000_000;

/// Why a file can't be kept or found.
#[derive(Debug, Error)]
pub enum Error {
    /// `file://` in Chromium, some private windows, an old browser.
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
    /// The quota was used up, or the disk, although the browser had promised more.
    #[error("this device has no more space for it; delete models in the settings, or make room on the disk")]
    DiskFull,
    /// It was deleted, here or by the browser.
    #[error("it is no longer on this device")]
    Gone,
    /// The person pressed Stop.
    #[error("copying was stopped")]
    Stopped,
    /// Another tab writes it.
    #[error("another tab is just downloading or copying it; wait for that, then try again")]
    Taken,
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
            Some("QuotaExceededError") => Self::DiskFull,
            name => Self::Browser(text("message").or_else(|| name.map(str::to_owned)).unwrap_or_default()),
        }
    }
}

/// A folder.
pub struct Folder(FileSystemDirectoryHandle);

impl Folder {
    /// The root of everything.
    pub async fn root() -> Result<Self, Error> {
        let storage = Reflect::get(&host::scope().navigator(), &"storage".into())?;
        if !Reflect::has(&storage, &"getDirectory".into()).unwrap_or(false) {
            return Err(Error::NoPlace);
        }
        let storage: StorageManager = storage.unchecked_into();
        Ok(Self(JsFuture::from(storage.get_directory()).await?.unchecked_into()))
    }

    /// A folder in it.
    pub async fn folder(&self, name: &str, create: bool) -> Result<Self, Error> {
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(create);
        let found = JsFuture::from(self.0.get_directory_handle_with_options(name, &options)).await?;
        Ok(Self(found.unchecked_into()))
    }

    /// The names of all that is in it.
    pub async fn names(&self) -> Result<Vec<String>, Error> {
        names(&self.0.keys()).await
    }

    /// Deletes a folder in it.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        let options = FileSystemRemoveOptions::new();
        options.set_recursive(true);
        JsFuture::from(self.0.remove_entry_with_options(name, &options)).await?;
        Ok(())
    }

    /// A file, to be read.
    pub async fn file(&self, name: &str) -> Result<File, Error> {
        let file = JsFuture::from(file(&self.0, name, false).await?.get_file()).await?;
        Ok(file.unchecked_into())
    }

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

    /// Bytes of everything in it.
    pub async fn bytes(&self) -> Result<u64, Error> {
        let mut bytes = 0.0;
        for name in self.names().await? {
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
        let bytes = Uint8Array::from(bytes);
        self.append_js(&bytes)?;
        host::free(&bytes);
        Ok(())
    }

    /// Writes the browser's bytes at the end.
    pub fn append_js(&mut self, bytes: &Uint8Array) -> Result<(), Error> {
        write(&self.handle, self.size, bytes)?;
        self.size += f64::from(bytes.length());
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
        // The browser reads into no memory that threads share.
        let buffer = Uint8Array::new_with_length(PIECE);
        let mut bytes = vec![0; PIECE as usize];
        let mut at = 0.0;
        while at < self.size {
            let options = FileSystemReadWriteOptions::new();
            options.set_at(at);
            let read = self.handle.read_with_js_u8_array_and_options(&buffer, &options)?;
            if read <= 0.0 {
                return Err(Error::Gone);
            }
            buffer.copy_to(&mut bytes);
            each(&bytes[..read as usize]);
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
        return Err(Error::DiskFull);
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
pub async fn room_for(bytes: u64) -> Result<(), Error> {
    match free().await {
        Some(free) if free < bytes as f64 => Err(Error::Full {
            need: bytes / 1_000_000,
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
