//! Writing, token by token. The caller pulls: [`Generation::next`] draws one token, so that whoever calls decides about Stop
//! and about how often the screen is drawn.

use serde::{Deserialize, Serialize};

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

/// One prompt's texts in the making: one, or several candidates at once, which share what was read of the prompt and each
/// pass over the weights.
pub struct Generation {
    cache: Cache,
    prompt_ids: Vec<u32>,
    prompt_cut: bool,
    candidates: Vec<Candidate>,
    /// Those that are not ended yet, in the order of the cache's sequences.
    going: Vec<usize>,
    most: usize,
    limit: Limit,
}

/// A text in the making.
pub struct Candidate {
    sampler: Sampler,
    /// Prompt and text so far.
    ids: Vec<u32>,
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
        let positions = model.config().n_positions;
        // A long prompt leaves room for the post, but never has to give up more than half of the context.
        let reserved = sampling.length.min(positions / 2).max(1);
        let prompt = model.encode_prompt(content, prompt, positions - reserved)?;
        let most = sampling.length.min(positions.saturating_sub(prompt.ids.len())).max(1);
        let capacity = prompt.ids.len() + most;
        let candidate = |at| Candidate {
            sampler: Sampler::new(Sampling {
                seed: sampling.seed.wrapping_add(at as u64),
                ..*sampling
            }),
            ids: prompt.ids.clone(),
            log_probs: Vec::new(),
            text: String::new(),
            ending: None,
        };
        Ok(Self {
            cache: Cache::new(model.config(), model.precision(), 1, capacity),
            candidates: (0..count).map(candidate).collect(),
            going: (0..count).collect(),
            prompt_ids: prompt.ids,
            prompt_cut: prompt.cut,
            most,
            limit: content.limit(),
        })
    }

    /// The prompt did not fit the context; only its end is read.
    #[must_use]
    pub const fn prompt_cut(&self) -> bool {
        self.prompt_cut
    }

    /// Draws one token of each text that is not ended. Whether there is more to write.
    pub fn next(&mut self, model: &Model, adapter: Option<&Adapter>) -> Result<bool, Error> {
        if self.going.is_empty() {
            return Ok(false);
        }
        let is_first = self.cache.is_empty();
        let last: Vec<u32> = self
            .going
            .iter()
            .filter_map(|at| self.candidates[*at].ids.last().copied())
            .collect();
        let new = if is_first { &self.prompt_ids } else { &last };
        let logits = model.gpt2().read(new, &mut self.cache, adapter)?; // [going, v]; [v] after the prompt
        let vocabulary = model.config().vocab_size;
        for (row, at) in self.going.iter().enumerate() {
            let row = if is_first { 0 } else { row };
            let logits = &logits[row * vocabulary..][..vocabulary];
            self.candidates[*at].draw(model, logits, self.prompt_ids.len(), self.most, self.limit)?;
        }
        let is_going = |at: &usize| self.candidates[*at].ending.is_none();
        let rows: Vec<usize> = (0..self.going.len())
            .filter(|row| is_going(&self.going[*row]))
            .collect();
        if rows.is_empty() {
            self.going.clear();
            return Ok(false);
        }
        if is_first && rows.len() > 1 {
            // The prompt is read once for all of them.
            self.cache = self.cache.fork(rows.len());
        } else if !is_first && rows.len() < self.going.len() {
            self.cache.keep(&rows);
        }
        self.going = rows.into_iter().map(|row| self.going[row]).collect();
        Ok(true)
    }

    /// The texts so far.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The texts as they are now, also if they were stopped.
    pub fn finish(self, model: &Model) -> Result<Vec<Completion>, Error> {
        let prompt_len = self.prompt_ids.len();
        let finish = |candidate: Candidate| candidate.finish(model, prompt_len);
        self.candidates.into_iter().map(finish).collect()
    }
}

impl Candidate {
    /// Draws its next token from logits `[v]`.
    fn draw(
        &mut self,
        model: &Model,
        logits: &[f32],
        prompt_len: usize,
        most: usize,
        limit: Limit,
    ) -> Result<(), Error> {
        // A post has at least one word: to end an empty one is cheap to learn and worth nothing.
        let end_of_text = model.tokenizer().end_of_text();
        let forbidden = end_of_text.filter(|_| self.text.trim().is_empty());
        let drawn = self.sampler.draw(logits, &self.ids, forbidden)?;
        self.ids.push(drawn.token);
        self.log_probs.push(drawn.log_prob);
        if end_of_text == Some(drawn.token) {
            self.ending = Some(Ending::EndOfText);
            return Ok(());
        }
        let text = whole_characters(&model.tokenizer().decode(&self.ids[prompt_len..])?).to_owned();
        if limit.measure(text.trim()) > limit.most() {
            self.ids.pop();
            self.log_probs.pop();
            self.ending = Some(Ending::Full);
            return Ok(());
        }
        self.text = text;
        if self.tokens() == most {
            self.ending = Some(Ending::Length);
        }
        Ok(())
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
    fn finish(mut self, model: &Model, prompt_len: usize) -> Result<Completion, Error> {
        while self.ending != Some(Ending::EndOfText)
            && self.tokens() > 0
            && model.tokenizer().decode(&self.ids[prompt_len..])?.len() > self.text.len()
        {
            self.ids.pop();
            self.log_probs.pop();
        }
        let ids = self.ids.split_off(prompt_len);
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
