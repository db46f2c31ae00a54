//! What travels: the formats that other programs read, written and read back.
//!
//! A [`taste`] file is a [`zip`] of what a person taught a model: the adapter for Python ([`peft`]) and for llama.cpp
//! ([`gguf`]), what they said of which text ([`records`], with TRL's [`pairs`] made of it), and a model [`card`]. What comes
//! back from elsewhere is checked as if a stranger had made it, and [`merge`]d with what is here. A [`link`] holds the adapter alone.
//!
//! Nothing here knows of a browser or a clock, and nothing that is read can change anything: the caller decides what to do
//! with a [`Taste`](taste::Taste) that has been read whole.

pub mod card;
pub mod gguf;
pub mod link;
pub mod merge;
pub mod pairs;
pub mod peft;
pub mod records;
pub mod taste;
pub mod zip;

use thiserror::Error;

use crate::content::ContentType;

pub use records::Record;
pub use taste::{Taste, TasteInfo};

/// Why a file or a link can't be taken in, or written. Each reads on after "… could not be imported: ".
#[derive(Debug, Error)]
pub enum Error {
    /// No zip, or a damaged one.
    #[error("its zip container can't be read, {0}")]
    Zip(&'static str),
    /// A name that would lead out of the folder that it is unpacked to.
    #[error("it holds a file with the name “{0}”, which is no plain name")]
    Name(String),
    /// One name, two files.
    #[error("it holds {0} twice")]
    Duplicate(String),
    /// More than anybody has to say, or a zip bomb.
    #[error("it holds more than {0} MB")]
    TooLarge(usize),
    /// Neither an adapter nor ratings.
    #[error("it holds neither adapter_config.json nor ratings.jsonl, so it is no taste file and no PEFT adapter")]
    Nothing,
    /// Half an adapter.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Bytes that were changed on the way.
    #[error("{0} is not what its checksum says, so the file is damaged")]
    Checksum(String),
    /// A JSON file that does not say what it must.
    #[error("{name} can't be read ({why})")]
    Json {
        /// The file.
        name: &'static str,
        /// The reason.
        why: String,
    },
    /// A kind of adapter that this engine has no form for.
    #[error("its adapter uses {0}, which Fledge does not know")]
    Unsupported(String),
    /// Too large, or nonsense.
    #[error("its adapter has the rank {0}, and 1 to {most} is what Fledge takes", most = peft::MOST_RANK)]
    Rank(u64),
    /// A scale that would drown the model, or is no number.
    #[error("its adapter's alpha makes no sense")]
    Alpha,
    /// Weights that can't be read.
    #[error("adapter_model.safetensors can't be read ({0})")]
    Weights(String),
    /// Weights for another model.
    #[error("its adapter belongs to another model: {name} is {found:?} where the open model needs {expected:?}")]
    Shape {
        /// The matrix.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits.
        expected: Vec<usize>,
    },
    /// A matrix for which the model has no place.
    #[error("its adapter changes {0}, which the open model does not have or Fledge does not teach")]
    Place(String),
    /// NaN, infinity, or as good as that.
    #[error("{0} holds values that are no usable numbers")]
    NotFinite(String),
    /// A taste of another model.
    #[error("it was taught to {0}, another model than the one that is open: open that one first")]
    Base(String),
    /// A taste for another type of text.
    #[error("it is about another type of text: choose {name} first", name = .0.name())]
    Content(ContentType),
    /// A line of `ratings.jsonl` that does not say what it must.
    #[error("line {line} of ratings.jsonl can't be read ({why})")]
    Line {
        /// Counts from 1.
        line: usize,
        /// The reason.
        why: String,
    },
    /// More ratings than the page can hold.
    #[error("it holds more than {0} texts")]
    TooMany(usize),
    /// No link of a taste, or a damaged one.
    #[error("{0}")]
    Link(&'static str),
    /// A tensor operation failed.
    #[error("a computation failed ({0})")]
    Compute(#[from] candle_core::Error),
    /// The engine failed.
    #[error("{0}")]
    Engine(#[from] crate::engine::Error),
}

/// The beginning of a text that came from elsewhere, fit for a sentence: on one line, and not too long.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST)
        .collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
