//! Writing, token by token. The caller pulls: [`Generation::next`] draws one token, so that whoever calls decides about Stop
//! and about how often the screen is drawn.

use serde::{Deserialize, Serialize};

use super::model::Prompt;
use super::{Adapter, Cache, Error, Model, Sampler};
use crate::content::ContentType;
use crate::length::Limit;
use crate::settings::Sampling;

/// Why a post ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The model ended it.
    EndOfText,
    /// As many tokens as were asked for, or as the context holds.
    Length,
    /// The next token would have made it longer than its type allows.
    Full,
}

/// A written post in the form that teaching needs. The ids are those that were drawn, never re-encoded from the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The prompt as the model read it.
    pub prompt_ids: Vec<u32>,
    /// The tokens that were drawn, end-of-text included if the model ended the post.
    pub ids: Vec<u32>,
    /// Log-probability of each of them under the model that wrote it, at temperature 1, in nats.
    pub log_probs: Vec<f32>,
    /// The text.
    pub text: String,
    /// `None` if it was stopped.
    pub ending: Option<Ending>,
}

/// Texts in the making, all in one pass over the weights: one or several candidates about one prompt, which share what was read
/// of it, or about several prompts.
pub struct Generation {
    prompts: Vec<Prompt>,
    /// The candidates of the first prompt come first.
    candidates: Vec<Candidate>,
    /// Those that are not ended yet, in the order of the cache's sequences.
    going: Vec<usize>,
    /// `None` until the prompts are read.
    cache: Option<Cache>,
    /// Tokens of a prompt and its text at most.
    capacity: usize,
    limit: Limit,
}

/// A text in the making.
pub struct Candidate {
    sampler: Sampler,
    /// Prompt and text so far.
    ids: Vec<u32>,
    /// How many of them are the prompt's.
    prompt_len: usize,
    /// Tokens that it may have.
    most: usize,
    log_probs: Vec<f32>,
    text: String,
    ending: Option<Ending>,
}

impl Generation {
    /// Gets ready to write `count` texts about a prompt, the first under the seed of `sampling`, each next one under the next
    /// seed. Nothing is computed yet.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] if the prompt is blank.
    pub fn new(
        model: &Model,
        content: ContentType,
        prompt: &str,
        sampling: &Sampling,
        count: usize,
    ) -> Result<Self, Error> {
        Self::about(model, content, &[prompt], sampling, count)
    }

    /// The same about each of several prompts, under the same seeds.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] if one of them is blank.
    pub fn about(
        model: &Model,
        content: ContentType,
        prompts: &[&str],
        sampling: &Sampling,
        count: usize,
    ) -> Result<Self, Error> {
        let positions = model.config().n_positions;
        // A long prompt leaves room for the post, but never has to give up more than half of the context.
        let reserved = sampling.length.min(positions / 2).max(1);
        let prompts = prompts
            .iter()
            .map(|prompt| model.encode_prompt(content, prompt, positions - reserved))
            .collect::<Result<Vec<_>, _>>()?;
        let candidates: Vec<Candidate> = prompts
            .iter()
            .flat_map(|prompt| (0..count).map(move |at| (prompt, at)))
            .map(|(prompt, at)| Candidate {
                sampler: Sampler::new(Sampling {
                    seed: sampling.seed.wrapping_add(at as u64),
                    ..*sampling
                }),
                ids: prompt.ids.clone(),
                prompt_len: prompt.ids.len(),
                most: sampling.length.min(positions.saturating_sub(prompt.ids.len())).max(1),
                log_probs: Vec::new(),
                text: String::new(),
                ending: None,
            })
            .collect();
        let room = candidates.iter().map(|candidate| candidate.prompt_len + candidate.most);
        Ok(Self {
            capacity: room.max().unwrap_or(0),
            going: (0..candidates.len()).collect(),
            candidates,
            prompts,
            cache: None,
            limit: content.limit(),
        })
    }

    /// A prompt did not fit the context; only its end is read.
    #[must_use]
    pub fn prompt_cut(&self) -> bool {
        self.prompts.iter().any(|prompt| prompt.cut)
    }

