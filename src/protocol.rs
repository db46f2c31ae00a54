//! The whole contract between the page and the worker: [`Command`]s go in, [`Event`]s come out.
//!
//! The worker owns all state: model, adapter, optimiser, database. It says [`Event::Ready`] before anything else;
//! messages sent earlier are lost. Every command travels in a [`Request`] with an id, every event in a [`Reply`] that
//! names the request that it answers. `Write`, `Teach`, `TeachItself`, `Pair` and `Measure` are answered by several events, the last
//! of which is `Written`, `Learned`, `Rounded`, `Paired`, `Measured`, `Stopped` or `Failed`; `Link` takes its time too. One of them runs at a time: a second is
//! refused with `Failed`. What follows by itself, `Compared`, `Watched` and `Known`, answers the request that it follows, and gives
//! way to everything else.

use serde::{Deserialize, Serialize};

use crate::content::ContentType;
use crate::feedback::{PartialRatings, Ratings, Weights};
use crate::insight::{Guess, Insight};
use crate::rails::Breach;
use crate::settings::{Lora, Precision, Sampling, Teaching};
use crate::timeline::{Node, NodeId, Timeline};

/// Names a request; the page counts up from 1.
pub type RequestId = u64;

/// Names a post within one history; counts up from 1 in the order of writing.
pub type PostId = u32;

/// The most texts that are written for one prompt at a time.
pub const MOST_CANDIDATES: usize = 4;

/// Bytes that the snapshots of one history may take before old ones are thinned out.
pub const SNAPSHOT_BUDGET: u64 = 96_000_000;

/// A command and the id under which it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The id that the replies repeat.
    pub id: RequestId,
    /// What is asked for.
    pub command: Command,
}

/// An event and the request that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// `None` for [`Event::Ready`] alone.
    pub request: Option<RequestId>,
    /// What happened.
    pub event: Event,
}

/// What the page asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Load a model and restore what was taught to it for a type of text.
    Open {
        /// Where it comes from.
        source: ModelSource,
        /// What is to be written.
        content: ContentType,
        /// How it shall lie in memory.
        precision: Precision,
    },
    /// Delete a kept model from this device. What was taught to it stays.
    Discard {
        /// Its id.
        id: String,
    },
    /// Write another type of text from now on. Every type has its own history and its own adapter.
    Choose {
        /// The type.
        content: ContentType,
    },
    /// Write a post, or several candidates for one.
    Write {
        /// What it should be about.
        prompt: String,
        /// How tokens are drawn. Each candidate has a seed of its own: this one, the next one, and so on.
        sampling: Sampling,
        /// How many, 1 to [`MOST_CANDIDATES`].
        candidates: usize,
        /// How strongly what was taught counts: 0 is the untaught model, 1 is as taught.
        strength: f64,
    },
    /// Stop writing or teaching. A post keeps what is written; a lesson is taken back.
    Stop,
    /// Keep ratings that are given but not taught yet.
    Rate {
        /// The post.
        post: PostId,
        /// Its ratings so far.
        ratings: PartialRatings,
    },
    /// Teach.
    Teach {
        /// From what.
        material: Material,
        /// How ratings are weighted now.
        weights: Weights,
        /// The objective and its settings.
        teaching: Teaching,
    },
    /// Let the automatic rater teach: in each round some texts are written, judged by it, and taught.
    TeachItself {
        /// How many rounds.
        rounds: usize,
        /// How ratings are weighted now.
        weights: Weights,
        /// The objective and its settings.
        teaching: Teaching,
    },
    /// Hold the taught model against the untaught one on prompts that are held out, as the automatic rater judges.
    Measure {
        /// How ratings are weighted now.
        weights: Weights,
    },
    /// Write a text untaught and taught, under one seed, for a prompt that is held out: a blind test.
    Pair {
        /// The seed; it also says which one comes first.
        seed: u64,
    },
    /// What the person says of the last pair.
    Judge {
        /// The lesson that was compared.
        node: NodeId,
        /// Which was better.
        verdict: Verdict,
    },
    /// Go back or forth to a lesson, or to the untaught model: Undo, Redo and every jump.
    Go {
        /// The lesson that shall be in force, with all before it.
        to: NodeId,
    },
    /// Give a lesson a name.
    Name {
        /// The lesson.
        node: NodeId,
        /// Its name; empty for none.
        name: String,
    },
    /// Delete a lesson and all that follow from it.
    Delete {
        /// The lesson.
        node: NodeId,
    },
    /// Delete every post, rating and lesson of this model, of all types, for ever.
    Forget,
    /// Pack what was taught into a taste file.
    Export {
        /// With the ratings, and the texts that they are of.
        ratings: bool,
        /// How ratings are weighted now.
        weights: Weights,
    },
    /// Pack what was taught into a taste file for each type of text, for a copy of the page.
    Share {
        /// As in [`Command::Export`].
        ratings: bool,
        /// As in [`Command::Export`].
        weights: Weights,
    },
    /// Put what was taught into a link, and find out how much of it that carries.
    Link,
    /// Say what a link is. It is answered like `Inspect`.
    InspectLink {
        /// The part of its address after the `#`.
        fragment: String,
    },
    /// Say what a taste file or a PEFT adapter is. The files travel beside the message, as for [`ModelSource::Files`].
    Inspect,
    /// Take in what was inspected last: its adapter as a lesson after the one in force, its ratings beside those that are here.
    Import,
}

