//! The job that writes a pair for the blind test: the untaught model and the taught one, the same held-out prompt, the same seed.

use super::dispatch::Page;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::engine::Generation;
use crate::protocol::{Event, Pair, RequestId};
use crate::settings::Sampling;
use crate::timeline::{NodeId, ROOT};

/// A pair in the making.
pub struct Pairing {
    /// What it answers.
    pub request: RequestId,
    node: NodeId,
    prompt: &'static str,
    seed: u64,
    generation: Generation,
    /// What the untaught model wrote, once it has.
    untaught: Option<String>,
}

impl Pairing {
    /// Begins. The held-out prompts take turns.
    pub fn begin(request: RequestId, seed: u64, studio: &Studio) -> Result<Job, Problem> {
        let node = studio.timeline().at();
        let nothing = Problem::NoMaterial("nothing is taught yet that could be compared");
        let lesson = studio.timeline().node(node).filter(|_| node != ROOT).ok_or(nothing)?;
        let prompts = studio.content.held_out();
        let prompt = prompts[lesson.lesson.tally.count() as usize % prompts.len()];
        let pairing = Self {
            request,
            node,
            prompt,
            seed,
            generation: write(prompt, seed, studio)?,
            untaught: None,
        };
        Ok(Job::Pair(Box::new(pairing)))
    }

    /// Draws one token, or ends.
    pub fn step(mut self: Box<Self>, studio: &Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let adapter = self.untaught.as_ref().and_then(|_| studio.adapter());
        if self.generation.next(&studio.model, adapter).map_err(Problem::writing)? {
            return Ok(Some(Job::Pair(self)));
        }
        let Self {
            request,
            node,
            prompt,
            seed,
            generation,
            untaught,
        } = *self;
        let written = generation.finish(&studio.model).map_err(Problem::writing)?;
        let text = written
            .into_iter()
            .next()
            .map_or_else(String::new, |completion| completion.text);
        let Some(untaught) = untaught else {
            return Ok(Some(Job::Pair(Box::new(Self {
                request,
                node,
                prompt,
                seed,
                generation: write(prompt, seed, studio)?,
                untaught: Some(text),
            }))));
        };
        let taught_first = seed % 2 == 1;
        let pair = Pair {
            node,
            prompt: prompt.to_owned(),
            texts: if taught_first {
                [text, untaught]
            } else {
                [untaught, text]
            },
            taught_first,
        };
        page.tell(request, Event::Paired { pair });
        Ok(None)
    }
}

fn write(prompt: &str, seed: u64, studio: &Studio) -> Result<Generation, Problem> {
    let sampling = Sampling {
        seed,
        ..Sampling::of(studio.content)
    };
    Generation::new(&studio.model, studio.content, prompt, &sampling, 1).map_err(Problem::writing)
}
