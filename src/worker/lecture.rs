//! The job that teaches: one optimiser step at a time, then everything into the database at once.

use super::dispatch::Page;
use super::host;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use super::writing::Comparison;
use crate::feedback::{Ratings, Weights};
use crate::learning::{self, Learner};
use crate::protocol::{Event, Lesson, PostId, RequestId, Step};
use crate::settings::Teaching;

/// A lesson in progress, with the copy of the learner that it changes.
pub struct Lecture {
    /// What it answers.
    pub request: RequestId,
    post: PostId,
    ratings: Ratings,
    reward: f64,
    teaching: Teaching,
    pupil: Learner,
    lesson: learning::Lesson,
    steps: Vec<Step>,
}

impl Lecture {
    /// Begins a lesson.
    pub fn begin(
        request: RequestId,
        post: PostId,
        ratings: Ratings,
        weights: &Weights,
        teaching: Teaching,
        studio: &Studio,
    ) -> Result<Job, Problem> {
        let record = studio.record(post)?;
        if record.post.lesson.is_some() {
            return Err(Problem::TaughtAlready(post));
        }
        let mut teaching = teaching.clamped();
        let pupil = studio.pupil(teaching.lora)?;
        teaching.lora = *pupil.lora();
        let reward = weights.reward(&ratings);
        let lesson = learning::Lesson::begin(&pupil, &studio.model, &record.completion, reward, &teaching)?;
        let steps = Vec::with_capacity(teaching.steps);
        let reward = reward.get();
        Ok(Job::Teach(Box::new(Self {
            request,
            post,
            ratings,
            reward,
            teaching,
            pupil,
            lesson,
            steps,
        })))
    }

    /// Takes one optimiser step, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if self.lesson.done() {
            return self.finish(studio, page).await;
        }
        let began_at = host::now();
        let report = self.lesson.step(&mut self.pupil, &studio.model)?;
        let step = Step {
            number: self.steps.len() + 1,
            of: self.teaching.steps,
            loss: report.loss,
            gradient_norm: report.gradient_norm,
            kl: report.kl,
            millis: host::now() - began_at,
        };
        self.steps.push(step);
        page.tell(self.request, Event::Stepped { post: self.post, step });
        Ok(Some(Job::Teach(self)))
    }

    async fn finish(self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let Self {
            request,
            post,
            ratings,
            reward,
            teaching,
            mut pupil,
            lesson,
            steps,
        } = *self;
        let outcome = lesson.finish(&mut pupil, &studio.model)?;
        if !outcome.log_prob_after.is_finite() {
            return Err(learning::Error::NotFinite("result").into());
        }
        let lesson = Lesson {
            number: studio.head().lessons + 1,
            reward,
            baseline: outcome.baseline,
            coefficient: outcome.coefficient,
            teaching,
            steps,
            log_prob_before: outcome.log_prob_before,
            log_prob_after: outcome.log_prob_after,
            after: None,
        };
        let post = studio.learn(pupil, post, ratings.into(), lesson).await?;
        page.tell(request, Event::Learned { post: post.clone() });
        Ok(Some(Comparison::begin(request, &post, studio)?))
    }
}
