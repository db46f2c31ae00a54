//! The whole contract between the page and the worker: [`Command`]s go in, [`Event`]s come out.
//!
//! The worker owns all state: model, adapter, optimiser, database. It says [`Event::Ready`] before anything else;
//! messages sent earlier are lost. Every command travels in a [`Request`] with an id, every event in a [`Reply`] that
//! names the request that it answers. `Write` and `Teach` are answered by several events, the last of which is
//! `Written`, `Learned`, `Stopped` or `Failed`. One of them runs at a time: a second is refused with `Failed`.

use serde::{Deserialize, Serialize};

use crate::content::ContentType;
use crate::feedback::{PartialRatings, Ratings, Weights};
use crate::settings::{Lora, Precision, Sampling, Teaching};

/// Names a request; the page counts up from 1.
pub type RequestId = u64;

/// Names a post within one history; counts up from 1 in the order of writing.
pub type PostId = u32;

/// So many lessons, at most, can be taken back.
pub const UNDO_DEPTH: u32 = 8;

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
    /// Write a post.
    Write {
        /// What it should be about.
        prompt: String,
        /// How tokens are drawn.
        sampling: Sampling,
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
    /// Teach from a rated post.
    Teach {
        /// The post.
        post: PostId,
        /// Its ratings.
        ratings: Ratings,
        /// How they are weighted now.
        weights: Weights,
        /// The objective and its settings.
        teaching: Teaching,
    },
    /// Take the last lesson back.
    Undo,
    /// Delete every post, rating and lesson of this model, of all types, for ever.
    Forget,
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
    /// A post has been begun.
    Begun {
        /// Its id.
        post: PostId,
        /// The prompt did not fit the model's context; only its end was read.
        prompt_cut: bool,
    },
    /// The post as far as it is written.
    Text {
        /// The post.
        post: PostId,
        /// All of its text so far, whole characters only.
        text: String,
        /// Its tokens so far.
        tokens: usize,
    },
    /// A post is finished (or stopped, with the text that it has) and kept.
    Written {
        /// The post.
        post: Post,
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
        /// The post that is taught from.
        post: PostId,
        /// The step.
        step: Step,
    },
    /// A lesson is learned and durable: rating, adapter and optimiser state were written in one transaction.
    Learned {
        /// The post with its ratings and its lesson.
        post: Post,
    },
    /// What the taught model writes now for a post's prompt, seed and settings.
    Compared {
        /// The post.
        post: PostId,
        /// The text under the same seed, after the lesson.
        after: String,
    },
    /// The last lesson is taken back.
    Undone {
        /// The post that it was taught from, as it is now.
        post: Post,
    },
    /// Everything is forgotten.
    Forgotten,
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
    /// Lessons in force.
    pub lessons: u32,
    /// How many of the last lessons can be taken back.
    pub undoable: u32,
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
    /// Its ratings so far.
    pub ratings: PartialRatings,
    /// The lesson that was taught from it, if one is in force.
    pub lesson: Option<Lesson>,
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

/// What was taught from one post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// Counts from 1 within the lessons in force.
    pub number: u32,
    /// The reward that was taught.
    pub reward: f64,
    /// The running mean of the rewards before it.
    pub baseline: f64,
    /// What the objective made of the two: the factor on the post's cross-entropy.
    pub coefficient: f64,
    /// The settings.
    pub teaching: Teaching,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Mean log-probability per token of the post before the lesson, in nats.
    pub log_prob_before: f64,
    /// The same after it.
    pub log_prob_after: f64,
    /// What the taught model writes for the same prompt and seed, once it was tried.
    pub after: Option<String>,
}
