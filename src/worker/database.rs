//! The real [`Store`](super::store::Store): the browser's `IndexedDB`, through the crate `idb`.

use std::collections::BTreeMap;

use idb::builder::{DatabaseBuilder, ObjectStoreBuilder};
use idb::{KeyRange, ObjectStore, Query, TransactionMode};
use js_sys::{Array, Float32Array, Function, Object, Promise, Reflect, Uint8Array, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbTransaction};

use super::history::{Head, History, Record};
use super::host;
use super::store::{Change, Error, Found};
use crate::engine::{Completion, generation};
use crate::protocol::Post;

const NAME: &str = "fledge";
/// Posts with their tokens, by `[history, post]`.
const POSTS: &str = "posts";
/// What was learned, as bytes, by `[history, lesson]`.
const SNAPSHOTS: &str = "snapshots";
/// One [`Head`] a history, by its name.
const HEADS: &str = "heads";

/// One history's part of the database.
pub struct Database {
    reader: idb::Database,
    raw: IdbDatabase,
    name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.raw.close();
    }
}

impl Database {
    pub async fn open(name: &str) -> Result<Self, Error> {
        let database = DatabaseBuilder::new(NAME)
            .version(1)
            .add_object_store(ObjectStoreBuilder::new(POSTS))
            .add_object_store(ObjectStoreBuilder::new(SNAPSHOTS))
            .add_object_store(ObjectStoreBuilder::new(HEADS))
            .build()
            .await?;
        let raw = IdbDatabase::from(database);
        let mut reader = idb::Database::from(raw.clone());
        // A newer version of the page, in another tab, need not wait for this one.
        let closing = raw.clone();
        reader.on_version_change(move |_| closing.close());
        Ok(Self {
            reader,
            raw,
            name: name.to_owned(),
        })
    }

    fn reading(&self, name: &str) -> Result<ObjectStore, Error> {
        Ok(self
            .reader
            .transaction(&[name], TransactionMode::ReadOnly)?
            .object_store(name)?)
    }

    pub async fn load(&self) -> Result<Found, Error> {
        let values = self.reading(POSTS)?.get_all(Some(self.all()?), None)?.await?;
        let all = values.len();
        let records: Vec<Record> = values
            .into_iter()
            .filter_map(|value| StoredPost::read(value).ok())
            .collect();
        let head = self.reading(HEADS)?.get(JsValue::from_str(&self.name))?.await?;
        let head = head.and_then(|value| serde_wasm_bindgen::from_value::<Head>(value).ok());
        let head = head.unwrap_or_else(|| Head::rebuilt(&records)).covering(&records);
        Ok(Found {
            damaged: all - records.len(),
            history: History { head, records },
        })
    }

    pub async fn snapshot(&self, lesson: u32) -> Result<Option<Vec<u8>>, Error> {
        let value = self.reading(SNAPSHOTS)?.get(self.key(lesson))?.await?;
        Ok(value
            .and_then(|value| value.dyn_into::<Uint8Array>().ok())
            .map(|bytes| bytes.to_vec()))
    }

    /// Every snapshot that can be read.
    pub async fn snapshots(&self, head: Head) -> BTreeMap<u32, Vec<u8>> {
        let (first, last) = head.snapshots();
        let mut snapshots = BTreeMap::new();
        for lesson in first..=last {
            if let Ok(Some(bytes)) = self.snapshot(lesson).await {
                snapshots.insert(lesson, bytes);
            }
        }
        snapshots
    }

    pub async fn save(&self, change: &Change<'_>) -> Result<(), Error> {
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
                Some(&self.name.as_str().into()),
            )?;
            Ok(())
        })
        .await
    }

    pub async fn forget(&self) -> Result<(), Error> {
        self.write(|posts, snapshots, heads| {
            posts.delete(self.all()?)?;
            snapshots.delete(self.all()?)?;
            heads.delete(JsValue::from_str(&self.name))?;
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
        Array::of2(&self.name.as_str().into(), &number.into()).into()
    }

    /// Keys before and after every key of this history: arrays come after numbers.
    fn ends(&self) -> (JsValue, JsValue) {
        let name = JsValue::from_str(&self.name);
        (Array::of1(&name).into(), Array::of2(&name, &Array::new()).into())
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
