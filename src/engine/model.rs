//! A model that can write: GPT-2, its tokenizer, and the card that says how a prompt is put to it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::weights::{self, Fingerprint, WeightFile, Weights};
use super::{Completion, Config, Error, Gpt2, Tokenizer};
use crate::content::ContentType;
use crate::settings::{MOST_MEMORY, Precision};

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
    /// What the model is called where it comes from, if it is called anything there. The card knows better.
    pub name: Option<String>,
}

/// What `fledge.json` says; a plain GPT-2 folder has none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Card {
    /// The model's name; if it is empty, the name comes from elsewhere.
    pub name: String,
    /// The text around a prompt, with `{prompt}` in its place.
    pub prompt_format: String,
    /// The same for types of text that have their own. Types of a later version of this program are no error.
    pub formats: BTreeMap<String, String>,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            name: String::new(),
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
}

impl ModelFiles {
    /// A GGUF file holds everything: config, tokenizer, weights.
    pub fn from_gguf(file: WeightFile) -> Result<Self, Error> {
        weights::model_files(file)
    }
}

/// The last part of `_name_or_path`, which transformers writes: `openai-community/gpt2`, or a folder's path.
fn name_in_config(config: &[u8]) -> Option<String> {
    let config: serde_json::Value = serde_json::from_slice(config).ok()?;
    let name = config.get("_name_or_path")?.as_str()?.trim_end_matches('/');
    let name = name.rsplit(['/', '\\']).next()?.trim();
    (!name.is_empty() && name != ".").then(|| name.to_owned())
}

/// A model that is being read. Nothing else is touched if that fails.
pub struct Loading {
    model: Model,
    weights: Weights,
    fingerprint: Fingerprint,
}

impl Loading {
    /// Reads and checks everything but the blocks.
    pub fn begin(files: ModelFiles, precision: Precision) -> Result<Self, Error> {
        let config = Config::from_json(&files.config)?;
        let tokenizer = Tokenizer::from_json(&files.tokenizer, &config)?;
        let mut card = match &files.card {
            Some(json) => serde_json::from_slice(json).map_err(|e| Error::Card(e.to_string()))?,
            None => Card::default(),
        };
        if card.name.is_empty() {
            let named = files.name.or_else(|| name_in_config(&files.config));
            card.name = named.unwrap_or_else(|| "GPT-2".into());
        }
        if ContentType::ALL
            .iter()
            .any(|content| !card.format(*content).contains(PLACE))
        {
            return Err(Error::Card(format!("a prompt format has no {PLACE}")));
        }
        let bytes = precision.memory(config.parameters());
        if bytes > MOST_MEMORY {
            return Err(Error::TooLarge {
                bytes,
                most: MOST_MEMORY,
            });
        }
        let weights = Weights::open(files.weights, &config)?;
        let mut fingerprint = Fingerprint::new();
        fingerprint.add(format!("{config:?}").as_bytes());
        let gpt2 = Gpt2::without_blocks(config, &weights, precision)?;
        let model = Model {
            gpt2,
            tokenizer,
            card,
            id: String::new(),
        };
        Ok(Self {
            model,
            weights,
            fingerprint,
        })
    }

    /// Reads a block. Whether there is another one.
    pub fn step(&mut self) -> Result<bool, Error> {
        self.model.gpt2.read_block(&self.weights)
    }

    /// The model, once there are no more blocks.
    #[must_use]
    pub fn finish(mut self) -> Model {
        self.weights.fingerprint(&mut self.fingerprint);
        self.model.id = self.fingerprint.hex();
        self.model
    }
}

impl Model {
    /// Reads and checks a model, all at once. [`Loading`] does it block by block.
    pub fn load(files: ModelFiles, precision: Precision) -> Result<Self, Error> {
        let mut loading = Loading::begin(files, precision)?;
        while loading.step()? {}
        Ok(loading.finish())
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
        self.gpt2.precision()
    }

    /// Bytes of memory that its matrices take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.gpt2.bytes()
    }

    /// How many weights it has, shared ones counted once.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.gpt2.parameters()
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

    /// A person's own text as the tokens of a completion, the end included: with a space before it where the model wrote one.
    pub fn encode_completion(&self, text: &str, like: &Completion) -> Result<Vec<u32>, Error> {
        let written = self.tokenizer.decode(&like.ids)?;
        let space = if written.starts_with(' ') { " " } else { "" };
        let mut ids = self.tokenizer.encode(&format!("{space}{text}"))?;
        ids.extend(self.tokenizer.end_of_text());
        Ok(ids)
    }
}
