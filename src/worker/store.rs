//! Where posts, ratings and lessons are kept: the browser's database, or memory where the browser denies it.
//!
//! Four verbs, all for one model: [`Store::load`], [`Store::snapshot`], [`Store::save`], [`Store::forget`]. Whatever
//! belongs together goes into one [`Change`], and that into one transaction: after a crash either all of it is there or
//! nothing. [`Store::save`] returns when the transaction is complete.

use std::collections::BTreeMap;

use idb::builder::{DatabaseBuilder, ObjectStoreBuilder};
use idb::{Database, KeyRange, ObjectStore, Query, TransactionMode};
use js_sys::{Array, Float32Array, Function, Object, Promise, Reflect, Uint8Array, Uint32Array};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbTransaction};

use super::history::{Head, History, Record};
use super::host;
use crate::engine::{Completion, generation};
use crate::protocol::{Keeping, Post};

const DATABASE: &str = "fledge";
/// Posts with their tokens, by `[model, post]`.
const POSTS: &str = "posts";
/// What was learned, as bytes, by `[model, lesson]`.
const SNAPSHOTS: &str = "snapshots";
/// One [`Head`] a model, by model.
const HEADS: &str = "heads";

/// Why something could not be kept or read.
#[derive(Debug, Error)]
pub enum Error {
    /// The quota is used up.
    #[error("the space that this browser gives to the page is used up")]
    Full,
    /// Another version of the program has changed the database.
    #[error("the database was made by a newer version of this page")]
    Newer,
    /// A private window, or blocked site data.
    #[error("this browser gives the page no database")]
    Denied,
    /// Whatever else the browser says.
    #[error("the browser's database failed ({0})")]
    Browser(String),
}

impl From<JsValue> for Error {
    fn from(error: JsValue) -> Self {
        let text = |name: &str| {
            Reflect::get(&error, &name.into())
                .ok()
                .and_then(|value| value.as_string())
        };
        match text("name").as_deref() {
            Some("QuotaExceededError") => Self::Full,
            Some("VersionError") => Self::Newer,
            name => Self::Browser(
                text("message")
                    .filter(|m| !m.is_empty())
                    .unwrap_or_else(|| name.map_or_else(|| "without a reason".into(), str::to_owned)),
            ),
        }
    }
}

impl From<idb::Error> for Error {
    fn from(error: idb::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the crate has words of its own for the other forty"
        )]
        match error {
            idb::Error::DomException(exception) => JsValue::from(exception).into(),
            idb::Error::IndexedDbNotFound(_) => Self::Denied,
            idb::Error::IndexedDbOpenFailed(error)
            | idb::Error::TransactionOpenFailed(error)
            | idb::Error::UpdateFailed(error)
            | idb::Error::DeleteFailed(error) => error.into(),
            other => Self::Browser(other.to_string()),
        }
    }
}

impl From<serde_wasm_bindgen::Error> for Error {
    fn from(error: serde_wasm_bindgen::Error) -> Self {
        Self::Browser(error.to_string())
    }
}

/// What one transaction writes. Snapshots that the head does not name are deleted with it.
pub struct Change<'a> {
    /// Where the history stands after it.
    pub head: Head,
    /// Posts that are new or changed.
    pub posts: &'a [Record],
    /// What was learned, as of `head.lessons`, if that changed.
    pub snapshot: Option<&'a [u8]>,
}

/// What was found for a model.
#[derive(Default)]
pub struct Found {
    /// Its posts and where they stand.
    pub history: History,
    /// Posts that could not be read.
    pub damaged: usize,
}

/// The place where one model's history is kept.
pub enum Store {
    /// The browser's database.
    Kept(Kept),
    /// This worker's memory.
    Memory(BTreeMap<u32, Vec<u8>>),
}

impl Store {
    /// Opens the store of a model and reads what is there. It never fails: at worst, nothing is kept from now on.
    /// `writer` says whether this worker may write, or else why not.
    pub async fn open(model: &str, writer: Result<(), String>) -> (Self, Found, Keeping) {
        let nothing_kept = |reason: String| Keeping::NotKept { reason };
        let opened = async {
            let kept = Kept::open(model).await?;
            let found = kept.load().await?;
            Ok::<_, Error>((kept, found))
        };
        match (opened.await, writer) {
            (Ok((kept, found)), Ok(())) => (Self::Kept(kept), found, Keeping::Kept),
            (Ok((kept, found)), Err(reason)) => {
                let snapshots = kept.snapshots(found.history.head).await;
                (Self::Memory(snapshots), found, nothing_kept(reason))
            }
            (Err(error), _) => (Self::forgetful(), Found::default(), nothing_kept(error.to_string())),
        }
    }

