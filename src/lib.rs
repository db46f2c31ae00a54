//! Fledge: teach a language model by hand, inside a web page.
//!
//! The whole program is one line:
//!
//! ```text
//! prompt → token ids → GPT-2 (frozen base + LoRA) → sampled ids → post
//!   → four ratings → weighted reward → objective → backward → AdamW on LoRA → new adapter
//!   → one IndexedDB transaction (rating + adapter + optimiser state) → the page shows what changed → next post
//! ```
//!
//! To follow it, read: [`engine::tokenizer`], [`engine::gpt2`], [`engine::lora`], [`engine::sampler`],
//! [`engine::generation`]; [`feedback`]; [`learning::objective`], [`learning::lesson`], [`learning::optimizer`],
//! [`learning::snapshot`]; [`exchange::taste`]; `worker` (session, jobs, store); [`protocol`]; [`view`]; `ui`.
//!
//! Two programs are built from it: `app`, the page, and `worker`, which owns model, adapter and database. They meet only in
//! [`protocol`], [`settings`], [`content`] and [`feedback`]. All but `worker` and `ui` is plain Rust without a browser, a clock or a
//! thread; `ARCHITECTURE.md` draws the walls, and a test keeps them.

pub mod calendar;
pub mod catalogue;
pub mod content;
pub mod engine;
pub mod exchange;
pub mod feedback;
pub mod insight;
pub mod learning;
pub mod length;
pub mod protocol;
pub mod rails;
pub mod settings;
pub mod statistics;
pub mod timeline;
#[cfg(feature = "web")]
pub mod ui;
pub mod view;
pub mod worker;
