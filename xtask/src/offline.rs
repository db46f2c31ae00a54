//! Writes into `dist/sw.js`, the service worker, which files make this version of the page, and their hashes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::shell::files;

/// The service worker, beside the page: its folder is what it may answer for.
const WORKER: &str = "sw.js";

/// The lines in it that are filled in.
const EMPTY: &str = "const VERSION = \"\";\nconst FILES = {};\n";

/// What the page never asks for: the worker itself, which the browser keeps, and what is read by people or by hosts.
fn is_left_out(name: &str) -> bool {
    const FOR_PEOPLE_AND_HOSTS: [&str; 3] = ["_headers", "model/README.md", "model/generation_config.json"];
    // A copy of everything in one file.
    const COPY: &str = "fledge.html";
    name == WORKER || name == COPY || FOR_PEOPLE_AND_HOSTS.contains(&name)
}

/// Completes the service worker of a folder that is otherwise finished. The same files give the same version.
pub fn complete(dist: &Path) -> Result<()> {
    let path = dist.join(WORKER);
    let worker = std::fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    ensure!(
        worker.matches(EMPTY).count() == 1,
        "{WORKER} has no place for the list of files, or it is filled already"
    );
    let mut hashes = BTreeMap::new();
    for file in files(dist)? {
        let name = file.strip_prefix(dist)?.to_string_lossy().replace('\\', "/");
        if !is_left_out(&name) {
            hashes.insert(name, hex(&std::fs::read(&file)?));
        }
    }
    let list = serde_json::to_string_pretty(&hashes)?;
    // The worker's own code is a part of the version.
    let version = &hex(format!("{worker}{list}").as_bytes())[..12];
    let filled = format!("const VERSION = \"{version}\";\nconst FILES = {list};\n");
    std::fs::write(&path, worker.replace(EMPTY, &filled))?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, page: &str) -> std::path::PathBuf {
        let dist = std::env::temp_dir().join(format!("fledge-offline-{}-{name}", std::process::id()));
        std::fs::create_dir_all(dist.join("model")).unwrap();
        std::fs::write(dist.join("index.html"), page).unwrap();
        std::fs::write(dist.join("model/config.json"), "{}").unwrap();
        std::fs::write(dist.join("model/README.md"), "a card").unwrap();
        std::fs::write(dist.join("_headers"), "/*").unwrap();
        std::fs::write(dist.join(WORKER), include_str!("../../public/sw.js")).unwrap();
        dist
    }

    fn completed(dist: &Path) -> String {
        complete(dist).unwrap();
        std::fs::read_to_string(dist.join(WORKER)).unwrap()
    }

    #[test]
    fn what_the_page_asks_for_is_listed_with_its_hash() {
        let worker = completed(&site("listed", "<p>hello</p>"));
        // printf '<p>hello</p>' | sha256sum
        let page = "\"index.html\": \"a5652be1ca864d36d25cfb54a41f384e2de1b3acf7513a925d72ed7258fdc0ae\"";
        assert!(worker.contains(page), "{worker}");
        assert!(worker.contains("\"model/config.json\": \""));
        for left_out in ["README", "\"_headers\"", "\"sw.js\""] {
            assert!(!worker.contains(left_out), "{left_out}");
        }
    }

    #[test]
    fn the_version_follows_from_the_files() {
        let version = |worker: &str| {
            let line = worker.lines().find(|line| line.starts_with("const VERSION")).unwrap();
            line.to_owned()
        };
        let (first, same, other) = (
            completed(&site("first", "one")),
            completed(&site("same", "one")),
            completed(&site("other", "two")),
        );
        assert_eq!(version(&first), version(&same));
        assert_ne!(version(&first), version(&other));
        assert!(!first.contains("const VERSION = \"\""));
    }

    #[test]
    fn a_worker_that_is_filled_is_not_filled_again() {
        let dist = site("twice", "one");
        complete(&dist).unwrap();
        assert!(complete(&dist).is_err());
    }
}