    /// Memory that lasts as long as the tab.
    pub const fn forgetful() -> Self {
        Self::Memory(BTreeMap::new())
    }

    /// What was learned as of a lesson.
    pub async fn snapshot(&self, lesson: u32) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Kept(kept) => kept.snapshot(lesson).await,
            Self::Memory(snapshots) => Ok(snapshots.get(&lesson).cloned()),
        }
    }

    /// Keeps a change, all of it or nothing.
    pub async fn save(&mut self, change: Change<'_>) -> Result<(), Error> {
        match self {
            Self::Kept(kept) => kept.save(&change).await,
            Self::Memory(snapshots) => {
                let (first, last) = change.head.snapshots();
                if let Some(bytes) = change.snapshot {
                    snapshots.insert(last, bytes.to_vec());
                }
                snapshots.retain(|lesson, _| (first..=last).contains(lesson));
                Ok(())
            }
        }
    }

    /// Deletes everything.
    pub async fn forget(&mut self) -> Result<(), Error> {
        match self {
            Self::Kept(kept) => kept.forget().await,
            Self::Memory(snapshots) => {
                snapshots.clear();
                Ok(())
            }
        }
    }
}

/// A model's part of the database.
pub struct Kept {
    database: Database,
    raw: IdbDatabase,
    model: String,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.raw.close();
    }
}

impl Kept {
    async fn open(model: &str) -> Result<Self, Error> {
        let database = DatabaseBuilder::new(DATABASE)
            .version(1)
            .add_object_store(ObjectStoreBuilder::new(POSTS))
            .add_object_store(ObjectStoreBuilder::new(SNAPSHOTS))
            .add_object_store(ObjectStoreBuilder::new(HEADS))
            .build()
            .await?;
        let raw = IdbDatabase::from(database);
        let mut database = Database::from(raw.clone());
        // A newer version of the page, in another tab, need not wait for this one.
        let closing = raw.clone();
        database.on_version_change(move |_| closing.close());
        Ok(Self {
            database,
            raw,
            model: model.to_owned(),
        })
    }

    fn reading(&self, name: &str) -> Result<ObjectStore, Error> {
        Ok(self
            .database
            .transaction(&[name], TransactionMode::ReadOnly)?
            .object_store(name)?)
    }

    async fn load(&self) -> Result<Found, Error> {
        let values = self.reading(POSTS)?.get_all(Some(self.all()?), None)?.await?;
        let all = values.len();
        let records: Vec<Record> = values
            .into_iter()
            .filter_map(|value| StoredPost::read(value).ok())
            .collect();
        let head = self.reading(HEADS)?.get(JsValue::from_str(&self.model))?.await?;
        let head = head.and_then(|value| serde_wasm_bindgen::from_value::<Head>(value).ok());
        let head = head.unwrap_or_else(|| Head::rebuilt(&records)).covering(&records);
        Ok(Found {
            damaged: all - records.len(),
            history: History { head, records },
        })
    }

    async fn snapshot(&self, lesson: u32) -> Result<Option<Vec<u8>>, Error> {
        let value = self.reading(SNAPSHOTS)?.get(self.key(lesson))?.await?;
        Ok(value
            .and_then(|value| value.dyn_into::<Uint8Array>().ok())
            .map(|bytes| bytes.to_vec()))
    }

    /// Every snapshot that can be read.
    async fn snapshots(&self, head: Head) -> BTreeMap<u32, Vec<u8>> {
        let (first, last) = head.snapshots();
        let mut snapshots = BTreeMap::new();
        for lesson in first..=last {
            if let Ok(Some(bytes)) = self.snapshot(lesson).await {
                snapshots.insert(lesson, bytes);
            }
        }
        snapshots
    }

