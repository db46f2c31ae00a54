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
use super::old;
use super::store::{Change, Error, Found};
use crate::engine::{Completion, generation};
use crate::protocol::Post;
use crate::timeline::{Node, NodeId, ROOT, Timeline};

const NAME: &str = "fledge";
/// Posts with their tokens, by `[history, post]`.
const POSTS: &str = "posts";
/// Each lesson's [`Node`], by `[history, lesson]`.
const LESSONS: &str = "lessons";
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
            .version(2)
            .add_object_store(ObjectStoreBuilder::new(POSTS))
            .add_object_store(ObjectStoreBuilder::new(LESSONS))
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
        let nodes = self.reading(LESSONS)?.get_all(Some(self.all()?), None)?.await?;
        let mut nodes: Vec<Node> = nodes
            .into_iter()
            .filter_map(|value| serde_wasm_bindgen::from_value(value).ok())
            .collect();
        let mut old = false;
        if nodes.is_empty() {
            nodes = self.lessons_in_posts(&values).await?;
            old = !nodes.is_empty();
        }
        let records: Vec<Record> = values
            .into_iter()
            .filter_map(|value| StoredPost::read(value).ok())
            .collect();
        let head = self.reading(HEADS)?.get(JsValue::from_str(&self.name))?.await?;
        let head = head.and_then(|value| serde_wasm_bindgen::from_value::<Head>(value).ok());
        // Without a head, what was taught last is in force.
        let newest = nodes.iter().map(|node| node.id).max().unwrap_or(ROOT);
        let head = head.unwrap_or(Head {
            at: newest,
            ..Head::default()
        });
        let mut history = History {
            timeline: Timeline::restored(nodes, head.at, head.tip, head.last),
            next_post: head.next_post,
            records,
        };
        let damaged = all - history.records.len();
        history.cover();
        Ok(Found { history, damaged, old })
    }

    /// Puts lessons where version 2 keeps them.
    pub async fn move_lessons(&self, found: &Found) -> Result<(), Error> {
        if !found.old {
            return Ok(());
        }
        let nodes: Vec<Node> = found.history.timeline.nodes().cloned().collect();
        self.save(&Change {
            head: found.history.head(),
            nodes: &nodes,
            ..Change::default()
        })
        .await
    }

    /// Lessons as version 1 kept them: in their posts, one after the other, the snapshot of each under its number.
    async fn lessons_in_posts(&self, posts: &[JsValue]) -> Result<Vec<Node>, Error> {
        let mut nodes = Vec::new();
        for value in posts {
            let Ok(old::Stored { post }) = serde_wasm_bindgen::from_value(value.clone()) else {
                continue;
            };
            if let Some(lesson) = post.lesson {
                let bytes = self
                    .snapshot(lesson.number)
                    .await?
                    .map_or(0, |bytes| bytes.len() as u64);
                nodes.push(lesson.into_node(post.id, bytes));
            }
        }
        Ok(nodes)
    }

    pub async fn snapshot(&self, lesson: NodeId) -> Result<Option<Vec<u8>>, Error> {
        let value = self.reading(SNAPSHOTS)?.get(self.key(lesson))?.await?;
        Ok(value
            .and_then(|value| value.dyn_into::<Uint8Array>().ok())
            .map(|bytes| bytes.to_vec()))
    }

    /// Every snapshot that can be read.
    pub async fn snapshots(&self, timeline: &Timeline) -> BTreeMap<NodeId, Vec<u8>> {
        let mut snapshots = BTreeMap::new();
        for node in timeline.nodes() {
            if let Ok(Some(bytes)) = self.snapshot(node.id).await {
                snapshots.insert(node.id, bytes);
            }
        }
        snapshots
    }

    pub async fn save(&self, change: &Change<'_>) -> Result<(), Error> {
        self.write(|stores| {
            for record in change.posts {
                stores
                    .posts
                    .put(&StoredPost::write(record)?, Some(&self.key(record.post.id)))?;
            }
            for node in change.nodes {
                stores
                    .lessons
                    .put(&serde_wasm_bindgen::to_value(node)?, Some(&self.key(node.id)))?;
            }
            if let Some((lesson, bytes)) = change.snapshot {
                stores
                    .snapshots
                    .put(&Uint8Array::from(bytes), Some(&self.key(lesson)))?;
            }
            for lesson in change.thinned.iter().chain(change.deleted) {
                stores.snapshots.delete(self.key(*lesson))?;
            }
            for lesson in change.deleted {
                stores.lessons.delete(self.key(*lesson))?;
            }
            stores.heads.put(
                &serde_wasm_bindgen::to_value(&change.head)?,
                Some(&self.name.as_str().into()),
            )?;
            Ok(())
        })
        .await
    }

    pub async fn forget(&self) -> Result<(), Error> {
        self.write(|stores| {
            stores.posts.delete(self.all()?)?;
            stores.lessons.delete(self.all()?)?;
            stores.snapshots.delete(self.all()?)?;
            stores.heads.delete(JsValue::from_str(&self.name))?;
            Ok(())
        })
        .await
    }

    /// Runs `requests` in one transaction and waits until it is on the disk. If one fails, none has happened.
    async fn write(&self, requests: impl FnOnce(Stores) -> Result<(), Error>) -> Result<(), Error> {
        let transaction = strict_transaction(&self.raw)?;
        let store = |name| Ok::<_, Error>(ObjectStore::from(transaction.object_store(name)?));
        let requested = requests(Stores {
            posts: store(POSTS)?,
            lessons: store(LESSONS)?,
            snapshots: store(SNAPSHOTS)?,
            heads: store(HEADS)?,
        });
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

/// Every object store, in one transaction.
struct Stores {
    posts: ObjectStore,
    lessons: ObjectStore,
    snapshots: ObjectStore,
    heads: ObjectStore,
}

/// A transaction over everything that is complete only when it is on the disk. `idb` has no way to ask for that, and
/// `web-sys` counts the option as unstable, so the call goes by name; browsers that don't know the option ignore it.
fn strict_transaction(database: &IdbDatabase) -> Result<IdbTransaction, Error> {
    let names: Array = [POSTS, LESSONS, SNAPSHOTS, HEADS]
        .into_iter()
        .map(JsValue::from)
        .collect();
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
