//! The worker's tower: a model that writes and learns, behind [`crate::protocol`], with everything durable.
//!
//! Read it from the door inwards: `dispatch` takes the page's messages one by one, `session` says what each command
//! does, `job` is what takes longer than a moment (`writing` a post, a `lecture`, `watching` what came of it, `pairing` texts for a blind test), `studio` is the open model with all
//! that belongs to it, [`history`] its posts as plain data, `store` where they are kept (in the `database`, if there is
//! one), `library` where models come from, [`selection`] which of a person's files are one, `host` the few things that a
//! worker asks of its browser, `problem` what the person is told when something fails. `parcel` is what leaves as a file, and what comes back as one; `linking`
//! makes a link of it.
//!
//! History and selection know nothing of a browser; the rest is there with the feature `web` only.

#[cfg(feature = "web")]
mod database;
#[cfg(feature = "web")]
mod dispatch;
pub mod history;
#[cfg(feature = "web")]
mod host;
#[cfg(feature = "web")]
mod job;
#[cfg(feature = "web")]
mod lecture;
#[cfg(feature = "web")]
mod library;
#[cfg(feature = "web")]
mod linking;
#[cfg(feature = "web")]
mod looking;
#[cfg(feature = "web")]
mod measuring;
#[cfg(feature = "web")]
mod old;
#[cfg(feature = "web")]
mod opening;
#[cfg(feature = "web")]
mod pairing;
#[cfg(feature = "web")]
mod parcel;
#[cfg(feature = "web")]
mod problem;
pub mod repository;
#[cfg(feature = "web")]
mod rounds;
pub mod selection;
#[cfg(feature = "web")]
mod session;
#[cfg(feature = "web")]
mod store;
#[cfg(feature = "web")]
mod studio;
#[cfg(feature = "web")]
pub mod threads;
#[cfg(feature = "web")]
mod watching;
#[cfg(feature = "web")]
mod writing;

#[cfg(feature = "web")]
pub use dispatch::run;

/// What the benchmark's program has in common with this one: the clock, and the way to read a file.
#[cfg(feature = "bench")]
pub mod instruments {
    pub use super::host::now;
    pub use super::library::{BlobReader, Meter};
}
