//! Small things that may be lost: weights, sampling, teaching, theme. They live in `localStorage`.

use std::collections::BTreeMap;

use gloo_storage::{LocalStorage, Storage};
use leptos::prelude::window;
use serde::{Deserialize, Serialize};

use crate::content::ContentType;
use crate::feedback::Weights;
use crate::settings::{Build, Precision, Sampling, Teaching};
use crate::ui::share;

const KEY: &str = "fledge.preferences";

/// A copy that somebody shared keeps its own.
fn key() -> String {
    share::space().map_or_else(|| KEY.to_owned(), |space| format!("{KEY}.{space}"))
}

/// Seeds stay below 2^32, so that they are short to read and exact in JavaScript.
pub const SEEDS: f64 = 4_294_967_296.0;

/// What the person has set. What is as it comes is not written, so that better defaults reach everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    #[serde(skip_serializing_if = "is_default")]
    pub weights: Weights,
    /// Its seed and its length are not used; see `seed` and `lengths`.
    #[serde(skip_serializing_if = "is_default")]
    pub sampling: Sampling,
    /// The most tokens of a text, for the types where that was set.
    #[serde(skip_serializing_if = "is_default")]
    pub lengths: BTreeMap<ContentType, usize>,
    /// The hub's address, if it is another one than usual: a mirror, or a folder of this site.
    #[serde(skip_serializing_if = "is_default")]
    pub hub: Option<String>,
    /// How models shall lie in memory.
    #[serde(skip_serializing_if = "is_default")]
    pub precision: Precision,
    /// Which program the worker runs; what the browser allows if nothing is said.
    #[serde(skip_serializing_if = "is_default")]
    pub build: Option<Build>,
    /// The kept model that was open last, by its id.
    #[serde(skip_serializing_if = "is_default")]
    pub model: Option<String>,
    /// What was written last.
    #[serde(skip_serializing_if = "is_default")]
    pub content: ContentType,
    #[serde(skip_serializing_if = "is_default")]
    pub teaching: Teaching,
    /// Texts that are written for one prompt.
    pub candidates: usize,
    /// How strongly what was taught counts.
    pub strength: f64,
    /// Whether the automatic rater may fill in stars.
    pub fill_in: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub theme: Theme,
    /// The seed of the last post, or the one that was typed for the next.
    pub seed: u64,
    /// Draw a new seed for each post.
    pub new_seed: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            sampling: Sampling::default(),
            lengths: BTreeMap::new(),
            hub: None,
            precision: Precision::default(),
            build: None,
            model: None,
            content: ContentType::default(),
            teaching: Teaching::default(),
            candidates: 1,
            strength: 1.0,
            fill_in: true,
            theme: Theme::default(),
            seed: Sampling::default().seed,
            new_seed: true,
        }
    }
}

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

impl Preferences {
    /// What was kept, or the defaults where nothing was, where it is garbage, and where storage is denied.
    pub fn load() -> Self {
        if !storage_is_there() {
            return Self::default();
        }
        LocalStorage::get(key()).unwrap_or_else(|_| Self {
            content: share::content().unwrap_or_default(),
            ..Self::default()
        })
    }

    /// Keeps them, if the browser allows.
    pub fn save(&self) {
        if storage_is_there() && LocalStorage::set(key(), self).is_err() {
            leptos::logging::warn!("the preferences could not be kept");
        }
    }

    /// The most tokens of a text of this type.
    pub fn length(&self, content: ContentType) -> usize {
        self.lengths.get(&content).copied().unwrap_or(content.tokens())
    }

    /// How the next text is sampled; draws its seed if the person did not set one.
    pub fn next_sampling(&mut self, content: ContentType) -> Sampling {
        if self.new_seed {
            self.seed = (js_sys::Math::random() * SEEDS) as u64;
        }
        Sampling {
            seed: self.seed,
            length: self.length(content),
            ..self.sampling
        }
        .clamped()
    }
}

/// Reading `localStorage` throws where storage is denied.
fn storage_is_there() -> bool {
    matches!(window().local_storage(), Ok(Some(_)))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
