//! What takes longer than a moment: writing a post, teaching a lesson, and trying out what was learned.
//!
//! A job is pulled. [`Job::step`] computes one token or one optimiser step and gives back what there is to do next, so
//! whoever pulls can look for messages in between, and stopping is nothing but not pulling any more: a post keeps what
//! it has, a lesson works on a copy that is dropped.

use super::dispatch::Page;
use super::lecture::Lecture;
use super::linking::Linking;
use super::looking::Looking;
use super::measuring::Measuring;
use super::pairing::Pairing;
use super::problem::Problem;
use super::rounds::Rounds;
use super::studio::Studio;
use super::watching::Watching;
use super::writing::{Comparison, WarmUp, Writing};
use crate::protocol::{Event, RequestId};

/// Something that goes on.
pub enum Job {
    /// A post.
    Write(Box<Writing>),
    /// A lesson.
    Teach(Box<Lecture>),
    /// The automatic rater teaches.
    Rounds(Box<Rounds>),
    /// Two texts for a blind test.
    Pair(Box<Pairing>),
    /// The taught model is held against the untaught one.
    Measure(Box<Measuring>),
    /// What was taught is put into a link.
    Link(Box<Linking>),
    /// The taught model writes the post of its last lesson once more. Nobody waits for it.
    Compare(Box<Comparison>),
    /// The guard rails are watched. Nobody waits for that either.
    Watch(Box<Watching>),
    /// The automatic rater looks at what is new. Nobody waits for that.
    Look(Box<Looking>),
    /// A few words before the first post. Nobody waits for them.
    WarmUp(Box<WarmUp>),
}

impl Job {
    /// The request that it answers.
    pub fn request(&self) -> RequestId {
        match self {
            Self::Write(writing) => writing.request,
            Self::Teach(lecture) => lecture.request,
            Self::Rounds(rounds) => rounds.request,
            Self::Pair(pairing) => pairing.request,
            Self::Measure(measuring) => measuring.request,
            Self::Link(linking) => linking.request,
            Self::Look(looking) => looking.request,
            Self::Compare(comparison) => comparison.request,
            Self::Watch(watching) => watching.request,
            Self::WarmUp(warm_up) => warm_up.request,
        }
    }

    /// Does a little of it and returns what is left.
    pub async fn step(self, studio: &mut Studio, page: &Page) -> Result<Option<Self>, Problem> {
        match self {
            Self::Write(writing) => writing.step(studio, page).await,
            Self::Teach(lecture) => lecture.step(studio, page).await,
            Self::Rounds(rounds) => rounds.step(studio, page).await,
            Self::Pair(pairing) => pairing.step(studio, page),
            Self::Measure(measuring) => measuring.step(studio, page).await,
            Self::Link(linking) => linking.step(studio, page),
            Self::Look(looking) => looking.step(studio, page),
            Self::Compare(comparison) => comparison.step(studio, page).await,
            Self::Watch(watching) => watching.step(studio, page).await,
            Self::WarmUp(warm_up) => Ok(warm_up.step(studio)),
        }
    }

    /// Ends it before its time.
    pub async fn stop(self, studio: &mut Studio, page: &Page) -> Result<(), Problem> {
        match self {
            Self::Write(writing) => writing.finish(studio, page).await,
            // What was learned in whole rounds stays.
            Self::Rounds(rounds) => {
                rounds.end(page);
                Ok(())
            }
            Self::Teach(_) | Self::Pair(_) | Self::Measure(_) | Self::Link(_) => {
                page.tell(self.request(), Event::Stopped);
                Ok(())
            }
            Self::Compare(_) | Self::Watch(_) | Self::Look(_) | Self::WarmUp(_) => Ok(()),
        }
    }
}