/// What a taste file is, as its `fledge.json` says; of a plain PEFT adapter, what can be known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TasteInfo {
    /// The name of the model that was taught.
    pub base: String,
    /// Its id as in [`ModelInfo`]; empty if nothing is said.
    pub base_id: String,
    /// Its repository, if it has one.
    pub repository: Option<String>,
    /// What was written; `None` if nothing is said.
    pub content: Option<ContentType>,
    /// Texts.
    pub texts: usize,
    /// Texts that are rated on every metric.
    pub ratings: usize,
    /// The adapter's shape, if there is one.
    pub lora: Option<Lora>,
    /// Lessons that led to it.
    pub lessons: u32,
    /// How the last of them was taught.
    pub teaching: Option<Teaching>,
    /// How ratings were weighted.
    pub weights: Weights,
    /// What blind tests said of it.
    pub tally: Tally,
    /// What was measured of it on held-out prompts.
    pub measured: Option<Measured>,
    /// When it was packed, in milliseconds since 1970; `None` if nothing is said.
    pub made_at: Option<f64>,
}

/// What was taught, in an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What comes after the page's own address and a `#`.
    pub fragment: String,
    /// How much of what was taught it carries: the share of the divergence from the untaught model that is not lost.
    pub carried: f64,
}

/// Two texts for one prompt, one of them by the taught model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The lesson in force.
    pub node: NodeId,
    /// What they are about.
    pub prompt: String,
    /// In the order in which they are shown.
    pub texts: [String; 2],
    /// The first one is the taught model's.
    pub taught_first: bool,
}

/// What a person says of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The taught model's is better.
    Taught,
    /// The untaught model's is better.
    Untaught,
    /// Neither.
    Tie,
}

/// How often each was better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The taught model.
    pub taught: u32,
    /// The untaught one.
    pub untaught: u32,
    /// Neither.
    pub ties: u32,
}

impl Tally {
    /// Counts a verdict.
    #[must_use]
    pub const fn with(mut self, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Taught => self.taught += 1,
            Verdict::Untaught => self.untaught += 1,
            Verdict::Tie => self.ties += 1,
        }
        self
    }

    /// All verdicts.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.taught + self.untaught + self.ties
    }
}

/// Most rounds that the automatic rater may teach at a time.
pub const MOST_ROUNDS: usize = 50;

/// What was found by measuring: mean rewards on held-out prompts, as the automatic rater judges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The untaught model's.
    pub untaught: f64,
    /// The taught model's.
    pub taught: f64,
    /// How much higher that is, in parts of the untaught model's: where 95 % of bootstrap samples begin …
    pub low: f64,
    /// … and end.
    pub high: f64,
    /// Texts of each.
    pub texts: usize,
    /// The rank correlation of the rater's guesses with the person's rewards.
    pub correlation: f64,
}

/// How good a post is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The post.
    pub post: PostId,
    /// What the person gives it.
    pub ratings: PartialRatings,
    /// What the automatic rater gives it where the person gives nothing.
    pub filled_in: PartialRatings,
}

