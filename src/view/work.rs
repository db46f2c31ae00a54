//! What the worker was asked to do, and where on the page that belongs.

use crate::protocol::Command;

/// What a request was about, for the time until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Opening the model.
    Open,
    /// Deleting a kept model.
    Discard,
    /// Turning to another type of text.
    Choose,
    /// Writing a post.
    Write,
    /// Stopping.
    Stop,
    /// Keeping ratings.
    Rate,
    /// Teaching a lesson.
    Teach,
    /// Going to another lesson, back or forth.
    Go,
    /// Letting the automatic rater teach.
    TeachItself,
    /// Holding the models against each other.
    Measure,
    /// Writing a pair for the blind test.
    Pair,
    /// Keeping a verdict.
    Judge,
    /// Naming a lesson.
    Name,
    /// Deleting a lesson.
    Delete,
    /// Forgetting everything.
    Forget,
    /// Packing a taste file.
    Export,
    /// Making a link.
    Link,
    /// Looking at a file or a link.
    Inspect,
    /// Taking one in.
    Import,
}

/// Where on the page a problem is shown: next to where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Under the prompt.
    Desk,
    /// Beside the ratings.
    Lesson,
    /// Beside the lessons.
    Timeline,
    /// In the blind test, or beside it.
    Proof,
    /// Beside the automatic rater.
    Rater,
    /// Beside the models, in the settings.
    Models,
    /// Beside "Forget everything", in the settings.
    Settings,
    /// Beside Export and Import.
    Travel,
}

impl Work {
    pub(super) const fn of(command: &Command) -> Self {
        match command {
            Command::Open { .. } => Self::Open,
            Command::Discard { .. } => Self::Discard,
            Command::Choose { .. } => Self::Choose,
            Command::Write { .. } => Self::Write,
            Command::Stop => Self::Stop,
            Command::Rate { .. } => Self::Rate,
            Command::Teach { .. } => Self::Teach,
            Command::TeachItself { .. } => Self::TeachItself,
            Command::Measure { .. } => Self::Measure,
            Command::Pair { .. } => Self::Pair,
            Command::Judge { .. } => Self::Judge,
            Command::Go { .. } => Self::Go,
            Command::Name { .. } => Self::Name,
            Command::Delete { .. } => Self::Delete,
            Command::Forget => Self::Forget,
            Command::Export { .. } | Command::Share { .. } => Self::Export,
            Command::Link => Self::Link,
            Command::Inspect | Command::InspectLink { .. } => Self::Inspect,
            Command::Import => Self::Import,
        }
    }

    pub(super) const fn place(self) -> Place {
        match self {
            Self::Open | Self::Choose | Self::Write | Self::Stop => Place::Desk,
            Self::Rate | Self::Teach | Self::Go => Place::Lesson,
            Self::Name | Self::Delete => Place::Timeline,
            Self::TeachItself => Place::Rater,
            Self::Pair | Self::Judge | Self::Measure => Place::Proof,
            Self::Discard => Place::Models,
            Self::Forget => Place::Settings,
            Self::Export | Self::Link | Self::Inspect | Self::Import => Place::Travel,
        }
    }
}
