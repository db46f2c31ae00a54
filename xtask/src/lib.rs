//! Fledge's developer commands, as a library: `main.rs` is the command line, the browser tests use [`serve`] too.

pub mod bench;
pub mod budget;
pub mod builds;
pub mod bundle;
pub mod dist;
pub mod export;
pub mod gguf;
pub mod offline;
pub mod serve;
pub mod shell;
pub mod test;
pub mod tools;