/// What a lesson is taught from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Material {
    /// Rated candidates for one prompt, or one rated post.
    Rated(Vec<Judgement>),
    /// The rated posts that were taught before, those first whose reward the weights have changed most.
    Reweighted,
    /// One candidate is the best.
    Preferred {
        /// This one.
        chosen: PostId,
        /// The others.
        rejected: Vec<PostId>,
    },
    /// A post as the person would have written it.
    Edited {
        /// The post that was edited.
        post: PostId,
        /// What it says now.
        text: String,
    },
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelSource {
    /// A folder on a server.
    Folder {
        /// The URL, ending in `/`, under which `config.json`, `tokenizer.json`, `model.safetensors` and, perhaps,
        /// `fledge.json` lie.
        url: String,
    },
    /// A repository, which is downloaded to this device first.
    Hub(Hub),
    /// One that is kept on this device.
    Kept {
        /// Its id.
        id: String,
    },
    /// Files that the person picked. They travel beside the message, in its property `files`: browser objects are no
    /// plain data. Once they are open, they are kept.
    Files,
}

/// A model's repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    /// The hub's address, `https://huggingface.co` for one.
    pub base: String,
    /// The repository, `openai-community/gpt2` for one.
    pub repo: String,
    /// A commit, a tag or a branch.
    pub revision: String,
}

/// A model that is kept on this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptModel {
    /// Its key on this device.
    pub id: String,
    /// Its id as in [`ModelInfo`], once it has been opened.
    pub model: Option<String>,
    /// Its name.
    pub name: String,
    /// Its size on the disk.
    pub bytes: u64,
    /// It can be opened. Otherwise it is what has arrived of a download.
    pub whole: bool,
}

/// What the worker tells the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker listens. Always the first.
    Ready,
    /// The model is on its way.
    Loading {
        /// Bytes that have arrived, or that have been read.
        received: u64,
        /// Bytes in all, if that is known.
        total: Option<u64>,
    },
    /// The models that are kept on this device, whenever that has changed.
    Kept {
        /// All of them, by name.
        models: Vec<KeptModel>,
    },
    /// The connection to the hub broke off; it is tried again after some seconds.
    Retrying {
        /// How many.
        seconds: u64,
    },
    /// The open model is being copied to this device.
    Keeping {
        /// Bytes that are copied.
        copied: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The model is ready and what was taught to it is restored.
    Opened {
        /// The model.
        model: ModelInfo,
        /// Its history.
        memory: Memory,
        /// Whether what happens from now on is kept.
        keeping: Keeping,
    },
    /// Another type of text is chosen, and what was taught for it is restored.
    Chosen {
        /// The type.
        content: ContentType,
        /// Its history.
        memory: Memory,
        /// Whether what happens from now on is kept.
        keeping: Keeping,
    },
    /// Posts have been begun.
    Begun {
        /// Their ids, one for each candidate.
        posts: Vec<PostId>,
        /// The prompt did not fit the model's context; only its end was read.
        prompt_cut: bool,
    },
    /// A post as far as it is written.
    Text {
        /// The post.
        post: PostId,
        /// All of its text so far, whole characters only.
        text: String,
        /// Its tokens so far.
        tokens: usize,
    },
    /// The posts are finished (or stopped, with the text that they have) and kept.
    Written {
        /// All candidates that have a text.
        posts: Vec<Post>,
    },
    /// Ratings are kept.
    Rated {
        /// The post.
        post: PostId,
        /// Its ratings.
        ratings: PartialRatings,
    },
    /// One optimiser step of a lesson is done.
    Stepped {
        /// The step.
        step: Step,
    },
    /// The model writes texts that nobody sees, to practise what was taught.
    Practising {
        /// How many.
        texts: usize,
    },
    /// A lesson is learned and durable: ratings, adapter and optimiser state were written in one transaction.
    Learned {
        /// The posts with their ratings, and the person's own version if there is one.
        posts: Vec<Post>,
        /// The lesson, in force now.
        node: Node,
    },
    /// What the taught model writes now for a lesson's prompt, seed and settings.
    Compared {
        /// The lesson.
        node: NodeId,
        /// The text under the same seed, after the lesson.
        after: String,
    },
    /// The guard rails have watched a lesson.
    Watched {
        /// The lesson.
        node: NodeId,
        /// What it broke, if anything; then it is taken back, and this is where one is now.
        breach: Option<(Breach, NodeId)>,
    },
    /// What the automatic rater knows now, and what it would give the posts that were written last.
    Known {
        /// How well it knows the person.
        insight: Insight,
        /// Its guesses.
        guesses: Vec<(PostId, Guess)>,
    },
    /// A round of the automatic rater begins.
    Round {
        /// Counts from 1.
        number: usize,
        /// How many there will be.
        of: usize,
        /// What is written about.
        prompt: String,
    },
    /// Its rounds are over.
    Rounded {
        /// How many of its lessons are in force.
        rounds: usize,
    },
    /// The models are being held against each other.
    Measuring {
        /// Prompts that are done …
        done: usize,
        /// … of so many.
        of: usize,
    },
    /// They were held against each other.
    Measured {
        /// The lesson in force.
        node: NodeId,
        /// What was found.
        measured: Measured,
    },
    /// Two texts to be compared.
    Paired {
        /// Which is which is not shown.
        pair: Pair,
    },
    /// A verdict is kept.
    Judged {
        /// The lesson that was compared.
        node: NodeId,
        /// All verdicts on it.
        tally: Tally,
    },
    /// Another lesson is in force.
    Went {
        /// The lesson.
        to: NodeId,
    },
    /// A lesson has a name.
    Named {
        /// The lesson.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A lesson and all that followed from it are gone.
    Deleted {
        /// The lesson.
        node: NodeId,
    },
    /// Everything is forgotten.
    Forgotten,
    /// A taste file is packed. It travels beside the message, in its property `files`.
    Exported {
        /// What it should be called.
        name: String,
        /// Its bytes.
        bytes: u64,
    },
    /// What was taught is packed for a copy of the page. The taste files travel beside the message, in their order.
    Shared {
        /// What the copy should be called.
        name: String,
        /// What each file is about. The first is the type that is chosen.
        contents: Vec<ContentType>,
    },
    /// What was taught is in a link.
    Linked {
        /// The link.
        link: Link,
    },
    /// A taste file or a link can be taken in. Nothing has changed yet.
    Inspected {
        /// What it is.
        taste: TasteInfo,
    },
    /// A taste file is taken in, and that is durable.
    Imported {
        /// Posts that are new, or have ratings that they did not have.
        posts: Vec<Post>,
        /// How many are new.
        new: usize,
        /// Its adapter as a lesson, in force now, if it has one.
        node: Option<Node>,
    },
    /// A lesson was stopped; everything is as it was before it.
    Stopped,
    /// The request could not be carried out; what was there before still holds.
    Failed {
        /// One sentence or two: what happened, what was kept, what to do.
        problem: String,
        /// Nothing works until a model is opened.
        fatal: bool,
    },
}

/// The open model, as the page describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its name.
    pub name: String,
    /// Its number of weights.
    pub parameters: u64,
    /// Transformer blocks.
    pub layers: usize,
    /// Width.
    pub width: usize,
    /// Entries of the vocabulary.
    pub vocabulary: usize,
    /// Tokens that it can look back on, prompt and post together.
    pub context: usize,
    /// How its matrices lie in memory.
    pub precision: Precision,
    /// Bytes of memory that they take.
    pub bytes: u64,
    /// The instructions that it computes with: `simd128`, `relaxed-simd`.
    pub kernels: String,
    /// Hash of its shape and a sample of its weights: what was taught belongs to this.
    pub id: String,
}

