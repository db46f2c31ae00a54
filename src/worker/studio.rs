//! The open model with all that belongs to it for one type of text: what it has learned, its history, and where that is
//! kept.
//!
//! Every change is saved first and comes into force when it is durable.

use std::rc::Rc;

use super::history::{Head, History, Record};
use super::problem::Problem;
use super::store::{self, Change, Store};
use crate::content::ContentType;
use crate::engine::{Adapter, Model, kernels};
use crate::feedback::PartialRatings;
use crate::learning::{self, Learner, Snapshot};
use crate::protocol::{Keeping, Lesson, Memory, ModelInfo, Post, PostId};
use crate::settings::Lora;

/// The adapter's random half starts from this seed, so that the same lessons make the same adapter.
const SEED: u64 = 0;

/// Under which name a history is kept. Posts have the model's own, as they had before there were types.
fn shelf(model: &Model, content: ContentType) -> String {
    match content {
        ContentType::Post => model.id().to_owned(),
        ContentType::Email | ContentType::Copy => format!("{}/{}", model.id(), content.tag()),
    }
}

/// An open model, set up for one type of text.
pub struct Studio {
    /// What never changes. All types share it.
    pub model: Rc<Model>,
    /// What is written here.
    pub content: ContentType,
    /// Whether what happens here is kept.
    pub keeping: Keeping,
    /// `None` until the first lesson: the untaught model has no adapter.
    learner: Option<Learner>,
    history: History,
    store: Store,
}

impl Studio {
    /// Restores what was kept for a model and a type; also says what was lost.
    pub async fn open(model: Rc<Model>, content: ContentType, writer: Result<(), String>) -> (Self, Option<Problem>) {
        let (store, found, keeping) = Store::open(&shelf(&model, content), writer).await;
        let mut studio = Self {
            model,
            content,
            keeping,
            learner: None,
            history: found.history,
            store,
        };
        let lessons = match studio.restore().await {
            Ok(lost) => lost,
            Err(error) => {
                // The database holds lessons but won't give them now: it must not be overwritten with less.
                studio.keeping = Keeping::NotKept {
                    reason: error.to_string(),
                };
                studio.store = Store::forgetful();
                let lost = studio.history.head.lessons;
                studio.history.fall_back(0);
                lost
            }
        };
        let lost = Problem::Lost {
            posts: found.damaged,
            lessons,
        };
        (studio, (found.damaged > 0 || lessons > 0).then_some(lost))
    }

    /// Goes back to the newest lesson that can be read, and returns how many could not.
    async fn restore(&mut self) -> Result<u32, store::Error> {
        let (first, last) = self.history.head.snapshots();
        let mut lesson = last;
        self.learner = loop {
            match self.learner_after(lesson).await? {
                Ok(learner) => break learner,
                Err(_) => lesson = if lesson > first { lesson - 1 } else { 0 },
            }
        };
        if lesson < last {
            let posts = self.history.fall_back(lesson);
            self.store
                .save(Change {
                    head: self.history.head,
                    posts: &posts,
                    snapshot: None,
                })
                .await?;
        }
        Ok(last - lesson)
    }

    /// The learner as it was after a lesson. The outer error is the database's, the inner one says that it is damaged.
    async fn learner_after(&self, lesson: u32) -> Result<Result<Option<Learner>, learning::Error>, store::Error> {
        if lesson == 0 {
            return Ok(Ok(None));
        }
        let Some(bytes) = self.store.snapshot(lesson).await? else {
            return Ok(Err(learning::Error::Snapshot("it is missing".into())));
        };
        Ok(Learner::from_snapshot(&Snapshot::from_bytes(bytes), &self.model).map(Some))
    }

    /// The model, as the page describes it.
    pub fn info(&self) -> ModelInfo {
        let config = self.model.config();
        ModelInfo {
            name: self.model.card().name.clone(),
            parameters: self.model.parameters(),
            layers: config.n_layer,
            width: config.n_embd,
            vocabulary: config.vocab_size,
            context: config.n_positions,
            precision: self.model.precision(),
            bytes: self.model.bytes() as u64,
            kernels: match kernels::pool::threads() {
                1 => kernels::best().name().to_owned(),
                threads => format!("{}, {threads} threads", kernels::best().name()),
            },
            id: self.model.id().to_owned(),
        }
    }

