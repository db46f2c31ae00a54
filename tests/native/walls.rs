//! Promise: the walls of ARCHITECTURE.md hold. A room uses only what stands below it, and plain rooms know no browser.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms of this crate that it may use.
const ROOMS: [(&str, &[&str]); 18] = [
    ("calendar", &[]),
    ("catalogue", &[]),
    ("feedback", &[]),
    ("length", &[]),
    ("content", &["length"]),
    ("settings", &["content"]),
    ("engine", &["settings", "content", "length"]),
    ("rails", &[]),
    ("statistics", &[]),
    ("insight", &["feedback", "statistics"]),
    (
        "learning",
        &[
            "engine",
            "feedback",
            "settings",
            "content",
            "rails",
            "insight",
            "statistics",
        ],
    ),
    (
        "protocol",
        &["feedback", "settings", "content", "rails", "insight", "timeline"],
    ),
    // What travels is what the database keeps, so the plain data of the contract is what is written down.
    (
        "exchange",
        &[
            "engine",
            "learning",
            "feedback",
            "settings",
            "content",
            "statistics",
            "protocol",
            "timeline",
            "insight",
            "calendar",
        ],
    ),
    // What a lesson was is a part of the contract, and a timeline is made of lessons: the two are one room in two files.
    ("timeline", &["protocol"]),
    (
        "view",
        &[
            "protocol",
            "timeline",
            "rails",
            "insight",
            "statistics",
            "feedback",
            "settings",
            "content",
            "length",
            "catalogue",
            "calendar",
        ],
    ),
    (
        "worker",
        &[
            "protocol",
            "timeline",
            "rails",
            "insight",
            "statistics",
            "exchange",
            "learning",
            "engine",
            "feedback",
            "settings",
            "content",
            "catalogue",
            "calendar",
        ],
    ),
    (
        "ui",
        &[
            "protocol",
            "timeline",
            "view",
            "insight",
            "feedback",
            "settings",
            "content",
            "catalogue",
        ],
    ),
    // The page, the worker, and the benchmark, which asks the engine itself.
    ("bin", &["worker", "ui", "engine", "learning", "settings"]),
];

/// Rooms that build and run without a browser.
const PLAIN: [&str; 15] = [
    "calendar",
    "catalogue",
    "settings",
    "feedback",
    "length",
    "content",
    "engine",
    "exchange",
    "learning",
    "protocol",
    "rails",
    "insight",
    "statistics",
    "timeline",
    "view",
];

/// What ties code to a browser, a clock or a thread.
const FOREIGN: [&str; 9] = [
    "web_sys",
    "js_sys",
    "wasm_bindgen",
    "gloo_",
    "leptos",
    "idb::",
    "std::time",
    "std::thread",
    "std::fs",
];

#[test]
fn every_room_stands_above_all_that_it_uses() {
    for (room, allowed) in ROOMS {
        for (path, text) in sources(room) {
            for other in ROOMS
                .iter()
                .map(|(name, _)| *name)
                .filter(|name| *name != room && !allowed.contains(name))
            {
                for form in [format!("crate::{other}::"), format!("fledge::{other}::")] {
                    assert!(!code(&text).contains(&form), "{} uses {form}", path.display());
                }
            }
        }
    }
}

#[test]
fn plain_rooms_know_no_browser_clock_or_thread() {
    for room in PLAIN {
        for (path, text) in sources(room) {
            for word in FOREIGN {
                assert!(!code(&text).contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_source_file_belongs_to_a_room() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).expect("src") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().and_then(|s| s.to_str()).expect("name").to_owned();
        assert!(
            name == "lib" || ROOMS.iter().any(|(room, _)| *room == name),
            "{name} is in no room"
        );
    }
}

/// Every file of a room. A room that has none is a mistake in the table.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut waiting = vec![source.join(room), source.join(format!("{room}.rs"))];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("folder").map(|e| e.expect("entry").path()));
        } else if path.extension().is_some_and(|e| e == "rs") && path.exists() {
            let text = fs::read_to_string(&path).expect("source");
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "the room {room} is empty");
    found
}

/// The text without comment lines.
fn code(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}
