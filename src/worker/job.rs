//! What takes longer than a moment: writing a post, teaching a lesson, and trying out what was learned.
//!
//! A job is pulled. [`Job::step`] computes one token or one optimiser step and gives back what there is to do next, so
//! whoever pulls can look for messages in between, and stopping is nothing but not pulling any more: a post keeps what
//! it has, a lesson works on a copy that is dropped.

use super::dispatch::Page;
use super::history::Record;
use super::host;
use super::problem::Problem;
use super::studio::Studio;
use crate::engine::{Generation, generation};
use crate::feedback::{PartialRatings, Ratings, Weights};
use crate::learning::{self, Learner};
use crate::protocol::{Ending, Event, Lesson, Post, PostId, RequestId, Step};
use crate::settings::{Sampling, Teaching};

/// The draft goes to the page at most this often, in milliseconds.
const DRAFT_INTERVAL: f64 = 33.0;

/// Something that goes on.
pub enum Job {
    /// A post.
    Write(Box<Writing>),
    /// A lesson.
    Teach(Box<Lecture>),
    /// The taught model writes the post of its last lesson once more. Nobody waits for it.
    Compare(Box<Comparison>),
}

impl Job {
    /// The request that it answers.
    pub fn request(&self) -> RequestId {
        match self {
            Self::Write(writing) => writing.request,
            Self::Teach(lecture) => lecture.request,
            Self::Compare(comparison) => comparison.request,
        }
    }

    /// Does a little of it and returns what is left.
    pub async fn step(self, studio: &mut Studio, page: &Page) -> Result<Option<Self>, Problem> {
        match self {
            Self::Write(writing) => writing.step(studio, page).await,
            Self::Teach(lecture) => lecture.step(studio, page).await,
            Self::Compare(comparison) => comparison.step(studio, page).await,
        }
    }

    /// Ends it before its time.
    pub async fn stop(self, studio: &mut Studio, page: &Page) -> Result<(), Problem> {
        match self {
            Self::Write(writing) => writing.finish(studio, page).await,
            Self::Teach(lecture) => {
                page.tell(lecture.request, Event::Stopped);
                Ok(())
            }
            Self::Compare(_) => Ok(()),
        }
    }
}

/// A post in the making.
pub struct Writing {
    request: RequestId,
    post: PostId,
    prompt: String,
    sampling: Sampling,
    generation: Generation,
    began_at: f64,
    told_at: f64,
}

impl Writing {
    /// Begins a post.
    pub fn begin(
        request: RequestId,
        prompt: String,
        sampling: Sampling,
        studio: &Studio,
        page: &Page,
    ) -> Result<Job, Problem> {
        let sampling = sampling.clamped();
        let generation = Generation::new(&studio.model, &prompt, &sampling).map_err(Problem::writing)?;
        let post = studio.head().next_post;
        page.tell(
            request,
            Event::Begun {
                post,
                prompt_cut: generation.prompt_cut(),
            },
        );
        let now = host::now();
        Ok(Job::Write(Box::new(Self {
            request,
            post,
            prompt,
            sampling,
            generation,
            began_at: now,
            told_at: now,
        })))
    }

    async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let token = self
            .generation
            .next(&studio.model, studio.adapter())
            .map_err(Problem::writing)?;
        if token.is_none() {
            self.finish(studio, page).await?;
            return Ok(None);
        }
        let now = host::now();
        if now - self.told_at >= DRAFT_INTERVAL {
            self.told_at = now;
            let (text, tokens) = (self.generation.text().to_owned(), self.generation.tokens());
            page.tell(
                self.request,
                Event::Text {
                    post: self.post,
                    text,
                    tokens,
                },
            );
        }
        Ok(Some(Job::Write(self)))
    }

    /// Keeps the post as it is. A post that was stopped before its first word leaves no trace.
    async fn finish(self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<(), Problem> {
        let Self {
            request,
            post: id,
            prompt,
            sampling,
            generation,
            began_at,
            told_at: _,
        } = *self;
        let completion = generation.finish(&studio.model).map_err(Problem::writing)?;
        if completion.ids.is_empty() {
            page.tell(request, Event::Stopped);
            return Ok(());
        }
        let post = Post {
            id,
            prompt,
            text: completion.text.clone(),
            tokens: completion.ids.len(),
            sampling,
            ending: ending(completion.ending),
            lessons_before: studio.head().lessons,
            written_at: js_sys::Date::now(),
            millis: host::now() - began_at,
            ratings: PartialRatings::default(),
            lesson: None,
        };
        page.tell(
            request,
            Event::Text {
                post: id,
                text: post.text.clone(),
                tokens: post.tokens,
            },
        );
        let kept = studio
            .write_down(Record {
                post: post.clone(),
                completion,
            })
            .await;
        page.tell(request, Event::Written { post });
        kept
    }
}

const fn ending(ending: Option<generation::Ending>) -> Ending {
    match ending {
        Some(generation::Ending::EndOfText) => Ending::EndOfText,
        Some(generation::Ending::Length) => Ending::Length,
        Some(generation::Ending::Full) => Ending::Full,
        None => Ending::Stopped,
    }
}

/// A lesson in progress, with the copy of the learner that it changes.
pub struct Lecture {
    request: RequestId,
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

    async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
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

/// The same prompt, seed and settings under the taught model.
pub struct Comparison {
    request: RequestId,
    post: PostId,
    generation: Generation,
}

impl Comparison {
    fn begin(request: RequestId, post: &Post, studio: &Studio) -> Result<Job, Problem> {
        let generation = Generation::new(&studio.model, &post.prompt, &post.sampling).map_err(Problem::writing)?;
        Ok(Job::Compare(Box::new(Self {
            request,
            post: post.id,
            generation,
        })))
    }

    async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if self
            .generation
            .next(&studio.model, studio.adapter())
            .map_err(Problem::writing)?
            .is_some()
        {
            return Ok(Some(Job::Compare(self)));
        }
        let Self {
            request,
            post,
            generation,
        } = *self;
        let after = generation.finish(&studio.model).map_err(Problem::writing)?.text;
        studio.compare(post, after.clone()).await?;
        page.tell(request, Event::Compared { post, after });
        Ok(None)
    }
}