    async fn save(&self, change: &Change<'_>) -> Result<(), Error> {
        self.write(|posts, snapshots, heads| {
            for record in change.posts {
                posts.put(&StoredPost::write(record)?, Some(&self.key(record.post.id)))?;
            }
            let (first, last) = change.head.snapshots();
            if let Some(bytes) = change.snapshot {
                snapshots.put(&Uint8Array::from(bytes), Some(&self.key(last)))?;
            }
            let (lowest, highest) = self.ends();
            snapshots.delete(Query::KeyRange(KeyRange::bound(
                &lowest,
                &self.key(first),
                None,
                Some(true),
            )?))?;
            snapshots.delete(Query::KeyRange(KeyRange::bound(
                &self.key(last),
                &highest,
                Some(true),
                None,
            )?))?;
            heads.put(
                &serde_wasm_bindgen::to_value(&change.head)?,
                Some(&self.model.as_str().into()),
            )?;
            Ok(())
        })
        .await
    }

    async fn forget(&self) -> Result<(), Error> {
        self.write(|posts, snapshots, heads| {
            posts.delete(self.all()?)?;
            snapshots.delete(self.all()?)?;
            heads.delete(JsValue::from_str(&self.model))?;
            Ok(())
        })
        .await
    }

    /// Runs `requests` in one transaction and waits until it is on the disk. If one fails, none has happened.
    async fn write(
        &self,
        requests: impl FnOnce(ObjectStore, ObjectStore, ObjectStore) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let transaction = strict_transaction(&self.raw)?;
        let store = |name| Ok::<_, Error>(ObjectStore::from(transaction.object_store(name)?));
        let requested = requests(store(POSTS)?, store(SNAPSHOTS)?, store(HEADS)?);
        let end = Promise::new(&mut |resolve, reject| {
            transaction.set_oncomplete(Some(&resolve));
            transaction.set_onabort(Some(&reject));
        });
        if requested.is_err() && transaction.abort().is_err() {
            return requested;
        }
        let ended = JsFuture::from(end).await;
        requested?;
        ended
            .map(drop)
            .map_err(|event| transaction.error().map_or(event, JsValue::from).into())
    }

    fn key(&self, number: u32) -> JsValue {
        Array::of2(&self.model.as_str().into(), &number.into()).into()
    }

    /// Keys before and after every key of this model: arrays come after numbers.
    fn ends(&self) -> (JsValue, JsValue) {
        let model = JsValue::from_str(&self.model);
        (Array::of1(&model).into(), Array::of2(&model, &Array::new()).into())
    }

    fn all(&self) -> Result<Query, Error> {
        let (lowest, highest) = self.ends();
        Ok(Query::KeyRange(KeyRange::bound(&lowest, &highest, None, None)?))
    }
}

/// A transaction over everything that is complete only when it is on the disk. `idb` has no way to ask for that, and
/// `web-sys` counts the option as unstable, so the call goes by name; browsers that don't know the option ignore it.
fn strict_transaction(database: &IdbDatabase) -> Result<IdbTransaction, Error> {
    let names: Array = [POSTS, SNAPSHOTS, HEADS].into_iter().map(JsValue::from).collect();
    let options = Object::new();
    host::set(&options, "durability", &"strict".into());
    let open: Function = Reflect::get(database, &"transaction".into())?.unchecked_into();
    Ok(open
        .call3(database, &names, &"readwrite".into(), &options)?
        .unchecked_into())
}

/// A [`Record`] as the database holds it: long lists of numbers as typed arrays.
#[derive(Serialize, Deserialize)]
struct StoredPost {
    post: Post,
    text: String,
    ending: Option<generation::Ending>,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    prompt_ids: Uint32Array,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    ids: Uint32Array,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    log_probs: Float32Array,
}

impl StoredPost {
    fn write(record: &Record) -> Result<JsValue, Error> {
        let Completion {
            prompt_ids,
            ids,
            log_probs,
            text,
            ending,
        } = &record.completion;
        Ok(serde_wasm_bindgen::to_value(&Self {
            post: record.post.clone(),
            text: text.clone(),
            ending: *ending,
            prompt_ids: prompt_ids.as_slice().into(),
            ids: ids.as_slice().into(),
            log_probs: log_probs.as_slice().into(),
        })?)
    }

    fn read(value: JsValue) -> Result<Record, Error> {
        let stored: Self = serde_wasm_bindgen::from_value(value)?;
        let completion = Completion {
            prompt_ids: stored.prompt_ids.to_vec(),
            ids: stored.ids.to_vec(),
            log_probs: stored.log_probs.to_vec(),
            text: stored.text,
            ending: stored.ending,
        };
        Ok(Record {
            post: stored.post,
            completion,
        })
    }
}
