//! The job with which the automatic rater teaches alone: texts are written in front of the person, judged, taught, and watched by
//! the guard rails, round after round. It ends by itself when a lesson breaks a rail, and keeps what was learned until then.

use super::dispatch::Page;
use super::job::Job;
use super::lecture::Lecture;
use super::problem::Problem;
use super::studio::Studio;
use super::writing::{Order, Writing};
use crate::feedback::Weights;
use crate::learning::rater::Rater;
use crate::protocol::{Event, MOST_CANDIDATES, MOST_ROUNDS, PostId, RequestId};
use crate::settings::{Sampling, Teaching};

/// Seeds of their texts begin here, far from those that a person would type.
const ROUND_SEED: u64 = 1 << 41;

/// Some rounds.
pub struct Rounds {
    /// What they answer.
    pub request: RequestId,
    /// What the person says while they go on is for the next ones.
    rater: Rater,
    weights: Weights,
    teaching: Teaching,
    number: usize,
    of: usize,
    /// How many lessons are in force.
    learned: usize,
    stage: Stage,
    inner: Option<Box<Job>>,
}

/// What the inner job does.
enum Stage {
    /// Texts from this one on.
    Writing(PostId),
    /// A lesson, and the guard rails after it. Before it there were so many in force.
    Teaching(u32),
}

impl Rounds {
    /// Begins, if the automatic rater knows the person well enough.
    pub fn begin(
        request: RequestId,
        rounds: usize,
        weights: Weights,
        teaching: Teaching,
        studio: &Studio,
        page: &Page,
    ) -> Result<Job, Problem> {
        let mut rounds = Self {
            request,
            rater: studio.honest_rater(&weights)?,
            weights,
            teaching,
            number: 0,
            of: rounds.clamp(1, MOST_ROUNDS),
            learned: 0,
            stage: Stage::Writing(0),
            inner: None,
        };
        rounds.write(studio, page)?;
        Ok(Job::Rounds(Box::new(rounds)))
    }

    fn write(&mut self, studio: &Studio, page: &Page) -> Result<(), Problem> {
        self.number += 1;
        let first = studio.next_post();
        let prompts = studio.prompts_to_practise(u64::from(first));
        let prompt = prompts.into_iter().next().unwrap_or_default();
        page.tell(
            self.request,
            Event::Round {
                number: self.number,
                of: self.of,
                prompt: prompt.clone(),
            },
        );
        let order = Order {
            prompt,
            sampling: Sampling {
                seed: ROUND_SEED + u64::from(first),
                ..Sampling::of(studio.content)
            },
            candidates: MOST_CANDIDATES,
            strength: 1.0,
        };
        self.stage = Stage::Writing(first);
        self.inner = Some(Box::new(Writing::begin(self.request, order, studio, page)?));
        Ok(())
    }

    /// Does a little of a round, begins the next one, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if let Some(job) = self.inner.take() {
            let left = Box::pin(job.step(studio, page)).await?;
            self.inner = left.map(Box::new);
            if self.inner.is_some() {
                return Ok(Some(Job::Rounds(self)));
            }
        }
        match self.stage {
            Stage::Writing(first) => self.judge(first, studio)?,
            Stage::Teaching(before) => {
                let is_in_force = studio.timeline().depth() > before;
                self.learned += usize::from(is_in_force);
                if !is_in_force || self.number >= self.of {
                    self.end(page);
                    return Ok(None);
                }
                self.write(studio, page)?;
            }
        }
        Ok(Some(Job::Rounds(self)))
    }

    /// The lesson from what was just written.
    fn judge(&mut self, first: PostId, studio: &mut Studio) -> Result<(), Problem> {
        let written: Vec<_> = studio
            .newest()
            .into_iter()
            .filter(|record| record.post.id >= first)
            .collect();
        for record in written
            .iter()
            .filter(|record| !studio.has_seen(record.post.id))
            .cloned()
            .collect::<Vec<_>>()
        {
            studio.see(&record)?;
        }
        let judged = written
            .into_iter()
            .filter_map(|record| studio.guess(&self.rater, record.post.id).map(|guess| (record, guess)));
        let judged: Vec<_> = judged.collect();
        let teaching = Teaching {
            steps: 1,
            ..self.teaching
        };
        self.stage = Stage::Teaching(studio.timeline().depth());
        let lecture = Lecture::automatic(self.request, self.rater.clone(), judged, self.weights, teaching, studio)?;
        self.inner = Some(Box::new(lecture));
        Ok(())
    }

    /// Says how many rounds were learned.
    pub fn end(&self, page: &Page) {
        page.tell(self.request, Event::Rounded { rounds: self.learned });
    }
}
