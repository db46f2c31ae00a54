//! The promises that need no browser, one file each. They share one program because linking candle takes its time.

mod fixtures;
mod formats;

mod adapters;
mod bad_models;
mod gpt2_tokenizer;
mod gradients;
mod lessons;
mod parity;
mod taste;
mod walls;
mod writing;
