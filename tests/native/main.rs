//! The promises that need no browser, one file each. They share one program because linking candle takes its time.

#[path = "../common/damage.rs"]
mod damage;
mod fixtures;
#[path = "../common/formula.rs"]
mod formula;

mod adapters;
mod bad_models;
mod branches;
mod formats;
mod gpt2_tokenizer;
mod gradients;
mod hostile;
mod large;
mod lessons;
mod link;
mod parity;
mod practice;
mod taste;
mod taste_file;
mod walls;
mod writing;
