//! What was read beside what is here: nothing twice, and no text of one's own overwritten.
//!
//! A text is the same text if prompt, tokens, seed and time are: then it keeps its number and its stars here, and only stars and
//! choices that are missing here are taken over. All others get numbers after the last one here, or keep theirs if those are free and
//! later anyway, as in a history that was just forgotten.

use std::collections::HashMap;

use super::pairs::Choices;
use super::records::Record;
use crate::feedback::Metric;
use crate::protocol::PostId;

/// What a merge changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Texts that are new here, or have stars or choices that they did not have.
    pub changed: Vec<Record>,
    /// How many of those are new.
    pub new: usize,
    /// The number here of every text that was read, in its order.
    pub ids: Vec<PostId>,
}

/// The same text: what was asked, what was drawn, with which seed, when.
type Key<'a> = (&'a str, &'a [u32], &'a [u32], u64, u64);

fn key(record: &Record) -> Key<'_> {
    let Record { post, completion } = record;
    (
        &post.prompt,
        &completion.prompt_ids,
        &completion.ids,
        post.sampling.seed,
        post.written_at.to_bits(),
    )
}

/// Merges what was read into `own`, where the next text would have the number `next`, and `choices` were made.
#[must_use]
pub fn merge(own: &[Record], next: PostId, choices: &Choices, read: &[Record]) -> Merged {
    let here: HashMap<Key, &Record> = own.iter().map(|record| (key(record), record)).collect();
    let is_new = |record: &&Record| !here.contains_key(&key(record));
    let keep = read.iter().filter(is_new).all(|record| record.post.id >= next);
    let mut free = next;
    let mut seen: HashMap<Key, PostId> = HashMap::new();
    let mut numbers: HashMap<PostId, PostId> = HashMap::new();
    let mut merged = Merged::default();
    let mut new = Vec::new();
    for record in read {
        let known = here.get(&key(record)).map(|own| own.post.id);
        let id = known.or_else(|| seen.get(&key(record)).copied()).unwrap_or_else(|| {
            let id = if keep { record.post.id } else { free };
            free = free.max(id) + 1;
            new.push(record);
            id
        });
        seen.insert(key(record), id);
        numbers.insert(record.post.id, id);
        merged.ids.push(id);
    }
    merged.new = new.len();
    let rejected = |record: &Record| -> Vec<PostId> {
        let numbers = record.post.chosen_over.iter().filter_map(|id| numbers.get(id));
        numbers.copied().collect()
    };
    for record in read.iter().filter(|record| !is_new(record)) {
        let Some(own) = here.get(&key(record)) else { continue };
        let mut both = with_stars_of(own, record);
        let known = choices.get(&own.post.id);
        let missing = rejected(record)
            .into_iter()
            .filter(|id| known.is_none_or(|known| !known.contains(id)));
        both.post.chosen_over.extend(missing);
        if both != **own {
            merged.changed.push(both);
        }
    }
    // Of candidates that are not in the file nothing is known here, but those that are stay together.
    let mut groups: HashMap<PostId, PostId> = HashMap::new();
    for record in new {
        let mut record = record.clone();
        record.post.chosen_over = rejected(&record);
        record.post.id = numbers[&record.post.id];
        if let group @ 1.. = record.post.group {
            let same = numbers
                .get(&group)
                .copied()
                .or_else(|| (keep && group >= next).then_some(group));
            record.post.group = same.unwrap_or_else(|| *groups.entry(group).or_insert(record.post.id));
        }
        record.post.edit_of = record.post.edit_of.and_then(|of| numbers.get(&of).copied());
        merged.changed.push(record);
    }
    merged
}

/// A text that is here, with the stars that only the other one has.
fn with_stars_of(own: &Record, other: &Record) -> Record {
    let mut record = own.clone();
    for metric in Metric::ALL {
        if let (None, Some(stars)) = (own.post.ratings.get(metric), other.post.ratings.get(metric)) {
            record.post.ratings.set(metric, stars);
        }
    }
    record
}
