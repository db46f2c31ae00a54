//! How a model writes: the same prompts under the same seeds, untaught and taught, in a few numbers.
//!
//! A [`Trial`] is pulled, one token of each of a prompt's texts a step, so that it can go on in the background.

use std::collections::HashSet;

use super::Error;
use super::batch::Batch;
use super::features::words;
use crate::content::ContentType;
use crate::engine::{Adapter, Completion, Ending, Generation, Model};
use crate::rails::Signs;
use crate::settings::Sampling;

/// Prompts that the guard rails watch. Those for proof are others ([`ContentType::held_out`]).
const fn watched(content: ContentType) -> &'static [&'static str] {
    match content {
        ContentType::Post => &[
            "A slow week in the shop",
            "Working with your sister",
            "What the numbers say",
            "When a supplier lets you down",
            "Good news for the team",
            "Starting again after a mistake",
        ],
        ContentType::Email => &[
            "Tell a customer that the parcel is late",
            "Ask a colleague for the figures",
            "Turn down an offer",
            "Welcome a new client",
            "Move a meeting to Thursday",
            "Remind the team of the deadline",
        ],
        ContentType::Copy => &[
            "A new tea for the evening",
            "A bicycle repair shop",
            "Handmade candles",
            "A course in bookkeeping",
            "A holiday flat by the lake",
            "A gardening service",
        ],
    }
}

/// Texts for each prompt that is watched.
const EACH_WATCHED: usize = 4;

/// The first seed of their texts.
const WATCHED_SEED: u64 = 7_000;

/// Some prompts being written about, several texts each.
pub struct Trial {
    content: ContentType,
    prompts: &'static [&'static str],
    each: usize,
    seed: u64,
    stage: Stage,
    /// One entry a prompt.
    written: Vec<Vec<Completion>>,
    /// Prompts whose texts were looked at.
    seen: usize,
    kl: f64,
    entropy: f64,
}

enum Stage {
    /// The next prompts' turn.
    Ready,
    Writing(Box<Generation>),
    /// What is written and not yet looked at.
    Looking,
}

/// Keys and values of texts that are written together may take so many bytes: two dozen of the embedded model's, six of
/// GPT-2's.
const CACHE_BUDGET: usize = 24 << 20;

/// Tokens of a prompt, roughly.
const PROMPT: usize = 16;

impl Trial {
    /// Begins to write `each` texts about each prompt, the first under `seed`, with the default settings of their type.
    #[must_use]
    pub const fn new(content: ContentType, prompts: &'static [&'static str], each: usize, seed: u64) -> Self {
        Self {
            content,
            prompts,
            each,
            seed,
            stage: Stage::Ready,
            written: Vec::new(),
            seen: 0,
            kl: 0.0,
            entropy: 0.0,
        }
    }

    /// The prompts that the guard rails watch.
    #[must_use]
    pub const fn of_the_rails(content: ContentType) -> Self {
        Self::new(content, watched(content), EACH_WATCHED, WATCHED_SEED)
    }

    /// Draws one token of each of the texts that are written together, or looks at one prompt's. The signs, once all is done.
    pub fn step(&mut self, model: &Model, adapter: Option<&Adapter>) -> Result<Option<Signs>, Error> {
        match std::mem::replace(&mut self.stage, Stage::Looking) {
            Stage::Ready if self.written.len() == self.prompts.len() => {
                self.stage = Stage::Ready;
                return Ok(Some(self.signs()));
            }
            Stage::Ready => self.stage = Stage::Writing(Box::new(self.begin(model)?)),
            Stage::Writing(mut generation) => {
                if generation.next(model, adapter)? {
                    self.stage = Stage::Writing(generation);
                } else {
                    let texts = generation.finish(model)?;
                    self.written.extend(texts.chunks(self.each).map(<[_]>::to_vec));
                }
            }
            Stage::Looking => {
                let texts = &self.written[self.seen];
                let batch = Batch::new(texts, model.config().n_positions)?;
                // The untaught model does not diverge from itself.
                let references = match adapter {
                    Some(_) => batch.references(model)?,
                    None => Vec::new(),
                };
                let readings = batch.read(model, adapter, &references)?;
                for reading in readings {
                    self.kl += reading.kl;
                    self.entropy += reading.entropy;
                }
                self.seen += 1;
                if self.seen == self.written.len() {
                    self.stage = Stage::Ready;
                }
            }
        }
        Ok(None)
    }

    /// The next prompts, as many as may be written together.
    fn begin(&self, model: &Model) -> Result<Generation, Error> {
        let sampling = Sampling {
            seed: self.seed,
            ..Sampling::of(self.content)
        };
        let config = model.config();
        let of_text = 4 * config.n_layer * config.n_embd * (sampling.length + PROMPT);
        let together = (CACHE_BUDGET / (of_text * self.each)).max(1);
        let left = &self.prompts[self.written.len()..];
        let next = &left[..together.min(left.len())];
        Ok(Generation::about(model, self.content, next, &sampling, self.each)?)
    }

    /// Prompts that are done.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.seen
    }

    /// What was written, by prompt.
    #[must_use]
    pub fn texts(&self) -> &[Vec<Completion>] {
        &self.written
    }

    fn signs(&self) -> Signs {
        let texts: Vec<Vec<&str>> = self
            .written
            .iter()
            .map(|texts| texts.iter().map(|text| text.text.as_str()).collect())
            .collect();
        let count = self.written.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        let ended = self
            .written
            .iter()
            .flatten()
            .filter(|text| text.ending == Some(Ending::EndOfText))
            .count();
        let diversity = Diversity::of(&texts);
        Signs {
            kl: self.kl / count,
            entropy: self.entropy / count,
            distinct_2: diversity.distinct_2,
            repeats: diversity.repeats,
            doubles: diversity.doubles,
            ended: ended as f64 / count,
            words: diversity.words,
        }
    }
}

/// How different some texts are. What is written for one prompt stands together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// As in [`Signs`].
    pub distinct_2: f64,
    /// As in [`Signs`].
    pub repeats: f64,
    /// As in [`Signs`].
    pub doubles: f64,
    /// As in [`Signs`].
    pub words: f64,
}

impl Diversity {
    /// Of texts, by prompt.
    #[must_use]
    pub fn of(texts: &[Vec<&str>]) -> Self {
        let (mut pairs, mut repeated, mut doubles, mut length, mut count) = (0, 0, 0, 0, 0);
        let mut different = HashSet::new();
        for texts in texts {
            let mut seen = HashSet::new();
            for text in texts {
                let text: Vec<String> = words(text).collect();
                let mut own = HashSet::new();
                for pair in text.windows(2) {
                    pairs += 1;
                    repeated += usize::from(!own.insert(pair.to_vec()));
                    different.insert(pair.to_vec());
                }
                length += text.len();
                count += 1;
                doubles += usize::from(!seen.insert(text));
            }
        }
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        Self {
            distinct_2: share(different.len(), pairs),
            repeats: share(repeated, pairs),
            doubles: share(doubles, count),
            words: share(length, count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_alike_are_found_out() {
        let alive = Diversity::of(&[vec!["Ask early and often.", "Sleep on every large decision."]]);
        let dead = Diversity::of(&[vec!["so good so good so good", "So good, so good, so good!"]]);
        assert!((alive.distinct_2 - 1.0).abs() < 1e-12 && alive.doubles.abs() < 1e-12);
        assert!(dead.distinct_2 < 0.3 && dead.repeats > 0.5 && (dead.doubles - 0.5).abs() < 1e-12);
        assert!((dead.words - 6.0).abs() < 1e-12);
    }
}
