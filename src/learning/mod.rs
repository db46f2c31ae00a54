//! Learning from ratings: a [`Learner`] is all that teaching changes, a [`Lesson`] is one change in progress.
//!
//! A whole lesson is a [`Course`]: what the person said, with what is [`replay`]ed, and practice. The objective's formula is in
//! [`objective`], one optimiser step in [`lesson`], what is kept between lessons in [`snapshot`]; the automatic [`rater`] judges
//! by [`features`], [`credit`] says which tokens earned that, a [`trial`] shows how the model writes. Nothing here knows of a browser or a clock: the caller asks for one step at a time.

pub mod batch;
pub mod course;
pub mod credit;
pub mod features;
pub mod learner;
pub mod lesson;
pub mod loss;
pub mod objective;
pub mod optimizer;
pub mod rater;
pub mod replay;
pub mod snapshot;
pub mod trial;

use thiserror::Error;

pub use course::{Course, Practice, Progress};
pub use learner::Learner;
pub use lesson::{Lesson, LessonOutcome, Material, StepReport};
pub use snapshot::Snapshot;

/// Why a lesson can't be taught, or what was learned can't be read.
#[derive(Debug, Error)]
pub enum Error {
    /// A post without tokens teaches nothing.
    #[error("the post is empty, there is nothing to learn from")]
    EmptyPost,
    /// Prompt and post don't fit the model's context.
    #[error("the post is longer than the model's context of {0} tokens")]
    TooLong(usize),
    /// The loss or the gradient is no number any more.
    #[error("the lesson went wrong: its {0} is not a number")]
    NotFinite(&'static str),
    /// Kept bytes that are no snapshot, or belong to another model.
    #[error("what was learned can't be read: {0}")]
    Snapshot(String),
    /// The model could not write.
    #[error("{0}")]
    Writing(#[from] crate::engine::Error),
    /// A tensor operation failed.
    #[error("a computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}
