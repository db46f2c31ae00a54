//! `ratings.jsonl`: what a person said of which text, one JSON object a line, with all that teaching from it needs.
//!
//! `prompt` and `completion` are the texts (the completion as the model wrote it, its leading space included, its end not),
//! `metrics` the stars, `weights` and `reward` what they amounted to when this was written, `log_prob` the completion's
//! log-probability when it was drawn, in nats. The rest is a [`Post`] and a [`Completion`], field by field, so that
//! what is read back is what was written. Decimals of JSON need not come back to the last bit, so `exact` holds the bits.
//!
//! A line that anybody may have written is believed in nothing: see [`read`].

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::pairs::Choices;
use super::{Error, short};
use crate::calendar::{self, LATEST};
use crate::content::ContentType;
use crate::engine::{Completion, Model, generation};
use crate::feedback::{Metric, PartialRatings, Stars, Weights};
use crate::protocol::{Ending, Post, PostId};
use crate::settings::{STRENGTH, Sampling};

/// A post, with what teaching from it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// As the page sees it.
    pub post: Post,
    /// As the model wrote it.
    pub completion: Completion,
}

/// The most texts in one file: years of rating, and what the page still shows without a pause.
pub const MOST_RECORDS: usize = 20_000;
/// The longest text that a line may hold, in bytes.
const MOST_TEXT: usize = 40_000;
/// Texts over which one may have been chosen; there are four candidates at most, and they may have been taken in more than once.
const MOST_CHOSEN_OVER: usize = 64;
/// The greatest number of a post: far from where counting on would overflow.
const MOST_ID: PostId = 1_000_000_000;

/// One number for each metric, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Four<T> {
    relevance: T,
    clarity: T,
    originality: T,
    engagement: T,
}

impl<T> Four<T> {
    fn of(value: impl Fn(Metric) -> T) -> Self {
        Self {
            relevance: value(Metric::Relevance),
            clarity: value(Metric::Clarity),
            originality: value(Metric::Originality),
            engagement: value(Metric::Engagement),
        }
    }
}

impl From<Four<Option<Stars>>> for PartialRatings {
    fn from(four: Four<Option<Stars>>) -> Self {
        let stars = [four.relevance, four.clarity, four.originality, four.engagement];
        let mut ratings = Self::default();
        for (metric, stars) in Metric::ALL.into_iter().zip(stars) {
            if let Some(stars) = stars {
                ratings.set(metric, stars);
            }
        }
        ratings
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    prompt: String,
    completion: String,
    metrics: Four<Option<Stars>>,
    weights: Four<f64>,
    reward: Option<f64>,
    seed: u64,
    log_prob: Option<f64>,
    base: String,
    content: ContentType,
    time: String,
    id: PostId,
    group: PostId,
    edit_of: Option<PostId>,
    text: String,
    tokens: usize,
    sampling: Sampling,
    ending: Ending,
    lessons_before: u32,
    strength: f64,
    millis: f64,
    written_at: f64,
    prompt_ids: Vec<u32>,
    ids: Vec<u32>,
    log_probs: Vec<f32>,
    ended: Option<generation::Ending>,
    /// The bits of [`numbers`], in hexadecimal.
    exact: Vec<String>,
    /// What the automatic rater gave where the person gave nothing.
    #[serde(default)]
    filled_in: Four<Option<Stars>>,
    /// Numbers of the texts over which the person chose it.
    #[serde(default)]
    chosen_over: Vec<PostId>,
}

/// The numbers of a post that need not come through JSON's decimals as what they were.
const fn numbers(post: &mut Post) -> [&mut f64; 6] {
    [
        &mut post.strength,
        &mut post.millis,
        &mut post.written_at,
        &mut post.sampling.temperature,
        &mut post.sampling.top_p,
        &mut post.sampling.min_p,
    ]
}

/// What a post amounts to under these weights, once the person has rated it: what the automatic rater says counts for nothing.
#[must_use]
pub fn reward(post: &Post, weights: &Weights) -> Option<f64> {
    Some(weights.reward(&post.ratings.complete()?).get())
}

/// The text of a completion as the model wrote it: TRL adds the end of the text by itself.
pub fn text(record: &Record, model: &Model) -> Result<String, Error> {
    Ok(model.tokenizer().decode(&record.completion.ids)?)
}

/// The file with these records and what was chosen among them, under the weights that hold now.
pub fn write<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    choices: &Choices,
    weights: &Weights,
    model: &Model,
) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    for record in records {
        let Record { post, completion } = record;
        let mut bits = post.clone();
        let line = Line {
            prompt: post.prompt.clone(),
            completion: text(record, model)?,
            metrics: Four::of(|metric| post.ratings.get(metric)),
            filled_in: Four::of(|metric| post.filled_in.get(metric)),
            chosen_over: choices.get(&post.id).into_iter().flatten().copied().collect(),
            weights: Four::of(|metric| weights.get(metric)),
            reward: reward(post, weights),
            seed: post.sampling.seed,
            log_prob: (!completion.log_probs.is_empty())
                .then(|| completion.log_probs.iter().map(|p| f64::from(*p)).sum()),
            base: model.id().to_owned(),
            content: post.content,
            time: calendar::time(post.written_at),
            id: post.id,
            group: post.group,
            edit_of: post.edit_of,
            text: post.text.clone(),
            tokens: post.tokens,
            sampling: post.sampling,
            ending: post.ending,
            lessons_before: post.lessons_before,
            strength: post.strength,
            millis: post.millis,
            written_at: post.written_at,
            prompt_ids: completion.prompt_ids.clone(),
            ids: completion.ids.clone(),
            log_probs: completion.log_probs.clone(),
            ended: completion.ending,
            exact: numbers(&mut bits)
                .into_iter()
                .map(|number| format!("{:016x}", number.to_bits()))
                .collect(),
        };
        push_line(&mut file, &line)?;
    }
    Ok(file)
}

