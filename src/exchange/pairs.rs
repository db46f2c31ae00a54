//! `preferences.jsonl` and `kto.jsonl`: what a person said, in the two forms that TRL trains from without a column mapped by
//! hand (<https://huggingface.co/docs/trl/dataset_formats>).
//!
//! A **preference** is `{"prompt", "chosen", "rejected"}`: a choice among candidates, a person's own version over what it
//! replaces, and, of two rated texts for one prompt, the one with the higher reward where that is higher by [`MARGIN`].
//!
//! **KTO** wants `{"prompt", "completion", "label"}`: a rated text is good (`true`) if its reward is above the mean of all rewards
//! in the file, as people use the stars differently; where all rewards are the same, if it is above three stars' worth, 0.5. A
//! person's own version is good.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::records::{Record, push_line, reward, text};
use super::{Error, records::MOST_RECORDS};
use crate::engine::Model;
use crate::feedback::Weights;
use crate::protocol::{Lesson, LessonKind, PostId};
use crate::statistics::mean;

/// Two texts are told apart if one is worth so much more: four stars instead of three on half of the weights.
pub const MARGIN: f64 = 0.125;
/// The most pairs that are made of the ratings for one prompt.
const MOST_A_PROMPT: usize = 64;

/// A line of `preferences.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Preference {
    /// What was asked for.
    pub prompt: String,
    /// The better text.
    pub chosen: String,
    /// The other one.
    pub rejected: String,
}

/// A line of `kto.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Labelled {
    /// What was asked for.
    pub prompt: String,
    /// What was written.
    pub completion: String,
    /// Whether that is good.
    pub label: bool,
}

/// For each text that was chosen, those over which it was.
pub type Choices = BTreeMap<PostId, BTreeSet<PostId>>;

/// What was chosen here, as lessons say, and elsewhere, as the texts do.
pub fn choices<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    lessons: impl IntoIterator<Item = &'a Lesson>,
) -> Choices {
    let mut choices = Choices::new();
    for lesson in lessons {
        if lesson.kind == LessonKind::Preferred
            && let [chosen, rejected @ ..] = lesson.posts.as_slice()
        {
            let rejected = rejected.iter().map(|other| other.post);
            choices.entry(chosen.post).or_default().extend(rejected);
        }
    }
    for Record { post, .. } in records {
        if !post.chosen_over.is_empty() {
            choices.entry(post.id).or_default().extend(&post.chosen_over);
        }
    }
    choices
}

/// Every preference that records and choices hold, once each.
pub fn preferences(
    records: &[&Record],
    choices: &Choices,
    weights: &Weights,
    model: &Model,
) -> Result<Vec<Preference>, Error> {
    let by_id: BTreeMap<PostId, &Record> = records.iter().map(|record| (record.post.id, *record)).collect();
    let chosen = choices.iter();
    let mut pairs: Vec<(PostId, PostId)> = chosen
        .flat_map(|(chosen, rejected)| rejected.iter().map(|other| (*chosen, *other)))
        .collect();
    let edits = records
        .iter()
        .filter_map(|edit| Some((edit.post.id, edit.post.edit_of?)));
    pairs.extend(edits);
    let mut by_prompt: BTreeMap<&str, Vec<(PostId, f64)>> = BTreeMap::new();
    for record in records {
        if let Some(reward) = reward(&record.post, weights) {
            let rated = by_prompt.entry(record.post.prompt.trim()).or_default();
            rated.push((record.post.id, reward));
        }
    }
    for rated in by_prompt.values() {
        let better = rated.iter().flat_map(|(chosen, high)| {
            let worse = rated.iter().filter(move |(_, low)| high - low >= MARGIN);
            worse.map(|(rejected, _)| (*chosen, *rejected))
        });
        pairs.extend(better.take(MOST_A_PROMPT));
    }

    let mut known = HashSet::new();
    let mut preferences = Vec::new();
    for (chosen, rejected) in pairs {
        let (Some(chosen), Some(rejected)) = (by_id.get(&chosen), by_id.get(&rejected)) else {
            continue;
        };
        let preference = Preference {
            prompt: chosen.post.prompt.clone(),
            chosen: text(chosen, model)?,
            rejected: text(rejected, model)?,
        };
        if preference.chosen != preference.rejected && known.insert(preference.clone()) {
            preferences.push(preference);
        }
    }
    Ok(preferences)
}

/// Every rated text, and every version of the person's own, with a label.
pub fn labelled(records: &[&Record], weights: &Weights, model: &Model) -> Result<Vec<Labelled>, Error> {
    let rewards: Vec<f64> = records
        .iter()
        .filter_map(|record| reward(&record.post, weights))
        .collect();
    let mean = mean(&rewards);
    let are_alike = rewards.iter().all(|reward| (reward - mean).abs() < 1e-9);
    let bound = if are_alike { 0.5 } else { mean };
    let mut labelled = Vec::new();
    for record in records.iter().take(MOST_RECORDS) {
        let label = match (reward(&record.post, weights), record.post.edit_of) {
            (Some(reward), _) => reward > bound,
            (None, Some(_)) => true,
            (None, None) => continue,
        };
        labelled.push(Labelled {
            prompt: record.post.prompt.clone(),
            completion: text(record, model)?,
            label,
        });
    }
    Ok(labelled)
}

/// Lines as a file.
pub fn jsonl(lines: &[impl Serialize]) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    for line in lines {
        push_line(&mut file, line)?;
    }
    Ok(file)
}
