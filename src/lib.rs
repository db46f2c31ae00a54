//! Fledge: teach a language model by hand, inside a web page.
pub mod engine;
pub mod feedback;
pub mod learning;
pub mod length;
pub mod protocol;
pub mod settings;
pub mod view;
#[cfg(feature = "web")]
pub mod worker;
