//! Answers that take the place of files, so that a test can serve a broken model or a slow one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is served in the place of a file.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The status; 200 is a file that is there.
    pub status: u16,
    /// The content; `None` leaves the file's own.
    pub body: Option<Vec<u8>>,
    /// How long to wait before the answer.
    pub delay: Duration,
}

impl Replacement {
    /// Another content.
    #[must_use]
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            body: Some(body.into()),
            delay: Duration::ZERO,
        }
    }

    /// No file, but this status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            body: None,
            delay: Duration::ZERO,
        }
    }

    /// The file itself, later.
    #[must_use]
    pub fn delay(delay: Duration) -> Self {
        Self {
            status: 200,
            body: None,
            delay,
        }
    }
}

/// The replacements of a server, by the file's path below `dist/` ("model/config.json").
#[derive(Clone, Debug, Default)]
pub struct Overlay(Arc<Mutex<HashMap<String, Replacement>>>);

impl Overlay {
    /// From now on, serves this in the place of that file.
    pub fn replace(&self, path: &str, replacement: Replacement) {
        self.entries().insert(path.to_owned(), replacement);
    }

    /// From now on, serves the file itself again.
    pub fn restore(&self, path: &str) {
        self.entries().remove(path);
    }

    pub(super) fn get(&self, path: &str) -> Option<Replacement> {
        self.entries().get(path).cloned()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Replacement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
