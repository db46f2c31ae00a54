//! What can go wrong with a model or a prompt, each as one plain sentence.

use thiserror::Error;

/// Why a model can't be used, or a post can't be written.
#[derive(Debug, Error)]
pub enum Error {
    /// `config.json` is not JSON, or lacks a field.
    #[error("config.json can't be read: {0}")]
    Config(String),
    /// A value of `config.json` that GPT-2 has no meaning for.
    #[error("config.json asks for {field} = {value}, which this program can't run")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// `fledge.json` is there but is no card.
    #[error("fledge.json can't be read: {0}")]
    Card(String),
    /// `tokenizer.json` is damaged.
    #[error("tokenizer.json can't be read: {0}")]
    Tokenizer(String),
    /// The tokenizer belongs to another model.
    #[error("the tokenizer does not match the model: it has {tokenizer} entries, the model {model}")]
    Vocabulary {
        /// Entries of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding.
        model: usize,
    },
    /// A file with weights can't be parsed: cut short, or something else altogether.
    #[error("{file} is damaged or incomplete: {why}")]
    Weights {
        /// The file.
        file: String,
        /// What its reader says.
        why: String,
    },
    /// A GGUF file of another architecture.
    #[error("this is a model of the architecture “{0}”; only gpt2 can be run")]
    Architecture(String),
    /// A tensor that the architecture needs is not there.
    #[error("the model's weights lack the tensor {0}")]
    MissingTensor(String),
    /// A tensor's shape contradicts the config.
    #[error("the tensor {name} has the shape {found:?}, but config.json makes it {expected:?}")]
    WrongShape {
        /// The tensor.
        name: String,
        /// What the config says.
        expected: Vec<usize>,
        /// What the file says.
        found: Vec<usize>,
    },
    /// A number type that weights don't come in.
    #[error("the tensor {name} has the number type {dtype}, which this program can't read")]
    WrongDtype {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// NaN or infinity among the weights.
    #[error("the tensor {0} holds values that are not numbers (NaN or infinity)")]
    NotFinite(String),
    /// The file has more blocks than the config.
    #[error("the model's weights have the tensor {0}, but config.json has fewer layers")]
    ExtraLayer(String),
    /// More weights than the memory holds.
    #[error(
        "its weights take {} MB of memory, and a browser's tab can give at most {} MB to them; another form in memory, or a \
         smaller model, may fit",
        bytes / 1_000_000, most / 1_000_000
    )]
    TooLarge {
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that there are.
        most: u64,
    },
    /// Nothing to write about.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The model produced something that can't be sampled from.
    #[error("the model's output is not a number; its weights may be damaged")]
    BadLogits,
    /// A tensor operation failed.
    #[error("a computation failed: {0}")]
    Compute(#[from] candle_core::Error),
}

impl Error {
    /// A file with weights that can't be read, and why.
    pub(super) fn weights(file: &str, why: impl std::fmt::Display) -> Self {
        Self::Weights {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}
