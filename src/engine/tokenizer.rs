//! Text to token ids and back, by a Hugging Face `tokenizer.json`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Config, Error};

/// The token that ends a text, as GPT-2's vocabulary has it.
pub(super) const END_OF_TEXT: &str = "<|endoftext|>";

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
        let end_of_text = config.eos_token_id.or_else(|| inner.token_to_id(END_OF_TEXT));
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

/// A `tokenizer.json` made of the two files in which OpenAI published GPT-2's.
pub fn from_parts(vocabulary: &[u8], merges: &[u8]) -> Result<Vec<u8>, Error> {
    let vocabulary: BTreeMap<String, u32> =
        serde_json::from_slice(vocabulary).map_err(|e| Error::Tokenizer(format!("vocab.json: {e}")))?;
    let merges = std::str::from_utf8(merges).map_err(|e| Error::Tokenizer(format!("merges.txt: {e}")))?;
    let merges: Vec<&str> = merges
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("#version"))
        .collect();
    let special: Vec<&str> = vocabulary
        .keys()
        .map(String::as_str)
        .filter(|token| *token == END_OF_TEXT)
        .collect();
    let tokens = vocabulary.iter().map(|(token, id)| (token.as_str(), *id));
    Ok(tokenizer_json(tokens, &merges, &special).to_string().into_bytes())
}

/// A `tokenizer.json` for a byte-level BPE like GPT-2's, from its parts: tokens with their ids, merges in their order, each as
/// two tokens with a space between them, and the tokens that are no text.
pub(super) fn tokenizer_json<'a>(
    tokens: impl Iterator<Item = (&'a str, u32)>,
    merges: &[&str],
    special: &[&str],
) -> Value {
    let vocabulary: Map<String, Value> = tokens.map(|(token, id)| (token.to_owned(), id.into())).collect();
    let added = |token: &&str| {
        json!({
            "id": vocabulary.get(*token), "content": token, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    json!({
        "version": "1.0",
        "added_tokens": special.iter().map(added).collect::<Vec<_>>(),
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": merges },
    })
}