/// Everything that was kept for a model and a type of text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// All posts, oldest first.
    pub posts: Vec<Post>,
    /// All lessons, and which of them are in force.
    pub timeline: Timeline,
    /// The shape of the adapter, once a lesson has been taught.
    pub lora: Option<Lora>,
}

/// Whether ratings and lessons survive the tab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keeping {
    /// In the browser's database.
    Kept,
    /// Not at all, and why: the database is denied (a private window, say).
    NotKept {
        /// The browser's reason.
        reason: String,
    },
}

/// A post, an e-mail or a piece of copy, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// Its id.
    pub id: PostId,
    /// What it is. Posts from before there were types are posts.
    #[serde(default)]
    pub content: ContentType,
    /// The first of the candidates that were written together; itself if it was alone. 0 in posts from before there were any.
    #[serde(default)]
    pub group: PostId,
    /// The post of which this is the person's own version.
    #[serde(default)]
    pub edit_of: Option<PostId>,
    /// What was typed.
    pub prompt: String,
    /// What was written.
    pub text: String,
    /// How many tokens that took.
    pub tokens: usize,
    /// The settings under which it was written, seed included.
    pub sampling: Sampling,
    /// Why it ends where it ends.
    pub ending: Ending,
    /// Lessons in force when it was written; 0 means the untaught model wrote it.
    pub lessons_before: u32,
    /// When it was finished, in milliseconds since 1970.
    pub written_at: f64,
    /// Milliseconds from the request to the end.
    pub millis: f64,
    /// How strongly what was taught counted when it was written.
    #[serde(default = "full_strength")]
    pub strength: f64,
    /// What the person has given it so far.
    pub ratings: PartialRatings,
    /// What the automatic rater gave it where the person gave nothing, when it was taught. That is never taken for the person's.
    #[serde(default)]
    pub filled_in: PartialRatings,
    /// Texts over which the person chose it elsewhere, as it said when it was taken in. What they choose here, lessons say.
    #[serde(default)]
    pub chosen_over: Vec<PostId>,
}