    /// Draws one token of each text that is not ended. Whether there is more to write.
    pub fn next(&mut self, model: &Model, adapter: Option<&Adapter>) -> Result<bool, Error> {
        if self.going.is_empty() {
            return Ok(false);
        }
        let Some(cache) = &mut self.cache else {
            self.cache = self.read_prompts(model, adapter)?;
            return Ok(self.cache.is_some());
        };
        let last: Vec<u32> = self
            .going
            .iter()
            .filter_map(|at| self.candidates[*at].ids.last().copied())
            .collect();
        let logits = model.gpt2().read(&last, cache, adapter)?; // [going, v]
        let rows = logits.chunks_exact(model.config().vocab_size);
        let mut left = Vec::new();
        for (row, (at, logits)) in self.going.iter().zip(rows).enumerate() {
            if self.candidates[*at].draw(model, logits, self.limit)? {
                left.push(row);
            }
        }
        if left.len() < self.going.len() {
            cache.keep(&left);
            self.going = left.into_iter().map(|row| self.going[row]).collect();
        }
        Ok(!self.going.is_empty())
    }

    /// Reads each prompt once and draws the first token of all its texts. The cache of those that go on, if any do.
    fn read_prompts(&mut self, model: &Model, adapter: Option<&Adapter>) -> Result<Option<Cache>, Error> {
        self.going.clear();
        let mut caches = Vec::new();
        let each = self.candidates.len() / self.prompts.len();
        for (at, prompt) in self.prompts.iter().enumerate() {
            let mut cache = Cache::new(model.config(), model.precision(), 1, self.capacity);
            let logits = model.gpt2().read(&prompt.ids, &mut cache, adapter)?; // [1, v]
            let before = self.going.len();
            for candidate in at * each..(at + 1) * each {
                if self.candidates[candidate].draw(model, logits, self.limit)? {
                    self.going.push(candidate);
                }
            }
            match self.going.len() - before {
                0 => {}
                1 => caches.push(cache),
                several => caches.push(cache.fork(several)),
            }
        }
        Ok(Cache::join(caches))
    }

    /// The texts so far.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The texts as they are now, also if they were stopped; those about the first prompt come first.
    pub fn finish(self, model: &Model) -> Result<Vec<Completion>, Error> {
        let finish = |candidate: Candidate| candidate.finish(model);
        self.candidates.into_iter().map(finish).collect()
    }
}

impl Candidate {
    /// Draws its next token from logits `[v]`. Whether it goes on.
    fn draw(&mut self, model: &Model, logits: &[f32], limit: Limit) -> Result<bool, Error> {
        // A post has at least one word: to end an empty one is cheap to learn and worth nothing.
        let end_of_text = model.tokenizer().end_of_text();
        let forbidden = end_of_text.filter(|_| self.text.trim().is_empty());
        let drawn = self.sampler.draw(logits, &self.ids, forbidden)?;
        self.ids.push(drawn.token);
        self.log_probs.push(drawn.log_prob);
        if end_of_text == Some(drawn.token) {
            self.ending = Some(Ending::EndOfText);
            return Ok(false);
        }
        let text = whole_characters(&model.tokenizer().decode(&self.ids[self.prompt_len..])?).to_owned();
        if limit.measure(text.trim()) > limit.most() {
            self.ids.pop();
            self.log_probs.pop();
            self.ending = Some(Ending::Full);
            return Ok(false);
        }
        self.text = text;
        if self.tokens() == self.most {
            self.ending = Some(Ending::Length);
        }
        Ok(self.ending.is_none())
    }

    /// The text so far, whole characters only, without the space in front.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.trim_start()
    }

    /// Tokens drawn so far.
    #[must_use]
    pub const fn tokens(&self) -> usize {
        self.log_probs.len()
    }

    /// Why the text ended, once it has.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Tokens of an unfinished character at its end are dropped.
    fn finish(mut self, model: &Model) -> Result<Completion, Error> {
        while self.ending != Some(Ending::EndOfText)
            && self.tokens() > 0
            && model.tokenizer().decode(&self.ids[self.prompt_len..])?.len() > self.text.len()
        {
            self.ids.pop();
            self.log_probs.pop();
        }
        let ids = self.ids.split_off(self.prompt_len);
        Ok(Completion {
            prompt_ids: self.ids,
            ids,
            log_probs: self.log_probs,
            text: self.text.trim().to_owned(),
            ending: self.ending,
        })
    }
}

/// The text without the replacement characters that stand for an unfinished character at its end.
fn whole_characters(text: &str) -> &str {
    text.trim_end_matches(char::REPLACEMENT_CHARACTER)
}
