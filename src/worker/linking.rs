//! The job that makes a link, and finds out whether that still is what was taught.
//!
//! The taught model writes for the held-out prompts. On its texts, its divergence from the untaught model is what teaching has
//! changed, and its divergence from the link's adapter is what the link has lost of that.

use super::dispatch::Page;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::engine::Adapter;
use crate::exchange::{Error, link};
use crate::learning::batch::Batch;
use crate::learning::trial::Trial;
use crate::protocol::{Event, Link, RequestId};

/// Texts for each prompt.
const EACH: usize = 2;

/// The first seed of their texts.
const SEED: u64 = 11_000;

/// A link that carries less than this of what was taught is none.
const LEAST: f64 = 0.75;

/// What is lost is held against a change of so much at least, in nats a token. A lesson or two change less than that, and then what is
/// measured as lost is mostly the 8-bit engine's own rounding.
const LEAST_CHANGE: f64 = 0.01;

/// A link that is being made.
pub struct Linking {
    /// What it answers.
    pub request: RequestId,
    fragment: String,
    /// What somebody gets who opens it.
    copy: Adapter,
    trial: Trial,
    /// What was taught has changed so much, in nats a token, once that is known.
    change: Option<f64>,
    /// What the link has lost of that, for each text so far.
    lost: Vec<f64>,
    /// Prompts whose texts were looked at.
    seen: usize,
}

impl Linking {
    /// Begins, if something is taught.
    pub fn begin(request: RequestId, studio: &Studio) -> Result<Job, Problem> {
        let Studio { model, content, .. } = studio;
        let nothing = Problem::NoMaterial("nothing is taught yet that a link could carry");
        let adapter = studio.adapter().ok_or(nothing)?;
        let lessons = studio.timeline().depth();
        let fragment = link::write(adapter, model, *content, lessons).map_err(Problem::Link)?;
        let read = link::read(&fragment, model, *content).map_err(Problem::Link)?;
        let copy = read.adapter.ok_or(Problem::Link(Error::Nothing))?;
        Ok(Job::Link(Box::new(Self {
            request,
            fragment,
            copy,
            trial: Trial::new(*content, content.held_out(), EACH, SEED),
            change: None,
            lost: Vec::new(),
            seen: 0,
        })))
    }

    /// Writes or looks a little, or ends.
    pub fn step(mut self: Box<Self>, studio: &Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let adapter = studio.adapter().ok_or(Problem::NothingOpen)?;
        let Some(change) = self.change else {
            self.change = self.trial.step(&studio.model, Some(adapter))?.map(|signs| signs.kl);
            return Ok(Some(Job::Link(self)));
        };
        if let Some(texts) = self.trial.texts().get(self.seen) {
            let batch = Batch::new(texts, studio.model.config().n_positions)?;
            self.lost
                .extend(batch.divergences(&studio.model, adapter, Some(&self.copy))?);
            self.seen += 1;
            return Ok(Some(Job::Link(self)));
        }
        let lost = self.lost.iter().sum::<f64>() / self.lost.len().max(1) as f64;
        let carried = 1.0 - lost / change.max(LEAST_CHANGE);
        if carried.is_nan() || carried < LEAST {
            return Err(Problem::DoesNotFit {
                carried: carried.max(0.0),
            });
        }
        let link = Link {
            fragment: self.fragment,
            carried,
        };
        page.tell(self.request, Event::Linked { link });
        Ok(None)
    }
}