const fn full_strength() -> f64 {
    1.0
}

impl Post {
    /// All four ratings that it was or would be taught with, whoever gave them.
    #[must_use]
    pub fn judged(&self) -> Option<Ratings> {
        self.ratings.or(self.filled_in).complete()
    }

    /// The same, if the person had a hand in them: what the automatic rater learns from.
    #[must_use]
    pub fn rated(&self) -> Option<Ratings> {
        self.judged().filter(|_| !self.ratings.is_empty())
    }

    /// The first of its candidates.
    #[must_use]
    pub const fn first(&self) -> PostId {
        if self.group == 0 { self.id } else { self.group }
    }
}

/// Why a post ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The model ended it.
    EndOfText,
    /// It has as many tokens as were asked for, or the context is full.
    Length,
    /// One more word would exceed what its type allows.
    Full,
    /// It was stopped.
    Stopped,
}

/// One optimiser step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Counts from 1.
    pub number: usize,
    /// Steps in this lesson.
    pub of: usize,
    /// The objective's value before the step.
    pub loss: f64,
    /// L2 norm of the gradient over all LoRA weights, before clipping.
    pub gradient_norm: f64,
    /// Mean divergence from the untaught model per token of the post, in nats.
    pub kl: f64,
    /// How long it took.
    pub millis: f64,
}

/// What was taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// What it said of each post, in the order of its material: the chosen one or the edit first.
    pub posts: Vec<Taught>,
    /// From what kind of judgement.
    #[serde(default)]
    pub kind: LessonKind,
    /// The settings.
    pub teaching: Teaching,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Posts of earlier lessons that were taught along.
    #[serde(default)]
    pub replayed: usize,
    /// Texts of its own that the model practised on, judged by the automatic rater.
    #[serde(default)]
    pub practised: usize,
    /// How well the automatic rater knew the person then: its left-out predictions' rank correlation with their rewards.
    #[serde(default)]
    pub rater: Option<f64>,
    /// When it was learned, in milliseconds since 1970.
    pub learned_at: f64,
    /// What the taught model writes for the first post's prompt and seed, once it was tried.
    pub after: Option<String>,
    /// The guard rail that it broke; then it was taken back.
    #[serde(default)]
    pub breach: Option<Breach>,
    /// What blind tests say of the model as it was after it.
    #[serde(default)]
    pub tally: Tally,
    /// What measuring says of it.
    #[serde(default)]
    pub measured: Option<Measured>,
}

/// What kind of judgement a lesson was taught from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LessonKind {
    /// Ratings.
    #[default]
    Rated,
    /// One candidate was the best.
    Preferred,
    /// The person's own version.
    Edited,
    /// The automatic rater's, alone.
    Automatic,
    /// Old ratings under new weights.
    Reweighted,
    /// None: what was taught elsewhere, taken in from a file or a link.
    Imported,
}

/// What a lesson said of one post.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taught {
    /// The post.
    pub post: PostId,
    /// Its reward, if it was rated.
    pub reward: Option<f64>,
    /// What that was compared with.
    pub baseline: f64,
    /// What the objective made of it: the factor on the post's cross-entropy at the first step.
    pub coefficient: f64,
    /// Mean log-probability per token of the post before the lesson, in nats.
    pub log_prob_before: f64,
    /// The same after it.
    pub log_prob_after: f64,
}

/// A lesson from these posts, for tests.
#[cfg(test)]
#[must_use]
pub fn test_lesson(posts: &[PostId]) -> Lesson {
    let taught = |post: &PostId| Taught {
        post: *post,
        reward: Some(0.75),
        baseline: 0.5,
        coefficient: 0.25,
        log_prob_before: -3.0,
        log_prob_after: -2.9,
    };
    Lesson {
        posts: posts.iter().map(taught).collect(),
        kind: LessonKind::Rated,
        teaching: Teaching::default(),
        steps: Vec::new(),
        replayed: 0,
        practised: 0,
        rater: None,
        learned_at: 0.0,
        after: None,
        breach: None,
        tally: Tally::default(),
        measured: None,
    }
}
