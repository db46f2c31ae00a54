//! Models that are kept on this device, in the origin private file system: `models/<key>/`, the files under their own names.
//!
//! A folder counts as a model only with `about.json` in it, which is written last: what is half written is no model. A
//! download that was stopped leaves its parts, and `download.json` beside them, to go on from; everything else that is half
//! written is swept away when the shelf is listed, unless a tab is just writing it: whoever writes a folder holds its lock.

use js_sys::Uint8Array;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::opfs::{Error, Folder, Part, room_for};
use crate::protocol::KeptModel;
use crate::worker::host::{self, Guard, Lock};

/// The folder of all models.
const FOLDER: &str = "models";
/// So much is copied at a time.
const PIECE: f64 = 1e6;

/// What `about.json` says, which makes a folder a model.
#[derive(Serialize, Deserialize)]
struct About {
    name: String,
    /// The model's id, once it has been opened.
    #[serde(default)]
    model: Option<String>,
    files: Vec<String>,
    bytes: u64,
}

impl Note for About {
    const FILE: &str = "about.json";
}

/// What `download.json` says, which lets a download go on.
#[derive(Serialize, Deserialize)]
struct Download {
    name: String,
}

impl Note for Download {
    const FILE: &str = "download.json";
}

/// A small file in a model's folder.
trait Note: Serialize + DeserializeOwned {
    const FILE: &str;

    async fn read(folder: &Folder) -> Result<Self, Error> {
        let text = JsFuture::from(folder.file(Self::FILE).await?.text()).await?;
        serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|error| Error::Browser(error.to_string()))
    }

    async fn write(&self, folder: &Folder) -> Result<(), Error> {
        let note = serde_json::to_vec(self).map_err(|error| Error::Browser(error.to_string()))?;
        folder.write_whole(Self::FILE, &note).await
    }
}

/// The right to write a model's folder, for as long as this lives.
pub struct Writer {
    /// Where there are no locks there is no way to know.
    _lock: Option<Guard>,
}

impl Writer {
    /// Takes the right, if no other tab has it.
    async fn of(id: &str) -> Result<Self, Error> {
        match host::lock(&format!("fledge-model-{id}"), false).await {
            Lock::Held(guard) => Ok(Self { _lock: Some(guard) }),
            Lock::Taken => Err(Error::Taken),
            Lock::Missing => Ok(Self { _lock: None }),
        }
    }
}

/// The models of this device.
pub struct Shelf {
    models: Folder,
}

impl Shelf {
    /// Opens the shelf.
    pub async fn open() -> Result<Self, Error> {
        let models = Folder::root().await?.folder(FOLDER, true).await?;
        Ok(Self { models })
    }

