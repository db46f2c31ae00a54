//! Where posts, ratings and lessons are kept: the browser's database, or memory where the browser denies it.
//!
//! Four verbs, all for one history: [`Store::load`], [`Store::snapshot`], [`Store::save`], [`Store::forget`]. Whatever
//! belongs together goes into one [`Change`], and that into one transaction: after a crash either all of it is there or
//! nothing. [`Store::save`] returns when the transaction is complete.

use std::collections::BTreeMap;

use js_sys::Reflect;
use thiserror::Error;
use wasm_bindgen::JsValue;

use super::database::Database;
use super::history::{Head, History, Record};
use crate::protocol::Keeping;
use crate::timeline::{Node, NodeId};

/// Why something could not be kept or read.
#[derive(Debug, Error)]
pub enum Error {
    /// The quota is used up.
    #[error("the space that this browser gives to the page is used up; free some on this device")]
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

/// What one transaction writes.
#[derive(Default)]
pub struct Change<'a> {
    /// Where the history stands after it.
    pub head: Head,
    /// Posts that are new or changed.
    pub posts: &'a [Record],
    /// Lessons that are new or changed.
    pub nodes: &'a [Node],
    /// What was learned in a new lesson.
    pub snapshot: Option<(NodeId, &'a [u8])>,
    /// Lessons whose snapshot is given up.
    pub thinned: &'a [NodeId],
    /// Lessons that are deleted, with their snapshots.
    pub deleted: &'a [NodeId],
}

/// What was found.
#[derive(Default)]
pub struct Found {
    /// Its posts and where they stand.
    pub history: History,
    /// Posts that could not be read.
    pub damaged: usize,
    /// Lessons still lie in their posts, as in version 1.
    pub old: bool,
}

/// The place where one history is kept.
pub enum Store {
    /// The browser's database.
    Kept(Database),
    /// This worker's memory.
    Memory(BTreeMap<NodeId, Vec<u8>>),
}

impl Store {
    /// Opens the store of a history and reads what is there. It never fails: at worst, nothing is kept from now on.
    /// `writer` says whether this worker may write, or else why not.
    pub async fn open(name: &str, writer: Result<(), String>) -> (Self, Found, Keeping) {
        let nothing_kept = |reason: String| Keeping::NotKept { reason };
        let opened = async {
            let kept = Database::open(name).await?;
            let found = kept.load().await?;
            Ok::<_, Error>((kept, found))
        };
        match (opened.await, writer) {
            (Ok((kept, found)), Ok(())) => match kept.move_lessons(&found).await {
                Ok(()) => (Self::Kept(kept), found, Keeping::Kept),
                // The database must not be written by halves: what is new would hide what is old.
                Err(error) => (Self::forgetful(), found, nothing_kept(error.to_string())),
            },
            (Ok((kept, found)), Err(reason)) => {
                let snapshots = kept.snapshots(&found.history.timeline).await;
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
    pub async fn snapshot(&self, lesson: NodeId) -> Result<Option<Vec<u8>>, Error> {
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
                if let Some((lesson, bytes)) = change.snapshot {
                    snapshots.insert(lesson, bytes.to_vec());
                }
                snapshots.retain(|lesson, _| !change.thinned.contains(lesson) && !change.deleted.contains(lesson));
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
