//! A model repository on a hub like Hugging Face's: which addresses its files have, which of them make up a model, and how
//! large they are and must hash. Plain data: the `library` fetches.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::protocol::Hub;

/// The address of a file.
#[must_use]
pub fn address(hub: &Hub, file: &str) -> String {
    format!("{}/resolve/{}/{file}", root(hub), hub.revision)
}

/// The address of a large file's pointer, which holds its size and its hash (<https://git-lfs.com>).
#[must_use]
pub fn pointer_address(hub: &Hub, file: &str) -> String {
    format!("{}/raw/{}/{file}", root(hub), hub.revision)
}

fn root(hub: &Hub) -> String {
    format!("{}/{}", hub.base.trim_end_matches('/'), hub.repo)
}

/// What a pointer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Pointer {
    /// Reads a pointer; `None` if the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text.starts_with("version https://git-lfs") {
            return None;
        }
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let sha256 = value("oid sha256:")?.trim().to_lowercase();
        let size = value("size ")?.trim().parse().ok()?;
        (sha256.len() == 64).then_some(Self { sha256, size })
    }
}

/// The files of a model that was cut, by `model.safetensors.index.json`.
///
/// # Errors
/// If that is no such index, or names something that is no file beside it.
pub fn shards(index: &[u8]) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    let is_plain = |file: &String| file.ends_with(".safetensors") && !file.contains(['/', '\\']);
    match files.iter().find(|file| !is_plain(file)) {
        Some(strange) => Err(format!("it names {strange}")),
        None if files.is_empty() => Err("it names no file".into()),
        None => Ok(files.into_iter().collect()),
    }
}

/// What `Content-Range: bytes 5-9/10` says: the first byte, and how many there are in all.
#[must_use]
pub fn content_range(header: &str) -> Option<(u64, u64)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_pointers_have_addresses() {
        let hub = Hub {
            base: "https://example.org/".into(),
            repo: "someone/gpt2".into(),
            revision: "main".into(),
        };
        assert_eq!(
            address(&hub, "config.json"),
            "https://example.org/someone/gpt2/resolve/main/config.json"
        );
        assert_eq!(
            pointer_address(&hub, "model.safetensors"),
            "https://example.org/someone/gpt2/raw/main/model.safetensors"
        );
    }

    #[test]
    fn a_pointer_is_told_from_everything_else() {
        let sha = "ab".repeat(32);
        let text = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize 548105171\n");
        let expected = Pointer {
            sha256: sha.clone(),
            size: 548_105_171,
        };
        assert_eq!(Pointer::parse(&text), Some(expected));
        for other in [
            "",
            "{}",
            "<!doctype html>",
            &text.replace("size", "length"),
            &text.replace(&sha, "ab"),
        ] {
            assert_eq!(Pointer::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_index_names_its_files_once_each() {
        let index =
            br#"{"metadata":{},"weight_map":{"b":"m-2.safetensors","a":"m-1.safetensors","c":"m-2.safetensors"}}"#;
        assert_eq!(shards(index).expect("files"), ["m-1.safetensors", "m-2.safetensors"]);
        for bad in [
            &br#"{"weight_map":{}}"#[..],
            br#"{"weight_map":{"a":"../x.safetensors"}}"#,
            b"[]",
            b"<html>",
        ] {
            assert!(shards(bad).is_err());
        }
    }

    #[test]
    fn ranges_that_contradict_themselves_are_none() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, 10)));
        for bad in ["bytes 9-5/10", "bytes 5-10/10", "bytes */10", "5-9/10", "bytes 5-9/*"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
