//! The sentences on the page.

use crate::calendar;
use crate::catalogue::Known;
use crate::content::ContentType;
use crate::feedback::{Metric, Weights};
use crate::insight::{LEAST_CORRELATION, LEAST_RATINGS};
use crate::protocol::{Ending, Lesson, LessonKind, Link, Measured, Memory, ModelInfo, Post, Tally, TasteInfo, Taught};
use crate::rails::Breach;
use crate::settings::{MOST_MEMORY, Objective, Precision};
use crate::statistics::{SIGNIFICANT, sign_test, verdicts_to_go};
use crate::timeline::{Node, NodeId, ROOT, Timeline};
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
            counted(u64::from(memory.timeline.depth()), "lesson")
        )
    })
}

/// "Post 3 is written. Rate it.", "Posts 3 to 6 are written. Rate them, or choose the best."
#[must_use]
pub fn written(posts: &[Post], prompt_cut: bool) -> String {
    let cut = if prompt_cut {
        " from the end of your prompt, which is too long for the model"
    } else {
        ""
    };
    let is_stopped = posts.iter().any(|post| post.ending == Ending::Stopped);
    match posts {
        [] => String::new(),
        [post] if is_stopped => format!("{} is stopped{cut}. Rate it as it is.", numbered(post)),
        [post] => format!("{} is written{cut}. Rate it.", numbered(post)),
        [first, .., last] => format!(
            "{} are {}{cut}. Rate them, or choose the best.",
            first.content.numbered_from(first.id, last.id),
            if is_stopped { "stopped" } else { "written" }
        ),
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

/// "before any lesson", "after 2 lessons", "after 2 lessons at 50 %"
#[must_use]
pub fn taught_before(post: &Post) -> String {
    let strength = match (post.strength * 100.0).round() {
        100.0 => String::new(),
        percent => format!(" at {percent} %"),
    };
    match post.lessons_before {
        0 => "before any lesson".into(),
        lessons => format!("after {}{strength}", counted(u64::from(lessons), "lesson")),
    }
}

/// What the person can do about a lesson now, beside the Teach button.
#[must_use]
pub fn lesson_hint(state: &ViewState) -> String {
    let noun = state.content.noun();
    match (state.phase, state.current()) {
        (Phase::Teaching, _) if state.round.is_some() => "The automatic rater teaches.".into(),
        (Phase::Teaching, _) => match (state.practising, state.steps.last()) {
            (Some(texts), _) => format!("Writing {texts} texts to practise on …"),
            (None, Some(step)) => format!("Step {} of {}", step.number, step.of),
            (None, None) => "The lesson begins …".into(),
        },
        (_, None) => "Your ratings become the lesson.".into(),
        (Phase::Writing, Some(_)) => format!("You can rate when the {noun} is whole."),
        (_, Some(_)) if state.is_taught() => format!("Taught. Write the next {noun}."),
        (_, Some(post)) => match (missing(state, post), state.candidates().count()) {
            (Some(metrics), 1) => format!("Rate {metrics}."),
            (None, 1) if post.ratings.is_empty() => "Filled in as you would rate it. Correct it, or teach.".into(),
            (None, 1) => "Ready to teach.".into(),
            (_, count) => match state
                .candidates()
                .filter(|post| state.shown(post).complete().is_some())
                .count()
            {
                0 => "Rate one of them, or more, or choose the best.".into(),
                rated => format!("{rated} of {count} are rated. Ready to teach."),
            },
        },
    }
}

/// "Clarity and Engagement"; `None` if nothing is missing.
#[must_use]
pub fn missing(state: &ViewState, post: &Post) -> Option<String> {
    let shown = state.shown(post);
    let missing: Vec<&str> = Metric::ALL
        .into_iter()
        .filter(|metric| shown.get(*metric).is_none())
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
    Some(match (state.phase, state.current()) {
        (Phase::Loading, _) => "The model is not ready yet.".into(),
        (Phase::Error, _) => "There is no model to teach.".into(),
        (Phase::Writing, _) => format!("The {noun} is still being written."),
        (Phase::Teaching, _) => "A lesson is being taught.".into(),
        (Phase::Ready, None) => format!("There is no {noun} to teach from yet: write one first."),
        (Phase::Ready, Some(_)) if state.is_taught() => {
            format!("This {noun} is taught already. Write the next one, or undo the lesson to rate it anew.")
        }
        (Phase::Ready, Some(post)) => match missing(state, post) {
            Some(metrics) => format!("Rate {metrics} first."),
            None => "The last lesson is being taken back.".into(),
        },
    })
}

/// How much likelier the model finds a post after a lesson, token for token: 0.09 is 9 % likelier.
#[must_use]
pub fn likelier(taught: &Taught) -> f64 {
    (taught.log_prob_after - taught.log_prob_before).exp() - 1.0
}

/// "9 % likelier", "4 % less likely", "about as likely as before"
#[must_use]
pub fn likelier_words(taught: &Taught) -> String {
    let change = likelier(taught) * 100.0;
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
pub fn learned(content: ContentType, node: &Node) -> String {
    let noun = content.noun();
    let number = node.id;
    match (node.lesson.kind, node.lesson.posts.as_slice()) {
        (LessonKind::Rated, [taught]) => {
            let change = likelier_words(taught);
            format!("Lesson {number} is learned. The model now finds this {noun} {change}, word for word.")
        }
        (LessonKind::Rated, posts) => {
            let likelier = posts.iter().filter(|taught| likelier(taught) > 0.0).count();
            format!(
                "Lesson {number} is learned from {} ratings: {likelier} of the {noun}s became likelier, {} less likely.",
                posts.len(),
                posts.len() - likelier
            )
        }
        (LessonKind::Preferred | LessonKind::Edited, [taught, ..]) => {
            let change = likelier_words(taught);
            let which = if node.lesson.kind == LessonKind::Edited {
                "your version"
            } else {
                "your choice"
            };
            format!("Lesson {number} is learned. The model now finds {which} {change}, word for word.")
        }
        (LessonKind::Automatic, posts) => {
            format!("Lesson {number} is learned from {} of its own {noun}s.", posts.len())
        }
        (LessonKind::Reweighted, posts) => {
            let posts = counted(posts.len() as u64, noun);
            format!("Lesson {number} is learned: {posts} once more, under your new weights.")
        }
        (LessonKind::Preferred | LessonKind::Edited, []) => format!("Lesson {number} is learned."),
        (LessonKind::Imported, _) => format!("Lesson {number} is taken in."),
    }
}

/// What the lesson said, in plain words.
#[must_use]
pub fn verdict(lesson: &Lesson) -> String {
    match (lesson.kind, lesson.posts.as_slice()) {
        (LessonKind::Preferred, _) => "More like the one that you chose, less like the others.".into(),
        (LessonKind::Edited, _) => "More like your version, less like the one that it replaces.".into(),
        (LessonKind::Automatic, _) => {
            "More of what the automatic rater would rate higher. You said nothing of it.".into()
        }
        (LessonKind::Reweighted, _) => "More of what is better under your new weights, less of the others.".into(),
        (LessonKind::Imported, _) => "What was taught elsewhere, as it is.".into(),
        (LessonKind::Rated, [taught]) => {
            let (reward, usual) = (taught.reward.unwrap_or_default(), taught.baseline);
            match lesson.teaching.objective {
                Objective::RewardWeighted => format!("A reward of {reward:.2} says: more of this, by that much."),
                Objective::Advantage if taught.coefficient > 0.01 => {
                    format!("{reward:.2} is better than your usual {usual:.2}: more of this.")
                }
                Objective::Advantage if taught.coefficient < -0.01 => {
                    format!("{reward:.2} is worse than your usual {usual:.2}: less of this.")
                }
                Objective::Advantage => format!("{reward:.2} is about your usual {usual:.2}: little to change."),
            }
        }
        (LessonKind::Rated, posts) => {
            let rewards = posts.iter().filter_map(|taught| taught.reward);
            let list: Vec<String> = rewards.map(|reward| format!("{reward:.2}")).collect();
            format!(
                "Rewards of {}: more of the better ones, less of the others.",
                list.join(", ")
            )
        }
    }
}

/// "The automatic rater teaches: round 2 of 5 …"
#[must_use]
pub fn round(number: usize, of: usize) -> String {
    format!("The automatic rater teaches: round {number} of {of} …")
}

/// What came of the rounds.
#[must_use]
pub fn rounded(rounds: usize, taken_back: bool) -> String {
    let learned = match rounds {
        0 => "Nothing was learned".into(),
        rounds => format!("{} learned", counted(rounds as u64, "round")),
    };
    if taken_back {
        format!("{learned}; the last one was taken back, and it stopped there.")
    } else {
        format!("{learned}. Every one is a lesson that you can undo.")
    }
}

/// What measuring says, with its doubts.
#[must_use]
pub fn measured(measured: &Measured) -> String {
    let Measured {
        untaught,
        taught,
        low,
        high,
        texts,
        correlation,
    } = measured;
    let percent = |share: f64| format!("{:+.0} %", 100.0 * share);
    let change = if *low > 0.0 {
        "better"
    } else if *high < 0.0 {
        "worse"
    } else {
        "not proven to be either better or worse"
    };
    format!(
        "On {texts} texts about prompts that were never taught, the automatic rater gives {taught:.2} instead of {untaught:.2}: \
         {} (95 %: {} to {}), {change}. That is its judgement (rank correlation with yours {correlation:.2}), not yours.",
        percent(taught / untaught.max(1e-9) - 1.0),
        percent(*low),
        percent(*high),
    )
}

/// What the automatic rater knows, and what it does with that.
#[must_use]
pub fn insight(state: &ViewState) -> String {
    let insight = &state.insight;
    let ratings = insight.ratings();
    let correlation = insight.reward_correlation(&state.weights);
    if ratings < LEAST_RATINGS {
        // It looks at them from the second on.
        let rated = state.posts.iter().filter(|post| post.rated().is_some()).count();
        let seen = ratings.max(rated.min(LEAST_RATINGS));
        return format!(
            "It learns from your ratings how you rate. It has seen {seen} of the {LEAST_RATINGS} that it needs before it says anything."
        );
    }
    let found = format!(
        "It has seen {ratings} of your ratings. Its guesses follow your rewards with a rank correlation of {correlation:.2}"
    );
    if insight.is_honest(&state.weights) {
        let does = match (state.fill_in, state.unsure_of()) {
            (false, _) => "it orders candidates and judges what the model practises on.".to_owned(),
            (true, Some(post)) => {
                format!(
                    "it fills in your stars. It is not sure of {} {post}: rate that one yourself.",
                    state.content.noun()
                )
            }
            (true, None) => "it fills in your stars; correct what is wrong.".to_owned(),
        };
        format!("{found}: {does}")
    } else {
        format!("{found}. It stays silent below {LEAST_CORRELATION}.")
    }
}

/// "3 rated posts would be worth something else under these weights."
#[must_use]
pub fn reweighted(content: ContentType, count: usize) -> String {
    let noun = content.noun();
    match count {
        1 => format!("1 {noun} was taught with another reward than it has under these weights."),
        count => format!("{count} {noun}s were taught with other rewards than they have under these weights."),
    }
}

/// What the blind tests say so far: an exact sign test, ties left out.
#[must_use]
pub fn proof(tally: Tally) -> String {
    let Tally { taught, untaught, ties } = tally;
    let chance = sign_test(taught, untaught);
    let count = match (taught + untaught, ties) {
        (0, 0) => return "Nothing is compared yet. It takes at least six verdicts to prove anything.".into(),
        (n, 0) => format!("The taught model was better in {taught} of {n}"),
        (n, 1) => format!("The taught model was better in {taught} of {n}, and once neither was"),
        (n, ties) => format!("The taught model was better in {taught} of {n}, and {ties} times neither was"),
    };
    if chance < SIGNIFICANT {
        let what = if taught > untaught {
            "It is better"
        } else {
            "It is worse"
        };
        return format!(
            "{count}. {what}, proven: chance alone would do that in {:.1} % of tests.",
            100.0 * chance
        );
    }
    match verdicts_to_go(taught, untaught, MOST_VERDICTS) {
        Some(more) if taught > untaught => {
            format!("{count}. Not proven yet: about {more} more, if it goes on like this.")
        }
        Some(_) | None => format!("{count}. Not proven: that is what chance alone does."),
    }
}

/// More verdicts than anybody gives.
const MOST_VERDICTS: u32 = 500;

/// How the model practised; nothing if it did not.
#[must_use]
pub fn practice(content: ContentType, lesson: &Lesson) -> Option<String> {
    let correlation = lesson.rater.filter(|_| lesson.practised > 0)?;
    Some(format!(
        "Then it practised on {} {}s of its own, judged as you would, as far as your ratings tell (rank correlation {correlation:.2}).",
        lesson.practised,
        content.noun()
    ))
}

/// "from post 3", "from posts 3, 4 and 6"
#[must_use]
pub fn taught_from(content: ContentType, lesson: &Lesson) -> String {
    let numbers: Vec<String> = lesson.posts.iter().map(|taught| taught.post.to_string()).collect();
    let noun = content.noun();
    match (lesson.kind, numbers.as_slice()) {
        (LessonKind::Imported, []) => "from elsewhere".into(),
        (LessonKind::Imported, posts) => format!("from a file with {}", counted(posts.len() as u64, noun)),
        (LessonKind::Edited, [_, replaced, ..]) => format!("from your version of {noun} {replaced}"),
        (_, []) => String::new(),
        (_, [one]) => format!("from {noun} {one}"),
        (_, [others @ .., last]) => format!("from {noun}s {} and {last}", others.join(", ")),
    }
}

/// "Lesson 3", "Lesson 3, “short and clear”", "the untaught model"
#[must_use]
pub fn lesson_name(timeline: &Timeline, id: NodeId) -> String {
    match timeline.node(id) {
        None => "the untaught model".into(),
        Some(node) if node.name.is_empty() => format!("lesson {id}"),
        Some(node) => format!("lesson {id}, “{}”", node.name),
    }
}

/// Said when another lesson is in force; the timeline is still as before.
#[must_use]
pub fn went(timeline: &Timeline, to: NodeId) -> String {
    if timeline.before() == Some(to) {
        format!("Lesson {} is taken back.", timeline.at())
    } else if timeline.after() == Some(to) {
        format!("Lesson {to} is back.")
    } else {
        format!("You are at {}.", lesson_name(timeline, to))
    }
}

/// "Lesson 3 is called “short and clear”."
#[must_use]
pub fn named(id: NodeId, name: &str) -> String {
    if name.is_empty() {
        format!("Lesson {id} has no name any more.")
    } else {
        format!("Lesson {id} is called “{name}”.")
    }
}

/// "Lesson 3 and 2 that followed are deleted."
#[must_use]
pub fn deleted(id: NodeId, count: usize) -> String {
    match count {
        0 | 1 => format!("Lesson {id} is deleted."),
        count => format!("Lesson {id} and {} that followed are deleted.", count - 1),
    }
}

/// Why a lesson was taken back by itself.
#[must_use]
pub fn taken_back(id: NodeId, breach: Breach) -> String {
    let why = match breach {
        Breach::Kl => "the model wrote too differently from what it was",
        Breach::Entropy => "the model's choice of words became narrow",
        Breach::Distinct => "its texts became alike",
        Breach::Repeats => "its texts began to repeat themselves",
        Breach::Doubles => "it wrote the same text again and again",
        Breach::Ended => "its texts came to no end",
        Breach::Words => "its texts became very short",
    };
    format!(
        "Lesson {id} was taken back by itself: after it, {why}. Your ratings are kept; Redo brings it back all the same."
    )
}

/// "14.0 MB"
#[must_use]
pub fn snapshots(timeline: &Timeline) -> String {
    format!("The lessons take {} on this device.", disk_size(timeline.bytes()))
}

/// "“fledge-seedling-post.zip” is packed, 1.2 MB."
#[must_use]
pub fn exported(name: &str, bytes: u64) -> String {
    format!("“{name}” is packed, {}. Your browser saves it.", disk_size(bytes))
}

/// "The link is made. It carries 93 % of what you taught."
#[must_use]
pub fn linked(link: &Link) -> String {
    // Nothing that is rounded is all of it.
    let percent = (100.0 * link.carried).floor();
    format!("The link is made. It carries {percent} % of what you taught.")
}

/// Why there can be no link now; `None` if there can.
#[must_use]
pub fn why_no_link(state: &ViewState) -> Option<&'static str> {
    if state.kept_as().is_some() {
        Some("A link works with the model that comes with the page. Export gives you a file.")
    } else if state.timeline.at() == ROOT {
        Some("There is nothing to put into a link yet. Teach a lesson first.")
    } else {
        None
    }
}

/// "Taken in: 12 posts, 10 of them new here, and what was taught as lesson 3. Undo takes the lesson back."
#[must_use]
pub fn imported(content: ContentType, changed: usize, new: usize, node: Option<&Node>) -> String {
    let texts = match (changed, new) {
        (0, _) => None,
        (changed, new) if changed == new => Some(format!("{} new here", counted(new as u64, content.noun()))),
        (changed, new) => Some(format!(
            "{}, {new} of them new here",
            counted(changed as u64, content.noun())
        )),
    };
    match (texts, node) {
        (Some(texts), Some(node)) => {
            let id = node.id;
            format!("Taken in: {texts}, and what was taught, as lesson {id}. Undo takes the lesson back.")
        }
        (None, Some(node)) => format!("Taken in: what was taught, as lesson {}. Undo takes it back.", node.id),
        (Some(texts), None) => format!("Taken in: {texts}."),
        (None, None) => "Everything in it was here already.".into(),
    }
}

/// What a taste file is, as names and values.
#[must_use]
pub fn taste(taste: &TasteInfo) -> Vec<(&'static str, String)> {
    let TasteInfo {
        base,
        content,
        texts,
        ratings,
        lora,
        lessons,
        teaching,
        made_at,
        ..
    } = taste;
    let count = |ratings: usize, texts: usize| match (ratings, texts) {
        (0, 0) => "none".to_owned(),
        (ratings, texts) => format!("{ratings} of {}", counted(texts as u64, "text")),
    };
    let adapter = lora.map(|lora| {
        let lessons = match lessons {
            0 => String::new(),
            lessons => format!(", from {}", counted(u64::from(*lessons), "lesson")),
        };
        format!("rank {}, alpha {}{lessons}", lora.rank, lora.alpha)
    });
    let facts = [
        ("Taught to", (!base.is_empty()).then(|| base.clone())),
        ("Writes", content.map(|content| format!("{}s", content.noun()))),
        ("Ratings", Some(count(*ratings, *texts))),
        ("Adapter", Some(adapter.unwrap_or_else(|| "none, ratings alone".into()))),
        (
            "Objective",
            teaching.map(|teaching| teaching.objective.name().to_owned()),
        ),
        ("Packed", made_at.map(calendar::day)),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// Beside the box that takes the weights of a taste file over.
#[must_use]
pub fn weigh_alike(weights: &Weights) -> String {
    format!("Weigh the metrics as in the file: {weights}")
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
    if millis < 50.0 {
        "under 0.1 s".into()
    } else {
        format!("{:.1} s", millis / 1000.0)
    }
}

fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}
