//! Downloading a model from a hub to this device: every size is known before the first large byte, what is broken off goes on
//! where it stopped, and nothing counts as a model before every hash agrees.
//!
//! The files go into a folder of the [`shelf`](super::shelf) under their own names with `.part` behind them, until they are
//! whole. Requests are plain GETs and single ranges, which need no preflight from a hub.

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::connection::{Answer, Broken, Stop, extent, get};
use super::opfs::{self, Folder, Part};
use super::shelf::Shelf;
use crate::catalogue::KNOWN;
use crate::protocol::Hub;
use crate::worker::host;
use crate::worker::repository::{Pointer, address, pointer_address, shards};

/// So often in a row, without a new byte, a file is tried again, after waiting these milliseconds.
const PAUSES: [i32; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// HTTP's answer to a range behind the end of a file.
const RANGE_NOT_SATISFIABLE: u16 = 416;
/// Files that are no larger than this are fetched whole, without a hash: the tokenizer's.
const SMALL: u64 = 32_000_000;

/// Why a model could not be fetched.
#[derive(Debug, Error)]
pub enum Error {
    /// The person pressed Stop.
    #[error("the download was stopped; what has arrived is kept, and it goes on from there the next time")]
    Stopped,
    /// The hub has no such file.
    #[error("{hub} has no {file} (it answers {status})")]
    Missing {
        /// Repository and address.
        hub: String,
        /// The file.
        file: String,
        /// HTTP's status.
        status: u16,
    },
    /// Tried often enough.
    #[error("the connection broke off in {file} again and again; what has arrived is kept, try again later")]
    BrokenOff {
        /// The file.
        file: String,
    },
    /// Not what was promised, twice.
    #[error("{file} is not what the repository promises (its hash is another one); it was deleted")]
    WrongHash {
        /// The file.
        file: String,
    },
    /// Longer or shorter than promised.
    #[error("{file} has {found} bytes where {expected} were promised; it was deleted")]
    WrongSize {
        /// The file.
        file: String,
        /// Bytes that came.
        found: u64,
        /// Bytes that should have come.
        expected: u64,
    },
    /// `model.safetensors.index.json` makes no sense.
    #[error("the list of the model's parts can't be read: {0}")]
    Index(String),
    /// No place on this device.
    #[error("{0}")]
    Shelf(#[from] opfs::Error),
}

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes that are here, and bytes in all.
    Bytes(u64, u64),
    /// It waits before it tries again, for so many seconds.
    Waiting(u64),
}

/// A file that is to be fetched.
struct Wanted {
    name: String,
    size: u64,
    sha256: Option<String>,
}

/// Fetches a model, and returns the shelf's key of it.
pub async fn download(hub: &Hub, stop: &Stop, tell: &dyn Fn(Progress)) -> Result<String, Error> {
    let shelf = Shelf::open().await?;
    let key = key(hub);
    if shelf.has(&key).await {
        return Ok(key);
    }
    let (small, wanted) = plan(hub, stop).await?;
    let total: u64 = small.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>()
        + wanted.iter().map(|file| file.size).sum::<u64>();
    let (folder, _writer) = shelf.download(&key, name(hub), total).await?;
    let mut here = 0;
    for (name, bytes) in &small {
        folder.write_whole(name, bytes).await?;
        here += bytes.len() as u64;
    }
    for file in &wanted {
        let before = here;
        fetch(
            hub,
            file,
            &folder,
            stop,
            &|bytes| tell(Progress::Bytes(before + bytes, total)),
            tell,
        )
        .await?;
        here += file.size;
    }
    let names = small
        .into_iter()
        .map(|(name, _)| name)
        .chain(wanted.into_iter().map(|file| file.name));
    shelf.complete(&folder, name(hub), names.collect(), total).await?;
    Ok(key)
}

/// The shelf's folder for a repository.
fn key(hub: &Hub) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
            c
        } else {
            '_'
        }
    };
    let digest = Sha256::digest(format!("{}\n{}\n{}", hub.base, hub.repo, hub.revision));
    let repo: String = hub.repo.chars().map(plain).collect();
    format!("{repo}-{}", hex(&digest[..6]))
}

