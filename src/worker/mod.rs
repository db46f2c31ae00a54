//! The worker's tower: a model that writes and learns, behind [`crate::protocol`], with everything durable.
//!
//! Read it from the door inwards: [`dispatch`] takes the page's messages one by one, [`session`] says what each command
//! does, [`job`] is what takes longer than a moment (a post, a lesson), [`studio`] is the open model with all that
//! belongs to it, [`history`] its posts as plain data, [`store`] where they are kept, [`library`] where models come
//! from, [`host`] the few things that a worker asks of its browser.

mod dispatch;
mod history;
mod host;
mod job;
mod library;
mod problem;
mod session;
mod store;
mod studio;

pub use dispatch::run;
