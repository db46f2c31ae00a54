//! The job with which the automatic rater gets to know what is new: posts that were rated, and those that were just written. It
//! gives way to everything that somebody waits for.

use super::dispatch::Page;
use super::history::Record;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::protocol::{Event, RequestId};

/// Posts that it looks at, one at a time.
pub struct Looking {
    /// The request after which this follows.
    pub request: RequestId,
    left: Vec<Record>,
}

impl Looking {
    /// Begins with all that it does not know.
    pub fn begin(request: RequestId, studio: &Studio) -> Job {
        let mut left = studio.unseen();
        if studio.is_worth_looking() {
            let is_new = |record: &Record| {
                !studio.has_seen(record.post.id) && left.iter().all(|other| other.post.id != record.post.id)
            };
            let newest: Vec<Record> = studio.newest().into_iter().filter(is_new).collect();
            left.extend(newest);
        }
        Job::Look(Box::new(Self { request, left }))
    }

    /// Looks at a post, or says what it knows.
    pub fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if let Some(record) = self.left.pop() {
            studio.see(&record)?;
            return Ok(Some(Job::Look(self)));
        }
        if let Some(rater) = studio.rater(&[]) {
            let newest = studio.newest();
            let guesses = newest
                .iter()
                .filter_map(|record| Some((record.post.id, studio.guess(&rater, record.post.id)?)));
            let event = Event::Known {
                guesses: guesses.collect(),
                insight: rater.insight().clone(),
            };
            page.tell(self.request, event);
        }
        Ok(None)
    }
}
