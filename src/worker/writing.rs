//! The jobs that write: new posts, a few words to warm up, and the post of the last lesson once more.

use super::dispatch::Page;
use super::history::Record;
use super::host;
use super::job::Job;
use super::looking::Looking;
use super::problem::Problem;
use super::studio::Studio;
use super::watching::Watching;
use crate::engine::{Adapter, Generation, generation};
use crate::feedback::PartialRatings;
use crate::protocol::{Ending, Event, MOST_CANDIDATES, Post, PostId, RequestId};
use crate::settings::{STRENGTH, Sampling, bounded};
use crate::timeline::NodeId;

/// The draft goes to the page at most this often, in milliseconds.
const DRAFT_INTERVAL: f64 = 33.0;

/// Tokens of a warm-up.
const WARM_UP: usize = 4;

/// A post in the making, or several candidates for one.
pub struct Writing {
    /// What it answers.
    pub request: RequestId,
    /// The first candidate's id; the others follow.
    first: PostId,
    prompt: String,
    sampling: Sampling,
    strength: f64,
    adapter: Option<Adapter>,
    generation: Generation,
    began_at: f64,
    told_at: f64,
}

/// What shall be written.
pub struct Order {
    /// About what.
    pub prompt: String,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// How many candidates.
    pub candidates: usize,
    /// How strongly what was taught counts.
    pub strength: f64,
}

impl Writing {
    /// Begins a post.
    pub fn begin(request: RequestId, order: Order, studio: &Studio, page: &Page) -> Result<Job, Problem> {
        let sampling = order.sampling.clamped();
        let strength = bounded(order.strength, STRENGTH, 1.0);
        let count = order.candidates.clamp(1, MOST_CANDIDATES);
        let generation = Generation::new(&studio.model, studio.content, &order.prompt, &sampling, count)
            .map_err(Problem::writing)?;
        let first = studio.next_post();
        page.tell(
            request,
            Event::Begun {
                posts: (first..).take(count).collect(),
                prompt_cut: generation.prompt_cut(),
            },
        );
        Ok(Job::Write(Box::new(Self {
            request,
            first,
            prompt: order.prompt,
            sampling,
            strength,
            adapter: studio.adapter_at(strength),
            generation,
            began_at: host::now(),
            // The first word is told at once.
            told_at: f64::NEG_INFINITY,
        })))
    }

    /// Draws one token of each candidate, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let more = self
            .generation
            .next(&studio.model, self.adapter.as_ref())
            .map_err(Problem::writing)?;
        if !more {
            let request = self.request;
            self.finish(studio, page).await?;
            return Ok(studio.is_worth_looking().then(|| Looking::begin(request, studio)));
        }
        let now = host::now();
        if now - self.told_at >= DRAFT_INTERVAL {
            self.told_at = now;
            for (post, candidate) in (self.first..).zip(self.generation.candidates()) {
                self.tell(page, post, candidate.text().to_owned(), candidate.tokens());
            }
        }
        Ok(Some(Job::Write(self)))
    }

    fn tell(&self, page: &Page, post: PostId, text: String, tokens: usize) {
        page.tell(self.request, Event::Text { post, text, tokens });
    }

    /// Keeps the texts as they are. What was stopped before its first word leaves no trace.
    pub async fn finish(self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<(), Problem> {
        let Self {
            request,
            first,
            prompt,
            sampling,
            strength,
            adapter: _,
            generation,
            began_at,
            told_at: _,
        } = *self;
        let completions = generation.finish(&studio.model).map_err(Problem::writing)?;
        let was_stopped = completions.iter().any(|completion| completion.ending.is_none());
        let millis = host::now() - began_at;
        let candidates = completions.into_iter().enumerate();
        let written = candidates.filter(|(_, completion)| !completion.ids.is_empty());
        let records: Vec<Record> = (first..)
            .zip(written)
            .map(|(id, (at, completion))| Record {
                post: Post {
                    id,
                    content: studio.content,
                    group: first,
                    edit_of: None,
                    prompt: prompt.clone(),
                    text: completion.text.clone(),
                    tokens: completion.ids.len(),
                    sampling: Sampling {
                        seed: sampling.seed.wrapping_add(at as u64),
                        ..sampling
                    },
                    ending: ending(completion.ending),
                    lessons_before: if strength > 0.0 { studio.timeline().depth() } else { 0 },
                    written_at: js_sys::Date::now(),
                    millis,
                    strength,
                    ratings: PartialRatings::default(),
                    filled_in: PartialRatings::default(),
                    chosen_over: Vec::new(),
                },
                completion,
            })
            .collect();
        if records.is_empty() {
            if !was_stopped {
                return Err(Problem::NothingWritten);
            }
            page.tell(request, Event::Stopped);
            return Ok(());
        }
        let posts: Vec<Post> = records.iter().map(|record| record.post.clone()).collect();
        for post in &posts {
            page.tell(
                request,
                Event::Text {
                    post: post.id,
                    text: post.text.clone(),
                    tokens: post.tokens,
                },
            );
        }
        let kept = studio.write_down(records).await;
        page.tell(request, Event::Written { posts });
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
        let generation = Generation::new(&studio.model, studio.content, "A few words", &sampling, 1).ok()?;
        Some(Job::WarmUp(Box::new(Self { request, generation })))
    }

    /// Draws one token, or ends. Whatever is wrong will be said when somebody waits for it.
    pub fn step(mut self: Box<Self>, studio: &Studio) -> Option<Job> {
        let more = self.generation.next(&studio.model, studio.adapter());
        matches!(more, Ok(true)).then(|| Job::WarmUp(self))
    }
}

/// The prompt, seed and settings of a lesson's first post under the taught model.
pub struct Comparison {
    /// What it answers.
    pub request: RequestId,
    node: NodeId,
    generation: Generation,
}

impl Comparison {
    /// Begins after a lesson.
    pub fn begin(request: RequestId, post: &Post, node: NodeId, studio: &Studio) -> Result<Job, Problem> {
        let generation = Generation::new(&studio.model, post.content, &post.prompt, &post.sampling, 1);
        Ok(Job::Compare(Box::new(Self {
            request,
            node,
            generation: generation.map_err(Problem::writing)?,
        })))
    }

    /// Draws one token, or ends; then the guard rails have their turn.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if self
            .generation
            .next(&studio.model, studio.adapter())
            .map_err(Problem::writing)?
        {
            return Ok(Some(Job::Compare(self)));
        }
        let Self {
            request,
            node,
            generation,
        } = *self;
        let texts = generation.finish(&studio.model).map_err(Problem::writing)?;
        let after = texts
            .into_iter()
            .next()
            .map_or_else(String::new, |completion| completion.text);
        studio
            .note(node, |node| node.lesson.after = Some(after.clone()))
            .await?;
        page.tell(request, Event::Compared { node, after });
        Ok(Some(Watching::begin(request, node, studio)))
    }
}
