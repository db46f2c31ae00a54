//! A taste file: everything that a person taught a model, in one zip that three worlds read.
//!
//! | file | for |
//! |---|---|
//! | `adapter_config.json`, `adapter_model.safetensors` | Python's PEFT |
//! | `adapter.gguf` | llama.cpp |
//! | `ratings.jsonl` | this page again, and whoever wants to know |
//! | `preferences.jsonl`, `kto.jsonl` | TRL |
//! | `README.md` | Hugging Face, people |
//! | `fledge.json` | this page: a [`TasteInfo`] |
//! | `SHA256SUMS` | `sha256sum -c` |
//!
//! [`pack`] writes it, the same bytes for the same taste. [`unpack`] reads it, or a bare PEFT folder, whole or not at all. The
//! optimiser's moments do not travel: whoever goes on teaching starts with fresh ones, as after a first lesson.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::zip::{self, Files};
use super::{Error, Record, card, gguf, pairs, peft, records, short};
use crate::content::ContentType;
use crate::engine::{Adapter, Model};
use crate::feedback::Weights;
use crate::protocol::PostId;
use crate::timeline::Timeline;

pub use crate::protocol::TasteInfo;

const GGUF: &str = "adapter.gguf";
const RATINGS: &str = "ratings.jsonl";
const PREFERENCES: &str = "preferences.jsonl";
const KTO: &str = "kto.jsonl";
const CARD: &str = "README.md";
const ABOUT: &str = "fledge.json";
const SUMS: &str = "SHA256SUMS";

/// What a taste file is made of.
pub struct Source<'a> {
    /// The model that was taught.
    pub model: &'a Model,
    /// Its repository, if it has one.
    pub repository: Option<&'a str>,
    /// What was written.
    pub content: ContentType,
    /// What was learned.
    pub adapter: Option<&'a Adapter>,
    /// Every text.
    pub records: &'a [Record],
    /// The lessons.
    pub timeline: &'a Timeline,
    /// How ratings are weighted now.
    pub weights: Weights,
    /// With the ratings.
    pub ratings: bool,
    /// Now, in milliseconds since 1970.
    pub made_at: f64,
}

/// What was read: checked, and not yet in force.
#[derive(Debug)]
pub struct Taste {
    /// What it is.
    pub info: TasteInfo,
    /// What was learned.
    pub adapter: Option<Adapter>,
    /// What was said of which text.
    pub records: Vec<Record>,
}

/// Packs a taste.
///
/// # Errors
/// [`Error::Nothing`] if there is neither an adapter nor a rating.
pub fn pack(source: &Source) -> Result<Vec<u8>, Error> {
    zip::write(&files(source)?)
}

/// The files of a taste, checksums included.
pub fn files(source: &Source) -> Result<Files, Error> {
    let Source {
        model,
        adapter,
        weights,
        timeline,
        ..
    } = source;
    let records = if source.ratings {
        judged(source.records, timeline)
    } else {
        Vec::new()
    };
    if adapter.is_none() && records.is_empty() {
        return Err(Error::Nothing);
    }
    let info = info(source, &records);
    let mut files = Files::new();
    if let Some(adapter) = adapter {
        let base = source.repository.unwrap_or(&info.base);
        files.insert(peft::CONFIG.into(), peft::config(adapter.lora(), base));
        files.insert(peft::WEIGHTS.into(), peft::weights(adapter)?);
        files.insert(GGUF.into(), gguf::write(adapter, model.config().n_layer)?);
    }
    if !records.is_empty() {
        let lessons = timeline.in_force().map(|node| &node.lesson);
        let choices = pairs::choices(records.iter().copied(), lessons);
        let preferences = pairs::preferences(&records, &choices, weights, model)?;
        let labelled = pairs::labelled(&records, weights, model)?;
        files.insert(
            RATINGS.into(),
            records::write(records.iter().copied(), &choices, weights, model)?,
        );
        files.insert(PREFERENCES.into(), pairs::jsonl(&preferences)?);
        files.insert(KTO.into(), pairs::jsonl(&labelled)?);
    }
    files.insert(CARD.into(), card::write(&info).into_bytes());
    let about = serde_json::to_vec_pretty(&info).map_err(|error| Error::Json {
        name: ABOUT,
        why: error.to_string(),
    })?;
    files.insert(ABOUT.into(), about);
    files.insert(SUMS.into(), sums(&files).into_bytes());
    Ok(files)
}

/// The texts that a person said something of: rated, chosen or not among candidates, edited.
fn judged<'a>(records: &'a [Record], timeline: &Timeline) -> Vec<&'a Record> {
    let mut said: BTreeSet<PostId> = timeline
        .nodes()
        .flat_map(|node| node.lesson.posts.iter().map(|taught| taught.post))
        .collect();
    for Record { post, .. } in records {
        if !post.ratings.is_empty() {
            said.insert(post.id);
        }
        if let Some(original) = post.edit_of {
            said.extend([post.id, original]);
        }
        if !post.chosen_over.is_empty() {
            said.insert(post.id);
            said.extend(&post.chosen_over);
        }
    }
    records.iter().filter(|record| said.contains(&record.post.id)).collect()
}

