//! Fledge: teach a language model by hand, inside a web page.
pub mod feedback;
pub mod length;
pub mod protocol;
pub mod settings;
pub mod view;
