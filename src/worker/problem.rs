//! What the person is told when something fails: what happened, what was kept, what to do.

use thiserror::Error;

use super::{library, store};
use crate::protocol::PostId;
use crate::timeline::NodeId;
use crate::{engine, exchange, learning};

/// A failed request, in plain sentences.
#[derive(Debug, Error)]
pub enum Problem {
    /// Nothing can be done without a model.
    #[error("No model is open yet. Open one first.")]
    NothingOpen,
    /// One thing at a time.
    #[error(
        "Something else is going on: a model is on its way, a text is being written, or a lesson taught. Stop it first."
    )]
    Busy,
    /// A message that this worker doesn't understand.
    #[error("The page and its engine come from different versions ({0}). Reload the page.")]
    Misunderstood(String),
    /// There is no model, or it can't be read.
    #[error("The model could not be opened: {0}.")]
    Open(library::Error),
    /// The person pressed Stop.
    #[error("Opening the model was stopped.")]
    OpeningStopped,
    /// The model works, but is not on this device.
    #[error("The model is open, but it could not be kept on this device: {0}. Choose its files again next time.")]
    KeepModel(library::ShelfError),
    /// The files are still there.
    #[error("The model could not be deleted: {0}.")]
    Discard(library::ShelfError),
    /// Nothing to write about.
    #[error("The prompt is empty. Type what the post should be about.")]
    EmptyPrompt,
    /// Its few tokens don't make up a single character.
    #[error("The model wrote nothing that can be read. Write again, perhaps with a greater length.")]
    NothingWritten,
    /// The engine failed while it wrote.
    #[error("The post could not be written: {0}. Everything that was kept before is still there.")]
    Write(engine::Error),
    /// The post is on the screen, but not in the database.
    #[error("The post could not be kept: {0}. You can go on, but it will be gone once this tab is closed.")]
    KeepPost(store::Error),
    /// The ratings are on the screen, but not in the database.
    #[error("The ratings could not be kept: {0}. Teach from them, or rate again, to try once more.")]
    KeepRatings(store::Error),
    /// The page speaks of a post that isn't there.
    #[error("There is no post {0} any more. Reload the page to see what is kept.")]
    NoSuchPost(PostId),
    /// A post is taught once.
    #[error("Post {0} has been taught already. Take its lesson back first, or write another post.")]
    TaughtAlready(PostId),
    /// The lesson failed.
    #[error("The lesson could not be taught: {0}. The model is as it was before.")]
    Teach(#[from] learning::Error),
    /// The lesson went well, but not into the database.
    #[error("The lesson could not be kept: {0}. The model is as it was before, and your ratings are still here.")]
    KeepLesson(store::Error),
    /// The page speaks of a lesson that isn't there, or whose state was given up.
    #[error("Lesson {0} is not kept any more. The model is as it was before.")]
    NoSuchLesson(NodeId),
    /// What was learned in a lesson can't be read.
    #[error("That lesson could not be brought back: {0}. The model is as it was before.")]
    Undo(learning::Error),
    /// The database failed.
    #[error("That lesson could not be brought back: {0}. The model is as it was before.")]
    KeepUndo(store::Error),
    /// The database failed.
    #[error("What is new about the lesson could not be kept: {0}.")]
    KeepNote(store::Error),
    /// There is nothing to learn from.
    #[error("There is nothing to teach: {0}.")]
    NoMaterial(&'static str),
    /// The database failed.
    #[error("Nothing was forgotten: {0}. Try again, or delete this page's data in the browser's settings.")]
    Forget(store::Error),
    /// Neither lessons nor ratings.
    #[error("There is nothing to export yet. Rate a text or teach a lesson first.")]
    NothingToExport,
    /// The file could not be made.
    #[error("What you taught could not be packed: {0}.")]
    Export(exchange::Error),
    /// The link could not be made.
    #[error("The link could not be made: {0}. Export gives you what you taught as a file.")]
    Link(exchange::Error),
    /// What fits into a link is not what was taught.
    #[error(
        "What you taught does not fit into a link: of what it changed, only {:.0} % would be left. Export gives you all of it as \
         a file.",
        100.0 * carried
    )]
    DoesNotFit {
        /// The share that would be left.
        carried: f64,
    },
    /// The link is not what it must be.
    #[error("The link could not be opened: {0}. Nothing has changed.")]
    OpenLink(exchange::Error),
    /// The file is not what it must be.
    #[error("The file could not be imported: {0}. Nothing has changed.")]
    Import(exchange::Error),
    /// The file was moved while it was read, or is larger than anything that could be imported.
    #[error("The file could not be imported: {0} can't be read. Nothing has changed.")]
    Unreadable(String),
    /// The worker was started anew since, or another model was opened.
    #[error("What you looked at is not at hand any more. Choose the file or open the link again.")]
    NotAtHand,
    /// What it holds can't be taught on.
    #[error("What was taught elsewhere could not be taken in: {0}. Nothing has changed.")]
    TakeIn(learning::Error),
    /// The database failed.
    #[error("What was taught elsewhere could not be kept: {0}. Nothing has changed.")]
    KeepImport(store::Error),
    /// Part of the history is damaged. What could be read is there.
    #[error("{}", lost_sentence(*posts, *lessons))]
    Lost {
        /// Posts that are gone.
        posts: usize,
        /// Lessons that are gone.
        lessons: u32,
    },
}

impl Problem {
    /// A failure to begin or go on writing.
    pub fn writing(error: engine::Error) -> Self {
        if matches!(error, engine::Error::EmptyPrompt) {
            Self::EmptyPrompt
        } else {
            Self::Write(error)
        }
    }
}

fn lost_sentence(posts: usize, lessons: u32) -> String {
    let count = |n: u64, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let lost: Vec<String> = [
        count(posts as u64, "post", "posts"),
        count(lessons.into(), "lesson", "lessons"),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!(
        "{} could not be read, because the browser's database is damaged. Everything else is here; teach on from it.",
        lost.join(" and ")
    )
}
