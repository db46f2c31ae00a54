//! The open model with all that belongs to it for one type of text: what it has learned, its history, and where that is
//! kept. [`changes`] has what changes it.

mod changes;

use std::collections::HashMap;
use std::rc::Rc;

use super::history::{History, Record};
use super::host;
use super::problem::Problem;
use super::store::{self, Change, Store};
use crate::catalogue::KNOWN;
use crate::content::ContentType;
use crate::engine::lora::FIRST_SEED;
use crate::engine::{Adapter, Model, kernels};
use crate::exchange::{self, taste};
use crate::feedback::Weights;
use crate::insight::{Guess, LEAST_RATINGS};
use crate::learning::objective::Baseline;
use crate::learning::rater::{Rated, Rater};
use crate::learning::replay::Past;
use crate::learning::{self, Learner, Snapshot, features};
use crate::protocol::{Keeping, Memory, ModelInfo, PostId};
use crate::rails::Signs;
use crate::settings::Lora;
use crate::timeline::{NodeId, ROOT, Timeline};

/// Under which name a history is kept. Posts have the model's own, as they had before there were types. A copy of the page in one
/// file that somebody shared (`src/ui/share.rs`) has a space of its own: all files of a device share one database.
fn shelf(model: &Model, content: ContentType) -> String {
    let space = js_sys::Reflect::get(&host::scope(), &"space".into());
    let model = match space.ok().and_then(|space| space.as_string()) {
        Some(space) => format!("{}@{space}", model.id()),
        None => model.id().to_owned(),
    };
    match content {
        ContentType::Post => model,
        ContentType::Email | ContentType::Copy => format!("{model}/{}", content.tag()),
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
    /// What rated posts look like to the automatic rater, as far as it was looked at them.
    seen: HashMap<PostId, Vec<f64>>,
    /// How the untaught model writes for the guard rails' prompts, once that was measured.
    pub untaught: Option<Signs>,
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
            seen: HashMap::new(),
            untaught: None,
        };
        let lessons = match studio.restore().await {
            Ok(lost) => lost,
            Err(error) => {
                // The database holds lessons but won't give them now: it must not be overwritten with less.
                studio.keeping = Keeping::NotKept {
                    reason: error.to_string(),
                };
                studio.store = Store::forgetful();
                let lost = studio.history.timeline.depth();
                studio.history.timeline = Timeline::default();
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
        let mut lost = Vec::new();
        self.learner = loop {
            let at = self.history.timeline.at();
            if let Ok(learner) = self.learner_after(at).await? {
                break learner;
            }
            let parent = self.history.timeline.node(at).map_or(ROOT, |node| node.parent);
            if let Some(node) = self.history.timeline.node_mut(at) {
                node.bytes = 0;
                lost.push(node.clone());
            }
            self.history.timeline.go(parent);
        };
        if !lost.is_empty() {
            self.store
                .save(Change {
                    head: self.history.head(),
                    nodes: &lost,
                    ..Change::default()
                })
                .await?;
        }
        Ok(lost.len() as u32)
    }

    /// The learner as it was after a lesson. The outer error is the database's, the inner one says that it is damaged.
    async fn learner_after(&self, lesson: NodeId) -> Result<Result<Option<Learner>, learning::Error>, store::Error> {
        if lesson == ROOT {
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

    /// Its lessons.
    pub const fn timeline(&self) -> &Timeline {
        &self.history.timeline
    }

    /// The id of the next post.
    pub const fn next_post(&self) -> PostId {
        self.history.next_post
    }

    /// What was learned, for writing.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.learner.as_ref().map(Learner::adapter)
    }

    /// What was learned, at a strength: `None` is the untaught model.
    pub fn adapter_at(&self, strength: f64) -> Option<Adapter> {
        self.adapter()
            .filter(|_| strength > 0.0)
            .map(|adapter| adapter.at(strength))
    }

    /// The running mean of the rewards that were taught.
    pub fn usual(&self) -> f64 {
        self.learner
            .as_ref()
            .map_or_else(|| Baseline::default().mean(), |learner| learner.baseline().mean())
    }

    /// What was taught before, as it would be worth now.
    pub fn past(&self, weights: &Weights) -> Vec<Past<'_>> {
        let taught = self.history.taught();
        let past = taught.filter_map(|(record, age)| {
            Some(Past {
                completion: &record.completion,
                reward: weights.reward(&record.post.rated()?),
                age,
            })
        });
        past.collect()
    }

    /// The rated posts in force whose rewards would be others under these weights than they were when they were taught, those
    /// first that changed most.
    pub fn most_changed(&self, weights: &Weights, most: usize) -> Vec<Record> {
        let taught = self.history.timeline.rewards();
        let mut changed: Vec<(f64, &Record)> = taught
            .into_iter()
            .filter_map(|(id, before)| {
                let record = self.history.record(id)?;
                let now = weights.reward(&record.post.rated()?).get();
                Some(((now - before).abs(), record))
            })
            .filter(|(change, _)| *change > 1e-6)
            .collect();
        changed.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.post.id.cmp(&other.post.id)));
        changed
            .into_iter()
            .take(most)
            .map(|(_, record)| record.clone())
            .collect()
    }

    /// Rated posts that the automatic rater has not looked at.
    pub fn unseen(&self) -> Vec<Record> {
        let rated = self
            .history
            .records
            .iter()
            .filter(|record| record.post.rated().is_some());
        rated.filter(|record| !self.has_seen(record.post.id)).cloned().collect()
    }

    /// The candidates that were written last, if nothing is taught from them yet.
    pub fn newest(&self) -> Vec<Record> {
        let written = |record: &&Record| record.post.edit_of.is_none();
        let records = || self.history.records.iter().filter(written);
        let Some(group) = records().next_back().map(|record| record.post.first()) else {
            return Vec::new();
        };
        let newest: Vec<Record> = records()
            .filter(|record| record.post.first() == group)
            .cloned()
            .collect();
        let is_taught = newest
            .iter()
            .any(|record| self.timeline().lesson_of(record.post.id).is_some());
        if is_taught { Vec::new() } else { newest }
    }

    /// Whether there are enough ratings for the automatic rater to have something to say.
    pub fn is_worth_looking(&self) -> bool {
        let rated = self
            .history
            .records
            .iter()
            .filter(|record| record.post.rated().is_some());
        rated.count() >= LEAST_RATINGS
    }

    /// What the automatic rater would give a post that it has looked at.
    pub fn guess(&self, rater: &Rater, id: PostId) -> Option<Guess> {
        Some(rater.guess(self.seen.get(&id)?))
    }

    /// Whether the automatic rater has looked at a post.
    pub fn has_seen(&self, id: PostId) -> bool {
        self.seen.contains_key(&id)
    }

    /// Lets the automatic rater look at a post.
    pub fn see(&mut self, record: &Record) -> Result<(), learning::Error> {
        let texts = std::slice::from_ref(&record.completion);
        let features = features::of(&self.model, &record.post.prompt, texts)?;
        self.seen
            .extend(features.into_iter().map(|features| (record.post.id, features)));
        Ok(())
    }

    /// The automatic rater, fitted on every rating, those of `new` posts too.
    pub fn rater(&self, new: &[Record]) -> Option<Rater> {
        let is_new = |record: &&Record| new.iter().any(|new| new.post.id == record.post.id);
        let old = self.history.records.iter().filter(|record| !is_new(record));
        let rated: Vec<Rated> = old
            .chain(new)
            .filter_map(|record| {
                Some(Rated {
                    features: self.seen.get(&record.post.id)?.clone(),
                    ratings: record.post.rated()?,
                })
            })
            .collect();
        Rater::fit(&rated, &features::parts(&self.model))
    }

    /// The automatic rater, if it knows the person well enough to be heard.
    pub fn honest_rater(&self, weights: &Weights) -> Result<Rater, Problem> {
        let honest = self.rater(&[]).filter(|rater| rater.insight().is_honest(weights));
        honest.ok_or(Problem::NoMaterial(
            "the automatic rater does not know you well enough yet",
        ))
    }

    /// What to write about for practice: the person's own prompts and the examples, other ones first in each lesson.
    pub fn prompts_to_practise(&self, number: u64) -> Vec<String> {
        let own = self.history.records.iter().map(|record| record.post.prompt.as_str());
        let mut prompts: Vec<&str> = own.chain(self.content.examples()).collect();
        prompts.sort_unstable();
        prompts.dedup();
        let first = number as usize * 7 % prompts.len();
        prompts.rotate_left(first);
        prompts.into_iter().map(str::to_owned).collect()
    }

    /// A learner to teach. It is a copy: the one in force stays as it is until the lesson is durable.
    pub fn pupil(&self, lora: Lora) -> Result<Learner, learning::Error> {
        match &self.learner {
            Some(learner) => Learner::from_snapshot(&learner.snapshot()?, &self.model),
            None => Learner::new(&self.model, lora, FIRST_SEED),
        }
    }

    /// A post.
    pub fn record(&self, id: PostId) -> Result<&Record, Problem> {
        self.history.record(id).ok_or(Problem::NoSuchPost(id))
    }

    /// Everything that was taught here, as a taste file.
    pub fn pack(&self, ratings: bool, weights: Weights, now: f64) -> Result<Vec<u8>, Problem> {
        let name = &self.model.card().name;
        let known = KNOWN.iter().find(|known| known.name == name);
        let packed = taste::pack(&taste::Source {
            model: &self.model,
            repository: known.map(|known| known.repo),
            content: self.content,
            adapter: self.adapter(),
            records: &self.history.records,
            timeline: &self.history.timeline,
            weights,
            ratings,
            made_at: now,
        });
        packed.map_err(|error| {
            if matches!(error, exchange::Error::Nothing) {
                Problem::NothingToExport
            } else {
                Problem::Export(error)
            }
        })
    }
}
