//! Text to token ids and back, by a Hugging Face `tokenizer.json`.

use super::{Config, Error};

/// GPT-2's byte-level BPE, or whatever the model's `tokenizer.json` says.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    end_of_text: Option<u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` and checks that it belongs to the model.
    ///
    /// An embedding may have a few rows more than the vocabulary, since some are padded to a round number.
    pub fn from_json(json: &[u8], config: &Config) -> Result<Self, Error> {
        const MOST_PADDING: usize = 128;
        let inner = tokenizers::Tokenizer::from_bytes(json).map_err(|e| Error::Tokenizer(e.to_string()))?;
        let entries = inner.get_vocab_size(true);
        let largest = inner
            .get_vocab(true)
            .into_values()
            .max()
            .map_or(0, |id| id as usize + 1);
        let rows = config.vocab_size;
        if entries.max(largest) > rows || entries + MOST_PADDING <= rows {
            return Err(Error::Vocabulary {
                tokenizer: entries,
                model: rows,
            });
        }
        let end_of_text = config.eos_token_id.or_else(|| inner.token_to_id("<|endoftext|>"));
        Ok(Self { inner, end_of_text })
    }

    /// The ids of a text; special tokens written in it are recognised.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|e| Error::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of ids, without special tokens. A character whose bytes are incomplete becomes U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Error> {
        self.inner
            .decode(ids, true)
            .map_err(|e| Error::Tokenizer(e.to_string()))
    }

    /// The token that ends a text.
    #[must_use]
    pub const fn end_of_text(&self) -> Option<u32> {
        self.end_of_text
    }
}