    /// Its history, as the page shows it.
    pub fn memory(&self) -> Memory {
        self.history
            .memory(self.learner.as_ref().map(|learner| *learner.lora()))
    }

    /// Where the history stands.
    pub const fn head(&self) -> Head {
        self.history.head
    }

    /// What was learned, for writing.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.learner.as_ref().map(Learner::adapter)
    }

    /// A learner to teach. It is a copy: the one in force stays as it is until the lesson is durable.
    pub fn pupil(&self, lora: Lora) -> Result<Learner, learning::Error> {
        match &self.learner {
            Some(learner) => Learner::from_snapshot(&learner.snapshot()?, &self.model),
            None => Learner::new(&self.model, lora, SEED),
        }
    }

    /// A post.
    pub fn record(&self, id: PostId) -> Result<&Record, Problem> {
        self.history.record(id).ok_or(Problem::NoSuchPost(id))
    }

    /// Keeps a new post. If that fails, it is still there until the tab is closed.
    pub async fn write_down(&mut self, record: Record) -> Result<(), Problem> {
        let head = self.history.head.written(record.post.id);
        let kept = self.save(head, &record, None).await;
        self.history.put(head, record);
        kept.map_err(Problem::KeepPost)
    }

    /// Keeps ratings. If that fails, they still hold until the tab is closed.
    pub async fn rate(&mut self, id: PostId, ratings: PartialRatings) -> Result<(), Problem> {
        let mut record = self.record(id)?.clone();
        record.post.ratings = ratings;
        let kept = self.save(self.history.head, &record, None).await;
        self.history.put(self.history.head, record);
        kept.map_err(Problem::KeepRatings)
    }

    /// Ends a lesson: ratings, adapter and optimiser state are kept together, and only then is the pupil in force.
    pub async fn learn(
        &mut self,
        pupil: Learner,
        id: PostId,
        ratings: PartialRatings,
        lesson: Lesson,
    ) -> Result<Post, Problem> {
        let mut record = self.record(id)?.clone();
        record.post.ratings = ratings;
        record.post.lesson = Some(lesson);
        let head = self.history.head.learned();
        let snapshot = pupil.snapshot()?;
        self.save(head, &record, Some(snapshot.as_bytes()))
            .await
            .map_err(Problem::KeepLesson)?;
        let post = record.post.clone();
        self.history.put(head, record);
        self.learner = Some(pupil);
        Ok(post)
    }

    /// Keeps what the taught model writes for a post's prompt.
    pub async fn compare(&mut self, id: PostId, after: String) -> Result<(), Problem> {
        let mut record = self.record(id)?.clone();
        if let Some(lesson) = &mut record.post.lesson {
            lesson.after = Some(after);
        }
        self.save(self.history.head, &record, None)
            .await
            .map_err(Problem::KeepPost)?;
        self.history.put(self.history.head, record);
        Ok(())
    }

    /// Takes the last lesson back. The ratings of its post stay.
    pub async fn undo(&mut self) -> Result<Post, Problem> {
        let head = self.history.head.undone().ok_or(Problem::NothingToUndo)?;
        let mut record = self.history.last_taught().ok_or(Problem::NothingToUndo)?.clone();
        record.post.lesson = None;
        let learner = self.learner_after(head.lessons).await.map_err(Problem::KeepUndo)?;
        let learner = learner.map_err(Problem::Undo)?;
        self.save(head, &record, None).await.map_err(Problem::KeepUndo)?;
        let post = record.post.clone();
        self.history.put(head, record);
        self.learner = learner;
        Ok(post)
    }

    /// Deletes everything that belongs to this model and type.
    pub async fn forget(&mut self) -> Result<(), Problem> {
        self.store.forget().await.map_err(Problem::Forget)?;
        self.history = History::default();
        self.learner = None;
        Ok(())
    }

    async fn save(&mut self, head: Head, record: &Record, snapshot: Option<&[u8]>) -> Result<(), store::Error> {
        self.store
            .save(Change {
                head,
                posts: std::slice::from_ref(record),
                snapshot,
            })
            .await
    }
}
