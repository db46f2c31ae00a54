//! Writing one text, token by token. The caller pulls: [`Generation::next`] gives one token, so that whoever calls
//! decides about Stop and about how often the screen is drawn.

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

/// A post in the making.
pub struct Generation {
    sampler: Sampler,
    cache: Cache,
    /// Prompt and post so far.
    ids: Vec<u32>,
    prompt_len: usize,
    prompt_cut: bool,
    log_probs: Vec<f32>,
    text: String,
    most: usize,
    limit: Limit,
    ending: Option<Ending>,
}

impl Generation {
    /// Gets ready to write about a prompt. Nothing is computed yet.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] if the prompt is blank.
    pub fn new(model: &Model, content: ContentType, prompt: &str, sampling: &Sampling) -> Result<Self, Error> {
        let positions = model.config().n_positions;
        // A long prompt leaves room for the post, but never has to give up more than half of the context.
        let reserved = sampling.length.min(positions / 2).max(1);
        let prompt = model.encode_prompt(content, prompt, positions - reserved)?;
        let most = sampling.length.min(positions.saturating_sub(prompt.ids.len())).max(1);
        let capacity = prompt.ids.len() + most;
        Ok(Self {
            sampler: Sampler::new(*sampling),
            cache: Cache::new(model.config(), model.precision(), 1, capacity),
            prompt_len: prompt.ids.len(),
            ids: prompt.ids,
            prompt_cut: prompt.cut,
            log_probs: Vec::new(),
            text: String::new(),
            most,
            limit: content.limit(),
            ending: None,
        })
    }

    /// The prompt did not fit the context; only its end is read.
    #[must_use]
    pub const fn prompt_cut(&self) -> bool {
        self.prompt_cut
    }

    /// Draws one token. `None` once the post has ended.
    pub fn next(&mut self, model: &Model, adapter: Option<&Adapter>) -> Result<Option<u32>, Error> {
        if self.ending.is_some() {
            return Ok(None);
        }
        let new = &self.ids[self.cache.len()..];
        let logits = model.gpt2().read(new, &mut self.cache, adapter)?; // [v]
        // A post has at least one word: to end an empty one is cheap to learn and worth nothing.
        let end_of_text = model.tokenizer().end_of_text();
        let forbidden = end_of_text.filter(|_| self.text.trim().is_empty());
        let drawn = self.sampler.draw(logits, &self.ids, forbidden)?;

        if end_of_text == Some(drawn.token) {
            self.push(drawn);
            self.ending = Some(Ending::EndOfText);
            return Ok(Some(drawn.token));
        }
        self.ids.push(drawn.token);
        let text = whole_characters(&model.tokenizer().decode(&self.ids[self.prompt_len..])?).to_owned();
        self.ids.pop();
        if self.limit.measure(text.trim()) > self.limit.most() {
            self.ending = Some(Ending::Full);
            return Ok(None);
        }
        self.push(drawn);
        self.text = text;
        if self.tokens() == self.most {
            self.ending = Some(Ending::Length);
        }
        Ok(Some(drawn.token))
    }

    fn push(&mut self, drawn: super::sampler::Drawn) {
        self.ids.push(drawn.token);
        self.log_probs.push(drawn.log_prob);
    }

    /// The text so far, whole characters only, without the space in front.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.trim_start()
    }

    /// Tokens drawn so far.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len() - self.prompt_len
    }

    /// Why the post ended, once it has.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The post as it is now, also if it was stopped. Tokens of an unfinished character at its end are dropped.
    pub fn finish(mut self, model: &Model) -> Result<Completion, Error> {
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