    /// What is there, by name: models and downloads. Folders that are neither are deleted.
    pub async fn list(&self) -> Result<Vec<KeptModel>, Error> {
        let mut kept = Vec::new();
        for id in self.models.names().await? {
            let folder = self.models.folder(&id, false).await?;
            match About::read(&folder).await {
                Ok(About { name, model, bytes, .. }) => kept.push(KeptModel {
                    id,
                    model,
                    name,
                    bytes,
                    whole: true,
                }),
                Err(_) => match Download::read(&folder).await {
                    Ok(Download { name }) => kept.push(KeptModel {
                        id,
                        model: None,
                        name,
                        bytes: folder.bytes().await?,
                        whole: false,
                    }),
                    Err(_) => {
                        if let Ok(_writer) = Writer::of(&id).await {
                            self.models.remove(&id).await?;
                        }
                    }
                },
            }
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        Ok(kept)
    }

    /// Whether a model is here.
    pub async fn has(&self, id: &str) -> bool {
        match self.models.folder(id, false).await {
            Ok(folder) => About::read(&folder).await.is_ok(),
            Err(_) => false,
        }
    }

    /// What a model is called here, and its files with their names.
    pub async fn files(&self, id: &str) -> Result<(String, Vec<(String, Blob)>), Error> {
        let folder = self.models.folder(id, false).await?;
        let about = About::read(&folder).await?;
        let mut files = Vec::new();
        for name in about.files {
            let file = folder.file(&name).await?;
            files.push((name, file.into()));
        }
        Ok((about.name, files))
    }

    /// Notes which model a folder holds.
    pub async fn identify(&self, id: &str, model: &str) -> Result<(), Error> {
        let folder = self.models.folder(id, false).await?;
        let mut about = About::read(&folder).await?;
        if about.model.as_deref() == Some(model) {
            return Ok(());
        }
        about.model = Some(model.to_owned());
        about.write(&folder).await
    }

    /// Deletes a model.
    pub async fn discard(&self, id: &str) -> Result<(), Error> {
        let _writer = Writer::of(id).await?;
        self.models.remove(id).await
    }

    /// Begins a download of so many bytes, or goes on with it, if there is room for what is missing.
    pub async fn download(&self, id: &str, name: String, total: u64) -> Result<(Folder, Writer), Error> {
        let writer = Writer::of(id).await?;
        let folder = self.models.folder(id, true).await?;
        room_for(total.saturating_sub(folder.bytes().await?)).await?;
        Download { name }.write(&folder).await?;
        Ok((folder, writer))
    }

    /// Makes a folder whose files are whole a model.
    pub async fn complete(&self, folder: &Folder, name: String, files: Vec<String>, bytes: u64) -> Result<(), Error> {
        let about = About {
            name,
            model: None,
            files,
            bytes,
        };
        about.write(folder).await
    }

    /// Begins to copy files into the folder of a model, if there is room for them.
    pub async fn keep(&self, id: &str, name: &str, files: Vec<(String, Blob)>) -> Result<Copying, Error> {
        let bytes = files.iter().map(|(_, blob)| blob.size()).sum::<f64>() as u64;
        let writer = Writer::of(id).await?;
        room_for(bytes).await?;
        let about = About {
            name: name.to_owned(),
            model: Some(id.to_owned()),
            files: files.iter().map(|(name, _)| name.clone()).collect(),
            bytes,
        };
        Ok(Copying {
            _writer: writer,
            folder: self.models.folder(id, true).await?,
            about,
            waiting: files.into_iter().rev().collect(),
            current: None,
            copied: 0,
        })
    }
}

/// A model on its way to the shelf.
pub struct Copying {
    _writer: Writer,
    folder: Folder,
    about: About,
    waiting: Vec<(String, Blob)>,
    current: Option<(String, Blob, Part)>,
    copied: u64,
}

impl Copying {
    /// Copies a piece. Whether there is more.
    pub async fn step(&mut self) -> Result<bool, Error> {
        if let Some((name, blob, mut part)) = self.current.take() {
            let at = part.size() as f64;
            let piece = blob.slice_with_f64_and_f64(at, (at + PIECE).min(blob.size()))?;
            let bytes = Uint8Array::new(&JsFuture::from(piece.array_buffer()).await?);
            part.append_js(&bytes)?;
            self.copied += u64::from(bytes.length());
            host::free(&bytes);
            if part.size() as f64 >= blob.size() {
                self.folder.complete(&name, part).await?;
            } else {
                self.current = Some((name, blob, part));
            }
            return Ok(true);
        }
        let Some((name, blob)) = self.waiting.pop() else {
            return Ok(false);
        };
        let mut part = self.folder.part(&name).await?;
        part.empty()?;
        self.current = Some((name, blob, part));
        Ok(true)
    }

    /// Bytes that are copied, and bytes in all.
    pub const fn progress(&self) -> (u64, u64) {
        (self.copied, self.about.bytes)
    }

    /// Makes it a model.
    pub async fn finish(self) -> Result<(), Error> {
        self.about.write(&self.folder).await
    }
}