fn info(source: &Source, records: &[&Record]) -> TasteInfo {
    let Source { model, timeline, .. } = source;
    let here = timeline.node(timeline.at());
    TasteInfo {
        base: model.card().name.clone(),
        base_id: model.id().to_owned(),
        repository: source.repository.map(str::to_owned),
        content: Some(source.content),
        texts: records.len(),
        ratings: count_rated(records.iter().copied()),
        lora: source.adapter.map(|adapter| *adapter.lora()),
        lessons: timeline.depth(),
        teaching: here.map(|node| node.lesson.teaching),
        weights: source.weights,
        tally: here.map(|node| node.lesson.tally).unwrap_or_default(),
        measured: here.and_then(|node| node.lesson.measured),
        made_at: Some(source.made_at),
    }
}

fn count_rated<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    records
        .filter(|record| record.post.ratings.complete().is_some())
        .count()
}

/// What `sha256sum` prints of files.
fn sums(files: &Files) -> String {
    let lines = files
        .iter()
        .map(|(name, bytes)| [&hex(bytes), "  ", name, "\n"].concat());
    lines.collect()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = Sha256::digest(bytes)
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// The files that a person picked: one zip, or the files of a folder themselves.
pub fn gather(picked: Vec<(String, Vec<u8>)>) -> Result<Files, Error> {
    let is_zip = |name: &str, bytes: &[u8]| bytes.starts_with(b"PK") || name.to_lowercase().ends_with(".zip");
    if let [(name, bytes)] = picked.as_slice()
        && is_zip(name, bytes)
    {
        return zip::read(bytes);
    }
    let mut files = Files::new();
    for (name, bytes) in picked {
        if files.insert(name.clone(), bytes).is_some() {
            return Err(Error::Duplicate(short(&name)));
        }
    }
    Ok(files)
}

/// Reads a taste for the model that is open and the type of text that is chosen.
///
/// # Errors
/// At the first thing that is not as it must be. Nothing of it is used then.
pub fn unpack(files: &Files, model: &Model, content: ContentType) -> Result<Taste, Error> {
    let folder = Folder::find(files)?;
    folder.check_sums()?;
    let about = match folder.get(ABOUT) {
        Some(json) => Some(about(json)?),
        None => None,
    };
    if let Some(about) = &about {
        if about.base_id != model.id() {
            return Err(Error::Base(format!("“{}”", short(&about.base))));
        }
        if let Some(other) = about.content.filter(|other| *other != content) {
            return Err(Error::Content(other));
        }
    }
    let mut peft = None;
    let adapter = match (folder.get(peft::CONFIG), folder.get(peft::WEIGHTS)) {
        (Some(config), Some(weights)) => {
            let config = peft::PeftConfig::from_json(config)?;
            let adapter = peft::read(&config, weights, model.config())?;
            peft = Some(config);
            Some(adapter)
        }
        (None, None) => None,
        (None, Some(_)) => return Err(Error::Missing(peft::CONFIG)),
        (Some(_), None) => return Err(Error::Missing(peft::WEIGHTS)),
    };
    let records = match folder.get(RATINGS) {
        Some(file) => records::read(file, model, content)?,
        None => Vec::new(),
    };
    if adapter.is_none() && records.is_empty() {
        return Err(Error::Nothing);
    }
    let base = || peft.and_then(|config| config.base_model_name_or_path);
    let about = about.unwrap_or_else(|| TasteInfo {
        base: base().unwrap_or_default(),
        ..TasteInfo::default()
    });
    // What can be counted is not believed.
    let info = TasteInfo {
        base: short(&about.base),
        repository: about.repository.map(|repository| short(&repository)),
        texts: records.len(),
        ratings: count_rated(records.iter()),
        lora: adapter.as_ref().map(|adapter| *adapter.lora()),
        teaching: about.teaching.map(crate::settings::Teaching::clamped),
        ..about
    };
    Ok(Taste { info, adapter, records })
}

fn about(json: &[u8]) -> Result<TasteInfo, Error> {
    serde_json::from_slice(json).map_err(|error| Error::Json {
        name: ABOUT,
        why: short(&error.to_string()),
    })
}

/// The one folder among the files that holds a taste.
struct Folder<'a> {
    files: &'a Files,
    prefix: &'a str,
}

impl<'a> Folder<'a> {
    /// Where `adapter_config.json` lies, or else `ratings.jsonl`.
    fn find(files: &'a Files) -> Result<Self, Error> {
        for wanted in [peft::CONFIG, peft::WEIGHTS, RATINGS] {
            let mut prefixes = files.keys().filter_map(|name| {
                let prefix = name.strip_suffix(wanted)?;
                (prefix.is_empty() || prefix.ends_with('/')).then_some(prefix)
            });
            if let Some(prefix) = prefixes.next() {
                if prefixes.next().is_some() {
                    return Err(Error::Duplicate(wanted.to_owned()));
                }
                return Ok(Self { files, prefix });
            }
        }
        Err(Error::Nothing)
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.files.get(&format!("{}{name}", self.prefix)).map(Vec::as_slice)
    }

    /// Every file for which there is a checksum is what that says. A file that somebody has taken out does not matter here.
    fn check_sums(&self) -> Result<(), Error> {
        let Some(sums) = self.get(SUMS) else { return Ok(()) };
        let sums = std::str::from_utf8(sums).map_err(|_error| Error::Checksum(SUMS.into()))?;
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").ok_or_else(|| Error::Checksum(SUMS.into()))?;
            if self.get(name).is_some_and(|bytes| hex(bytes) != sum) {
                return Err(Error::Checksum(short(name)));
            }
        }
        Ok(())
    }
}
