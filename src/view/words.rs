//! The sentences on the page.

use crate::catalogue::Known;
use crate::content::ContentType;
use crate::feedback::Metric;
use crate::protocol::{Ending, Lesson, Memory, ModelInfo, Post};
use crate::settings::{MOST_MEMORY, Objective, Precision};
use crate::view::{Phase, ViewState};

/// "Reading the model: 9.1 of 13.8 MB"
#[must_use]
pub fn loading(received: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("Reading the model: {} of {} MB", megabytes(received), megabytes(total)),
        None => format!("Reading the model: {} MB so far", megabytes(received)),
    }
}

/// "Copying the model to this device: 120.5 of 548.1 MB"
#[must_use]
pub fn copying(copied: u64, total: u64) -> String {
    format!(
        "Copying the model to this device: {} of {} MB",
        megabytes(copied),
        megabytes(total)
    )
}

/// "GPT-2, download 548.1 MB, takes 124.4 MB of memory", and whether it fits; if it doesn't, why. `free` is what the browser
/// would still keep, in bytes, if it says so.
#[must_use]
pub fn offer(known: &Known, precision: Precision, free: Option<f64>) -> (String, bool) {
    let Known {
        name, parameters, size, ..
    } = known;
    let memory = precision.memory(*parameters);
    let download = format!("{name}, download {}", disk_size(*size));
    if memory > MOST_MEMORY {
        let (memory, most) = (disk_size(memory), disk_size(MOST_MEMORY));
        return (
            format!("{name} does not fit: {memory} of memory, at most {most}"),
            false,
        );
    }
    match free {
        Some(free) if free < *size as f64 => {
            let free = disk_size(free.max(0.0) as u64);
            (format!("{download}: does not fit, {free} are free"), false)
        }
        Some(_) | None => (format!("{download}, takes {} of memory", disk_size(memory)), true),
    }
}

/// "GPT-2, 548.1 MB", "GPT-2, 120.0 MB of a download"
#[must_use]
pub fn kept(name: &str, bytes: u64, whole: bool) -> String {
    let size = disk_size(bytes);
    if whole {
        format!("{name}, {size}")
    } else {
        format!("{name}, {size} of a download")
    }
}

