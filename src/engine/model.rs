//! A model that can write: GPT-2, its tokenizer, and the card that says how a prompt is put to it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::weights::{self, Fingerprint, WeightFile, Weights};
use super::{Config, Error, Gpt2, Tokenizer};
use crate::content::ContentType;
use crate::settings::Precision;

/// The files of a model, as they lie in its Hugging Face folder.
pub struct ModelFiles {
    /// `config.json`
    pub config: Vec<u8>,
    /// `tokenizer.json`
    pub tokenizer: Vec<u8>,
    /// `model.safetensors`, its shards, or a GGUF file.
    pub weights: Vec<WeightFile>,
    /// `fledge.json`, if there is one.
    pub card: Option<Vec<u8>>,
}

/// What `fledge.json` says; a plain GPT-2 folder has none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The model's name.
    pub name: String,
    /// The text around a prompt, with `{prompt}` in its place.
    pub prompt_format: String,
    /// The same for types of text that have their own. Types of a later version of this program are no error.
    pub formats: BTreeMap<String, String>,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            name: "GPT-2".into(),
            prompt_format: PLACE.into(),
            formats: BTreeMap::new(),
        }
    }
}

impl Card {
    /// How a prompt for a type of text is put to the model.
    #[must_use]
    pub fn format(&self, content: ContentType) -> &str {
        self.formats.get(content.tag()).unwrap_or(&self.prompt_format)
    }
}

/// Where the prompt stands in [`Card::prompt_format`] and [`Card::formats`].
const PLACE: &str = "{prompt}";

/// Models of up to so many weights lie in memory exactly, unless a person wants it otherwise: 256 MB.
const SMALL: u64 = 64_000_000;

/// Bytes that a model's weights may take: a browser's 32-bit memory has 4.3 GB, and lessons need some of it.
const MOST: u64 = 3_000_000_000;

/// A prompt as the model reads it.
pub struct Prompt {
    /// Its tokens, the format's included.
    pub ids: Vec<u32>,
    /// Its beginning did not fit and was left out.
    pub cut: bool,
}

/// Everything that writing and teaching need, none of which ever changes.
pub struct Model {
    gpt2: Gpt2,
    tokenizer: Tokenizer,
    card: Card,
    id: String,
    parameters: u64,
    precision: Precision,
}

impl ModelFiles {
    /// A GGUF file holds everything: config, tokenizer, weights.
    pub fn from_gguf(file: WeightFile) -> Result<Self, Error> {
        weights::model_files(file)
    }
}

impl Model {
    /// Reads and checks a model. Nothing else is touched if that fails. Without a wish, a model lies in memory exactly as long
    /// as it is small ([`SMALL`]).
    pub fn load(files: ModelFiles, precision: Option<Precision>) -> Result<Self, Error> {
        let config = Config::from_json(&files.config)?;
        let tokenizer = Tokenizer::from_json(&files.tokenizer, &config)?;
        let card = match &files.card {
            Some(json) => serde_json::from_slice(json).map_err(|e| Error::Card(e.to_string()))?,
            None => Card::default(),
        };
        if ContentType::ALL
            .iter()
            .any(|content| !card.format(*content).contains(PLACE))
        {
            return Err(Error::Card(format!("a prompt format has no {PLACE}")));
        }
        let automatic = if config.parameters() <= SMALL {
            Precision::Exact
        } else {
            Precision::EightBit
        };
        let precision = precision.unwrap_or(automatic);
        let bytes = config.parameters() * precision.bytes_a_weight();
        if bytes > MOST {
            return Err(Error::TooLarge { bytes, most: MOST });
        }
        let weights = Weights::open(files.weights, &config)?;
        let mut fingerprint = Fingerprint::new();
        fingerprint.add(format!("{config:?}").as_bytes());
        let gpt2 = Gpt2::new(config, &weights, precision)?;
        weights.fingerprint(&mut fingerprint);
        Ok(Self {
            parameters: gpt2.parameters(),
            gpt2,
            tokenizer,
            card,
            id: fingerprint.hex(),
            precision,
        })
    }

    /// The network.
    #[must_use]
    pub const fn gpt2(&self) -> &Gpt2 {
        &self.gpt2
    }

    /// The network's hyperparameters.
    #[must_use]
    pub const fn config(&self) -> &Config {
        self.gpt2.config()
    }

    /// The tokenizer.
    #[must_use]
    pub const fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Name and prompt formats.
    #[must_use]
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// Hash of the config, of every tensor's name, type and shape, and of a sample of the weights.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How its matrices lie in memory.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of memory that its matrices take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.gpt2.bytes()
    }

    /// How many weights it has, shared ones counted once.
    #[must_use]
    pub const fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Puts a prompt into the model's format for a type of text, in at most `room` tokens. What is too long loses its beginning.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`] if there is nothing but white space.
    pub fn encode_prompt(&self, content: ContentType, prompt: &str, room: usize) -> Result<Prompt, Error> {
        let prompt = prompt.trim();
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        // Format and prompt are encoded together: a space before the prompt belongs to its first word's token.
        let format = self.card.format(content);
        let mut ids = self.tokenizer.encode(&format.replace(PLACE, prompt))?;
        let excess = ids.len().saturating_sub(room);
        let (before, _) = format.split_once(PLACE).unwrap_or_default();
        let start = self.tokenizer.encode(before.trim_end())?.len().min(ids.len());
        ids.drain(start..(start + excess).min(ids.len()));
        Ok(Prompt { ids, cut: excess > 0 })
    }
}
