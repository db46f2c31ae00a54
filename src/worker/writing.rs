//! The jobs that write: a new post, and the post of the last lesson once more.

use super::dispatch::Page;
use super::history::Record;
use super::host;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::engine::{Generation, generation};
use crate::feedback::PartialRatings;
use crate::protocol::{Ending, Event, Post, PostId, RequestId};
use crate::settings::Sampling;

/// The draft goes to the page at most this often, in milliseconds.
const DRAFT_INTERVAL: f64 = 33.0;

/// Tokens of a warm-up.
const WARM_UP: usize = 4;

/// A post in the making.
pub struct Writing {
    /// What it answers.
    pub request: RequestId,
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
        let generation =
            Generation::new(&studio.model, studio.content, &prompt, &sampling).map_err(Problem::writing)?;
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
            // The first word is told at once.
            told_at: f64::NEG_INFINITY,
        })))
    }

    /// Draws one token, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
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
    pub async fn finish(self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<(), Problem> {
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
            if completion.ending.is_some() {
                return Err(Problem::NothingWritten);
            }
            page.tell(request, Event::Stopped);
            return Ok(());
        }
        let post = Post {
            id,
            content: studio.content,
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

/// A few words that nobody reads. A browser compiles what runs for the first time, and compiles better what runs often: it
/// shall do both before the first post is awaited.
pub struct WarmUp {
    /// The request that opened the model.
    pub request: RequestId,
    generation: Generation,
}

impl WarmUp {
    /// Begins when a worker's first model is there.
    pub fn begin(request: RequestId, studio: &Studio) -> Option<Job> {
        let sampling = Sampling {
            length: WARM_UP,
            ..Sampling::default()
        };
        let generation = Generation::new(&studio.model, studio.content, "A few words", &sampling).ok()?;
        Some(Job::WarmUp(Box::new(Self { request, generation })))
    }

    /// Draws one token, or ends. Whatever is wrong will be said when somebody waits for it.
    pub fn step(mut self: Box<Self>, studio: &Studio) -> Option<Job> {
        let token = self.generation.next(&studio.model, studio.adapter());
        matches!(token, Ok(Some(_))).then(|| Job::WarmUp(self))
    }
}

/// The same prompt, seed and settings under the taught model.
pub struct Comparison {
    /// What it answers.
    pub request: RequestId,
    post: PostId,
    generation: Generation,
}

impl Comparison {
    /// Begins after a lesson.
    pub fn begin(request: RequestId, post: &Post, studio: &Studio) -> Result<Job, Problem> {
        let generation =
            Generation::new(&studio.model, post.content, &post.prompt, &post.sampling).map_err(Problem::writing)?;
        Ok(Job::Compare(Box::new(Self {
            request,
            post: post.id,
            generation,
        })))
    }

    /// Draws one token, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
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
