//! The page: a [`client`] that talks to the worker, and one component a file.
//!
//! Components read signals and call [`desk::Desk`]; what a state means is decided in [`crate::view`].

mod app;
mod builds;
mod client;
mod curve;
mod desk;
mod dialogs;
mod download;
mod engine;
mod header;
mod history;
mod keys;
mod lesson;
mod link;
mod mark;
mod models;
mod number;
mod offline;
mod post;
mod preferences;
mod prompt;
mod proof;
mod rater;
mod rating;
mod sampling;
mod segment;
mod settings;
mod share;
mod space;
mod status;
mod teach;
mod teaching;
mod timeline;
mod travel;

use leptos::prelude::*;

/// Puts the page into the document.
pub fn start() {
    console_error_panic_hook::set_once();
    if let Some(placeholder) = document().get_element_by_id("start") {
        placeholder.remove();
    }
    mount_to_body(app::App);
}
