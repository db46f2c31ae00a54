//! The promises that only a browser can keep, one file each, in headless Chromium against a finished `dist/`.
//!
//! `cargo xtask test` runs them. Alone, after `cargo xtask build`:
//! `FLEDGE_DIST=$PWD/dist cargo test --no-default-features --test browser -- --ignored`
//!
//! The tests speak [`desk::Desk`]'s words (`write`, `rate`, `teach`), which reach the page as a person with a screen
//! reader does: by role and accessible name.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests run natively: they may read the clock and start threads"
)]

mod chrome;
#[path = "../common/damage.rs"]
mod damage;
mod desk;
mod fixture;
#[path = "../common/formula.rs"]
mod formula;
mod hub;
mod page;
mod safetensors;

mod automatic;
mod bad_input;
mod candidates;
mod damaged_files;
mod downloads;
mod engines;
mod gpt2;
mod link;
mod looks;
mod memory;
mod models;
mod offline;
mod one_file;
mod proof;
mod survival;
mod taste;
mod the_loop;
mod timeline;
mod travel;
mod types;
