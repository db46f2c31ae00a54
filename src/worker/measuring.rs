//! The job that holds the taught model against the untaught one: the same held-out prompts, the same seeds, and the automatic
//! rater's rewards, with a bootstrap interval over the prompts.

use super::dispatch::Page;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::feedback::Weights;
use crate::learning::features;
use crate::learning::rater::Rater;
use crate::learning::trial::Trial;
use crate::protocol::{Event, Measured, RequestId};
use crate::statistics::{interval, mean};
use crate::timeline::{NodeId, ROOT};

/// Texts for each prompt.
const EACH: usize = 2;

/// The first seed of their texts.
const SEED: u64 = 9_000;

/// The bootstrap's.
const BOOTSTRAP_SEED: u64 = 1;

/// The two models' turns.
pub struct Measuring {
    /// What it answers.
    pub request: RequestId,
    node: NodeId,
    weights: Weights,
    rater: Rater,
    trial: Trial,
    /// Mean reward for each prompt, untaught, once that is known.
    untaught: Option<Vec<f64>>,
    told: usize,
}

impl Measuring {
    /// Begins, if something is taught and the automatic rater knows the person well enough.
    pub fn begin(request: RequestId, weights: Weights, studio: &Studio) -> Result<Job, Problem> {
        let node = studio.timeline().at();
        if node == ROOT {
            return Err(Problem::NoMaterial("nothing is taught yet that could be measured"));
        }
        let rater = studio.honest_rater(&weights)?;
        Ok(Job::Measure(Box::new(Self {
            request,
            node,
            weights,
            rater,
            trial: trial(studio),
            untaught: None,
            told: 0,
        })))
    }

    /// Writes or looks a little, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let adapter = self.untaught.as_ref().and_then(|_| studio.adapter());
        let is_done = self.trial.step(&studio.model, adapter)?.is_some();
        let prompts = studio.content.held_out();
        let done = self.trial.seen() + self.untaught.as_ref().map_or(0, Vec::len);
        if done > self.told {
            self.told = done;
            let of = 2 * prompts.len();
            page.tell(self.request, Event::Measuring { done, of });
        }
        if !is_done {
            return Ok(Some(Job::Measure(self)));
        }
        let mut rewards = Vec::new();
        for (prompt, texts) in prompts.iter().zip(self.trial.texts()) {
            let features = features::of(&studio.model, prompt, texts)?;
            let of_prompt = features
                .iter()
                .map(|features| self.rater.guess(features).reward(&self.weights).get());
            rewards.push(mean(&of_prompt.collect::<Vec<_>>()));
        }
        let Some(untaught) = self.untaught.take() else {
            self.untaught = Some(rewards);
            self.trial = trial(studio);
            return Ok(Some(Job::Measure(self)));
        };
        let pairs: Vec<(f64, f64)> = untaught.into_iter().zip(rewards).collect();
        let side =
            |pairs: &[(f64, f64)], which: fn(&(f64, f64)) -> f64| mean(&pairs.iter().map(which).collect::<Vec<_>>());
        let lift = |pairs: &[(f64, f64)]| side(pairs, |pair| pair.1) / side(pairs, |pair| pair.0).max(1e-9) - 1.0;
        let estimate = interval(&pairs, BOOTSTRAP_SEED, lift).ok_or(Problem::NoMaterial("nothing was written"))?;
        let measured = Measured {
            untaught: side(&pairs, |pair| pair.0),
            taught: side(&pairs, |pair| pair.1),
            low: estimate.low,
            high: estimate.high,
            texts: EACH * pairs.len(),
            correlation: self.rater.insight().reward_correlation(&self.weights),
        };
        let node = self.node;
        studio.note(node, |node| node.lesson.measured = Some(measured)).await?;
        page.tell(self.request, Event::Measured { node, measured });
        Ok(None)
    }
}

fn trial(studio: &Studio) -> Trial {
    Trial::new(studio.content, studio.content.held_out(), EACH, SEED)
}