/// "548.1 MB"
#[must_use]
pub fn disk_size(bytes: u64) -> String {
    format!("{} MB", megabytes(bytes))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// "Fledgling is ready, with 3 posts and 1 lesson from before."
#[must_use]
pub fn opened(model: &ModelInfo, content: ContentType, memory: &Memory) -> String {
    let name = &model.name;
    from_before(content, memory).map_or_else(
        || format!("{name} is ready."),
        |memory| format!("{name} is ready, with {memory}."),
    )
}

/// "E-mail: 3 e-mails and 1 lesson from before.", "E-mail: nothing is written yet."
#[must_use]
pub fn chosen(content: ContentType, memory: &Memory) -> String {
    let name = content.name();
    from_before(content, memory).map_or_else(
        || format!("{name}: nothing is written yet."),
        |memory| format!("{name}: {memory}."),
    )
}

/// "3 posts and 1 lesson from before"
fn from_before(content: ContentType, memory: &Memory) -> Option<String> {
    let posts = memory.posts.len() as u64;
    (posts > 0).then(|| {
        format!(
            "{} and {} from before",
            counted(posts, content.noun()),
            counted(u64::from(memory.lessons), "lesson")
        )
    })
}

/// "Post 3 is written. Rate it."
#[must_use]
pub fn written(post: &Post, prompt_cut: bool) -> String {
    let cut = if prompt_cut {
        " from the end of your prompt, which is too long for the model"
    } else {
        ""
    };
    match post.ending {
        Ending::Stopped => format!("{} is stopped{cut}. Rate it as it is.", numbered(post)),
        Ending::EndOfText | Ending::Length | Ending::Full => format!("{} is written{cut}. Rate it.", numbered(post)),
    }
}

/// "Post 3", "E-mail 3"
#[must_use]
pub fn numbered(post: &Post) -> String {
    post.content.numbered(post.id)
}

/// "142 / 280", "46 / 120 words"
#[must_use]
pub fn length(content: ContentType, text: &str) -> String {
    let limit = content.limit();
    let count = format!("{} / {} {}", limit.measure(text), limit.most(), limit.unit());
    count.trim_end().to_owned()
}

/// "31 tokens in 1.2 s", and why it ends if not by itself.
#[must_use]
pub fn effort(post: &Post) -> String {
    let ending = match post.ending {
        Ending::EndOfText => "",
        Ending::Length => ", as long as you allow",
        Ending::Full => ", full",
        Ending::Stopped => ", stopped",
    };
    format!(
        "{} in {}{ending}",
        counted(post.tokens as u64, "token"),
        seconds(post.millis)
    )
}

/// "before any lesson", "after 2 lessons"
#[must_use]
pub fn taught_before(post: &Post) -> String {
    match post.lessons_before {
        0 => "before any lesson".into(),
        lessons => format!("after {}", counted(u64::from(lessons), "lesson")),
    }
}

/// What the person can do about a lesson now, beside the Teach button.
#[must_use]
pub fn lesson_hint(state: &ViewState) -> String {
    match (state.phase, state.newest()) {
        (Phase::Teaching, _) => match state.steps.last() {
            Some(step) => format!("Step {} of {}", step.number, step.of),
            None => "The lesson begins …".into(),
        },
        (_, None) => "Your ratings become the lesson.".into(),
        (Phase::Writing, Some(_)) => format!("You can rate when the {} is whole.", state.content.noun()),
        (_, Some(post)) if post.lesson.is_some() => format!("Taught. Write the next {}.", post.content.noun()),
        (_, Some(post)) => match missing(post) {
            Some(metrics) => format!("Rate {metrics}."),
            None => "Ready to teach.".into(),
        },
    }
}

/// "Clarity and Engagement"; `None` if nothing is missing.
#[must_use]
pub fn missing(post: &Post) -> Option<String> {
    let missing: Vec<&str> = Metric::ALL
        .into_iter()
        .filter(|metric| post.ratings.get(*metric).is_none())
        .map(Metric::name)
        .collect();
    let (last, others) = missing.split_last()?;
    Some(match others {
        [] => (*last).to_owned(),
        [_, _, _] => format!("the {} on all four", post.content.noun()),
        others => format!("{} and {last}", others.join(", ")),
    })
}

/// Why Teach does nothing now; `None` if it would teach.
#[must_use]
pub fn why_not_teach(state: &ViewState) -> Option<String> {
    if state.teachable().is_some() {
        return None;
    }
    let noun = state.content.noun();
    Some(match (state.phase, state.newest()) {
        (Phase::Loading, _) => "The model is not ready yet.".into(),
        (Phase::Error, _) => "There is no model to teach.".into(),
        (Phase::Writing, _) => format!("The {noun} is still being written."),
        (Phase::Teaching, _) => "A lesson is being taught.".into(),
        (Phase::Ready, None) => format!("There is no {noun} to teach from yet: write one first."),
        (Phase::Ready, Some(post)) if post.lesson.is_some() => {
            format!("This {noun} is taught already. Write the next one, or undo the lesson to rate it anew.")
        }
        (Phase::Ready, Some(post)) => match missing(post) {
            Some(metrics) => format!("Rate {metrics} first."),
            None => "The last lesson is being taken back.".into(),
        },
    })
}

/// How much likelier the model finds a post after a lesson, token for token: 0.09 is 9 % likelier.
#[must_use]
pub fn likelier(lesson: &Lesson) -> f64 {
    (lesson.log_prob_after - lesson.log_prob_before).exp() - 1.0
}

/// "9 % likelier", "4 % less likely", "about as likely as before"
#[must_use]
pub fn likelier_words(lesson: &Lesson) -> String {
    let change = likelier(lesson) * 100.0;
    if change.abs() < 0.5 {
        "about as likely as before".to_owned()
    } else if change > 0.0 {
        format!("{change:.0} % likelier")
    } else {
        format!("{:.0} % less likely", -change)
    }
}

/// "Lesson 2 is learned. The model now finds this post 9 % likelier, word for word."
#[must_use]
pub fn learned(content: ContentType, lesson: &Lesson) -> String {
    let (noun, change) = (content.noun(), likelier_words(lesson));
    format!(
        "Lesson {} is learned. The model now finds this {noun} {change}, word for word.",
        lesson.number
    )
}

/// What the lesson said, in plain words.
#[must_use]
pub fn verdict(lesson: &Lesson) -> String {
    let (reward, usual) = (lesson.reward, lesson.baseline);
    match lesson.teaching.objective {
        Objective::RewardWeighted => format!("A reward of {reward:.2} says: more of this, by that much."),
        Objective::Advantage if lesson.coefficient > 0.01 => {
            format!("{reward:.2} is better than your usual {usual:.2}: more of this.")
        }
        Objective::Advantage if lesson.coefficient < -0.01 => {
            format!("{reward:.2} is worse than your usual {usual:.2}: less of this.")
        }
        Objective::Advantage => format!("{reward:.2} is about your usual {usual:.2}: little to change."),
    }
}

/// "4 steps in 2.1 s"
#[must_use]
pub fn lesson_effort(lesson: &Lesson) -> String {
    let millis = lesson.steps.iter().map(|step| step.millis).sum();
    format!("{} in {}", counted(lesson.steps.len() as u64, "step"), seconds(millis))
}

/// "13.8 million weights"
#[must_use]
pub fn size(model: &ModelInfo) -> String {
    match model.parameters {
        count @ 0..1_000_000 => format!("{} thousand weights", count / 1000),
        count => format!("{:.1} million weights", count as f64 / 1e6),
    }
}

/// "55.6 MB, exact", "124.9 MB, 8 bits a weight"
#[must_use]
pub fn memory(model: &ModelInfo) -> String {
    let form = match model.precision {
        Precision::Exact => "exact",
        Precision::EightBit => "8 bits a weight",
    };
    format!("{} MB, {form}", megabytes(model.bytes))
}

fn seconds(millis: f64) -> String {
    format!("{:.1} s", millis / 1000.0)
}

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}