/// Adds an object to a JSONL file.
pub(super) fn push_line(file: &mut Vec<u8>, line: &impl Serialize) -> Result<(), Error> {
    let failed = |error: serde_json::Error| Error::Json {
        name: "a line",
        why: error.to_string(),
    };
    serde_json::to_writer(&mut *file, line).map_err(failed)?;
    file.push(b'\n');
    Ok(())
}

/// Reads the file and checks that every line could have been written by this page with this model.
///
/// # Errors
/// At the first line that could not.
pub fn read(file: &[u8], model: &Model, content: ContentType) -> Result<Vec<Record>, Error> {
    let lines = || {
        let lines = file.split(|byte| *byte == b'\n');
        lines.enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
    };
    if lines().nth(MOST_RECORDS).is_some() {
        return Err(Error::TooMany(MOST_RECORDS));
    }
    let mut ids = HashSet::new();
    let mut records = Vec::new();
    for (at, line) in lines() {
        let wrong = |why: String| Error::Line { line: at + 1, why };
        let line: Line = serde_json::from_slice(line).map_err(|error| wrong(short(&error.to_string())))?;
        if line.base != model.id() {
            return Err(Error::Base("another base".into()));
        }
        if line.content != content {
            return Err(Error::Content(line.content));
        }
        let record = record(line, model).map_err(wrong)?;
        if !ids.insert(record.post.id) {
            return Err(wrong(format!("the number {} is given twice", record.post.id)));
        }
        records.push(record);
    }
    Ok(records)
}

/// What a line says, if that can be.
fn record(line: Line, model: &Model) -> Result<Record, String> {
    let (positions, vocabulary) = (model.config().n_positions, model.config().vocab_size);
    let fail = |is_wrong: bool, what: &str| if is_wrong { Err(what.to_owned()) } else { Ok(()) };
    let bad_id = |id: PostId| id == 0 || id > MOST_ID;
    fail(bad_id(line.id), "its number makes no sense")?;
    fail(line.group > MOST_ID, "its group makes no sense")?;
    fail(line.edit_of.is_some_and(bad_id), "its original's number makes no sense")?;
    fail(
        line.chosen_over.len() > MOST_CHOSEN_OVER || line.chosen_over.iter().any(|id| bad_id(*id) || *id == line.id),
        "what it was chosen over makes no sense",
    )?;
    fail(
        line.prompt.len().max(line.text.len()) > MOST_TEXT,
        "its text is too long",
    )?;
    let tokens = || line.prompt_ids.iter().chain(&line.ids);
    fail(line.ids.is_empty() || line.prompt_ids.is_empty(), "it has no tokens")?;
    // What is drawn last is never read.
    fail(
        tokens().count() > positions + 1,
        "it has more tokens than the model can read",
    )?;
    fail(
        tokens().any(|id| *id as usize >= vocabulary),
        "it has tokens that the model does not know",
    )?;
    fail(line.tokens > line.ids.len(), "it counts more tokens than it has")?;
    let pairs_up = line.log_probs.is_empty() || line.log_probs.len() == line.ids.len();
    let is_log_prob = |p: &f32| p.is_finite() && *p <= 1e-3 && *p >= -1e4;
    fail(
        !pairs_up || !line.log_probs.iter().all(is_log_prob),
        "its log-probabilities make no sense",
    )?;
    let mut post = Post {
        id: line.id,
        content: line.content,
        group: line.group,
        edit_of: line.edit_of,
        prompt: line.prompt,
        text: line.text.clone(),
        tokens: line.tokens,
        sampling: line.sampling,
        ending: line.ending,
        lessons_before: line.lessons_before,
        written_at: line.written_at,
        millis: line.millis,
        strength: line.strength,
        ratings: line.metrics.into(),
        filled_in: line.filled_in.into(),
        chosen_over: line.chosen_over,
    };
    for (number, bits) in numbers(&mut post).into_iter().zip(&line.exact) {
        *number = exact(*number, bits).ok_or("its exact numbers are other ones than its decimals")?;
    }
    let is_time = |time: f64| (0.0..=LATEST).contains(&time);
    fail(
        !is_time(post.written_at) || !is_time(post.millis),
        "its time makes no sense",
    )?;
    fail(post.lessons_before > MOST_ID, "its number of lessons makes no sense")?;
    fail(
        post.sampling != post.sampling.clamped() || !STRENGTH.contains(&post.strength),
        "its settings are out of their bounds",
    )?;
    let completion = Completion {
        prompt_ids: line.prompt_ids,
        ids: line.ids,
        log_probs: line.log_probs,
        text: line.text,
        ending: line.ended,
    };
    Ok(Record { post, completion })
}

/// The number of these bits, if the decimal is a rounding of it.
fn exact(decimal: f64, bits: &str) -> Option<f64> {
    let exact = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
    ((exact - decimal).abs() <= 1e-12 * decimal.abs()).then_some(exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_hold_only_beside_their_decimals() {
        let third = 1.0 / 3.0;
        assert_eq!(
            exact(0.333_333_333_333_333, &format!("{:x}", f64::to_bits(third))),
            Some(third)
        );
        for bits in [f64::NAN, f64::INFINITY, 7.0] {
            assert_eq!(exact(0.25, &format!("{:x}", bits.to_bits())), None);
        }
        assert_eq!(exact(0.25, "no number"), None);
    }
}
