//! The engine: GPT-2 on candle, from a folder of files to a post.
//!
//! Read [`model`] for what is loaded, [`gpt2`] for the network, [`lora`] for what teaching changes, [`sampler`] and
//! [`generation`] for how a post comes about, [`kernels`] for the arithmetic under all of it. Nothing here knows of a browser, a clock or a thread.

pub mod cache;
pub mod config;
mod decode;
pub mod error;
pub mod generation;
pub mod gpt2;
pub mod kernels;
pub mod linear;
pub mod lora;
pub mod matrix;
pub mod model;
mod ops;
pub mod sampler;
pub mod storage;
pub mod tokenizer;
pub mod weights;

pub use cache::Cache;
pub use config::Config;
pub use error::Error;
pub use generation::{Completion, Ending, Generation};
pub use gpt2::Gpt2;
pub use lora::Adapter;
pub use model::{Loading, Model, ModelFiles};
pub use sampler::Sampler;
pub use tokenizer::Tokenizer;