/// What the model is called in the list.
fn name(hub: &Hub) -> String {
    let known = KNOWN.iter().find(|known| known.repo == hub.repo);
    known.map_or_else(|| hub.repo.clone(), |known| known.name.to_owned())
}

/// The small files with their content, and the large ones with what they must be.
async fn plan(hub: &Hub, stop: &Stop) -> Result<(Vec<(String, Vec<u8>)>, Vec<Wanted>), Error> {
    let mut small = vec![("config.json".to_owned(), whole(hub, "config.json", stop).await?)];
    match whole(hub, "tokenizer.json", stop).await {
        Ok(bytes) => small.push(("tokenizer.json".into(), bytes)),
        Err(Error::Missing { .. }) => {
            for name in ["vocab.json", "merges.txt"] {
                small.push((name.to_owned(), whole(hub, name, stop).await?));
            }
        }
        Err(error) => return Err(error),
    }
    if let Ok(card) = whole(hub, "fledge.json", stop).await {
        small.push(("fledge.json".into(), card));
    }
    let single = "model.safetensors";
    let wanted = match wanted(hub, single, stop).await {
        Ok(file) => vec![file],
        Err(missing @ Error::Missing { .. }) => {
            let Ok(index) = whole(hub, "model.safetensors.index.json", stop).await else {
                return Err(missing);
            };
            let mut files = Vec::new();
            for name in shards(&index).map_err(Error::Index)? {
                files.push(wanted(hub, &name, stop).await?);
            }
            files
        }
        Err(error) => return Err(error),
    };
    Ok((small, wanted))
}

/// A large file's size and hash: as pinned, by its pointer, or, where a mirror has none, by what the server says of it.
async fn wanted(hub: &Hub, name: &str, stop: &Stop) -> Result<Wanted, Error> {
    let known = KNOWN
        .iter()
        .find(|known| (known.repo, known.revision) == (hub.repo.as_str(), hub.revision.as_str()));
    if let Some((known, sha256)) = known
        .and_then(|known| Some((known, known.sha256?)))
        .filter(|_| name == "model.safetensors")
    {
        return Ok(Wanted {
            name: name.to_owned(),
            size: known.size,
            sha256: Some(sha256.to_owned()),
        });
    }
    // A pointer is short; where the address gives the file itself, its beginning is enough to see that.
    let pointer = get(&pointer_address(hub, name), Some((0, 1023)), stop).await;
    if let Ok(answer) = pointer
        && answer.response.ok()
        && let Ok(bytes) = answer.read(1024, stop).await
        && let Some(Pointer { sha256, size }) = std::str::from_utf8(&bytes).ok().and_then(Pointer::parse)
    {
        return Ok(Wanted {
            name: name.to_owned(),
            size,
            sha256: Some(sha256),
        });
    }
    let answer = found(hub, name, get(&address(hub, name), Some((0, 0)), stop).await)?;
    let (_, size) = extent(&answer.response);
    Ok(Wanted {
        name: name.to_owned(),
        size: size.ok_or_else(|| Error::BrokenOff { file: name.to_owned() })?,
        sha256: None,
    })
}

/// A small file.
async fn whole(hub: &Hub, name: &str, stop: &Stop) -> Result<Vec<u8>, Error> {
    let mut pauses = PAUSES.iter();
    loop {
        if let Ok(answer) = get(&address(hub, name), None, stop).await {
            let answer = found(hub, name, Ok(answer))?;
            if answer.response.ok()
                && let Ok(bytes) = answer.read(SMALL, stop).await
            {
                return Ok(bytes);
            }
        }
        check(stop)?;
        let Some(pause) = pauses.next() else {
            return Err(Error::BrokenOff { file: name.to_owned() });
        };
        host::sleep(*pause).await;
    }
}

