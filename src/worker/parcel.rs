//! What leaves as a file, and what comes back as one: the worker's side of [`crate::exchange`].

use std::collections::HashSet;

use web_sys::Blob;

use super::history::History;
use super::library;
use super::problem::Problem;
use super::studio::Studio;
use crate::calendar;
use crate::content::ContentType;
use crate::engine::Model;
use crate::exchange::{Error, Taste, taste, zip};
use crate::learning::Learner;
use crate::protocol::{Lesson, LessonKind, PostId, Tally, TasteInfo, Taught};

/// What a taste file is called: `seedling-post-2026-11-28.zip`.
pub fn name_of_file(studio: &Studio, now: f64) -> String {
    format!(
        "{}-{}.zip",
        name(&studio.model, Some(studio.content)),
        calendar::day(now)
    )
}

/// What a copy of the page is called: `seedling-2026-11-28.html`.
pub fn name_of_page(studio: &Studio, now: f64) -> String {
    format!("{}-{}.html", name(&studio.model, None), calendar::day(now))
}

/// The model's name, fit for a file, and perhaps what is written.
fn name(model: &Model, content: Option<ContentType>) -> String {
    let name = model.card().name.to_lowercase();
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let parts = parts.filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.chain(content.map(ContentType::tag)).collect();
    parts.join("-")
}

/// Reads and checks what a person picked, for the studio that is open.
pub async fn read(files: &[(String, Blob)], studio: &Studio) -> Result<Taste, Problem> {
    let total: f64 = files.iter().map(|(_, blob)| blob.size()).sum();
    if total > zip::MOST_BYTES as f64 {
        return Err(Problem::Import(Error::TooLarge(zip::MOST_BYTES / 1_000_000)));
    }
    let mut picked = Vec::new();
    for file in files {
        let read = library::read(file).await;
        let bytes = read.map_err(|_error| Problem::Unreadable(format!("“{}”", file.0)))?;
        picked.push((file.0.clone(), bytes));
    }
    let files = taste::gather(picked).map_err(Problem::Import)?;
    taste::unpack(&files, &studio.model, studio.content).map_err(Problem::Import)
}

/// The lesson that a taste becomes. It was taught from the texts that came with it, as far as no lesson in force was: they are
/// replayed like one's own.
pub fn lesson(taste: &TasteInfo, history: &History, ids: Vec<PostId>, learner: &Learner, now: f64) -> Lesson {
    let in_force = history.timeline.in_force().flat_map(|node| &node.lesson.posts);
    let mut known: HashSet<PostId> = in_force.map(|taught| taught.post).collect();
    let baseline = learner.baseline().mean();
    let mut posts = Vec::new();
    for id in ids {
        let Some(record) = history.record(id).filter(|_| known.insert(id)) else {
            continue;
        };
        let log_probs = &record.completion.log_probs;
        let log_prob = log_probs.iter().map(|p| f64::from(*p)).sum::<f64>() / log_probs.len().max(1) as f64;
        let ratings = record.post.ratings.complete();
        posts.push(Taught {
            post: id,
            reward: ratings.map(|ratings| taste.weights.reward(&ratings).get()),
            baseline,
            coefficient: 0.0,
            log_prob_before: log_prob,
            log_prob_after: log_prob,
        });
    }
    let mut teaching = taste.teaching.unwrap_or_default();
    teaching.lora = *learner.lora();
    Lesson {
        posts,
        kind: LessonKind::Imported,
        teaching,
        steps: Vec::new(),
        replayed: 0,
        practised: 0,
        rater: None,
        learned_at: now,
        after: None,
        breach: None,
        tally: Tally::default(),
        measured: None,
    }
}