/// A large file, from where it stopped the last time.
async fn fetch(
    hub: &Hub,
    file: &Wanted,
    folder: &Folder,
    stop: &Stop,
    here: &dyn Fn(u64),
    tell: &dyn Fn(Progress),
) -> Result<(), Error> {
    let mut wrong = false;
    loop {
        let mut part = folder.part(&file.name).await?;
        let mut hash = Sha256::new();
        if file.sha256.is_some() {
            part.read_all(|bytes| hash.update(bytes))?;
        }
        receive(hub, file, &mut part, &mut hash, stop, here, tell).await?;
        let agrees = part.size() == file.size
            && file
                .sha256
                .as_ref()
                .is_none_or(|sha256| *sha256 == hex(&hash.finalize()));
        if agrees {
            return Ok(folder.complete(&file.name, part).await?);
        }
        let found = part.size();
        part.empty()?;
        drop(part);
        if wrong {
            return Err(if found == file.size {
                Error::WrongHash {
                    file: file.name.clone(),
                }
            } else {
                Error::WrongSize {
                    file: file.name.clone(),
                    found,
                    expected: file.size,
                }
            });
        }
        wrong = true;
    }
}

/// Bytes into a part until there are as many as there should be, over as many connections as it takes.
async fn receive(
    hub: &Hub,
    file: &Wanted,
    part: &mut Part,
    hash: &mut Sha256,
    stop: &Stop,
    here: &dyn Fn(u64),
    tell: &dyn Fn(Progress),
) -> Result<(), Error> {
    let mut pauses = PAUSES.iter();
    here(part.size());
    while part.size() < file.size {
        let before = part.size();
        let range = (before > 0).then_some((before, file.size - 1));
        let answer = get(&address(hub, &file.name), range, stop).await;
        if let Ok(answer) = &answer
            && answer.response.status() == RANGE_NOT_SATISFIABLE
        {
            part.empty()?;
            hash.reset();
        } else if let Ok(answer) = answer
            && let answer = found(hub, &file.name, Ok(answer))?
            && answer.response.ok()
        {
            let (first, total) = extent(&answer.response);
            if let Some(total) = total.filter(|total| *total != file.size) {
                part.empty()?;
                return Err(Error::WrongSize {
                    file: file.name.clone(),
                    found: total,
                    expected: file.size,
                });
            }
            // A server that knows no ranges begins anew.
            if first != before {
                part.empty()?;
                hash.reset();
            }
            while let Ok(Some(bytes)) = answer.next(stop).await {
                part.append(&bytes)?;
                hash.update(&bytes);
                here(part.size());
                if part.size() > file.size {
                    return Ok(());
                }
            }
        }
        check(stop)?;
        if part.size() > before {
            pauses = PAUSES.iter();
        }
        if part.size() < file.size {
            let Some(pause) = pauses.next() else {
                return Err(Error::BrokenOff {
                    file: file.name.clone(),
                });
            };
            tell(Progress::Waiting((*pause as u64).div_ceil(1000)));
            host::sleep(*pause).await;
        }
    }
    Ok(())
}

/// The answer, if the hub has the file. Errors of the server itself are worth another try.
fn found(hub: &Hub, file: &str, answer: Result<Answer, Broken>) -> Result<Answer, Error> {
    match answer {
        Ok(answer) if answer.response.ok() || answer.response.status() >= 500 || answer.response.status() == 429 => {
            Ok(answer)
        }
        Ok(answer) => Err(Error::Missing {
            hub: format!("{} at {}", hub.repo, hub.base),
            file: file.to_owned(),
            status: answer.response.status(),
        }),
        Err(Broken) => Err(Error::BrokenOff { file: file.to_owned() }),
    }
}

fn check(stop: &Stop) -> Result<(), Error> {
    if stop.is_asked() { Err(Error::Stopped) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}
