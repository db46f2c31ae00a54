//! All posts, newest first.

use leptos::prelude::*;

use crate::feedback::{Metric, PartialRatings, Weights};
use crate::protocol::Post;
use crate::timeline::NodeId;
use crate::ui::desk::Desk;
use crate::view::words;

/// The posts so far, with their ratings and rewards.
#[component]
pub fn History() -> impl IntoView {
    let desk = Desk::here();
    let posts = desk.read(|state| {
        let lesson = |post: &Post| state.timeline.lesson_of(post.id).map(|node| node.id);
        state
            .posts
            .iter()
            .map(|post| (post.clone(), lesson(post)))
            .collect::<Vec<_>>()
    });
    let content = desk.read(|state| state.content);
    let weights = Memo::new(move |_| desk.preferences.with(|preferences| preferences.weights));
    view! {
        <section class="history" aria-labelledby="history-title">
            <h2 id="history-title">"History"</h2>
            {move || posts.with(Vec::is_empty).then(|| view! {
                <p class="empty">{move || format!("Your {}s gather here.", content.get().noun())}</p>
            })}
            <ol class="posts" reversed>
                <For
                    each=move || posts.get().into_iter().rev()
                    key=|(post, lesson)| {
                        let ratings = Metric::ALL.map(|metric| (post.ratings.get(metric), post.filled_in.get(metric)));
                        (post.content, post.id, ratings, *lesson)
                    }
                    let:entry
                >
                    <Entry post=entry.0 lesson=entry.1 weights />
                </For>
            </ol>
        </section>
    }
}

/// The four ratings as four small bars; the numbers are in the opened entry.
fn bars(ratings: &PartialRatings) -> impl IntoView + use<> {
    let bars = Metric::ALL.into_iter().zip([0.0, 6.0, 12.0, 18.0]).map(|(metric, x)| {
        let height = 2.0 + ratings.get(metric).map_or(0.0, |stars| f64::from(stars.count()) * 2.4);
        view! { <rect x=x y=14.0 - height width="4" height=height rx="1" /> }
    });
    view! { <svg class="bars" viewBox="0 0 22 14" aria-hidden="true">{bars.collect_view()}</svg> }
}

/// One post: closed, its beginning and its reward; open, all of it.
#[component]
fn Entry(post: Post, lesson: Option<NodeId>, weights: Memo<Weights>) -> impl IntoView {
    let ratings = post.ratings.or(post.filled_in);
    let automatic = post.filled_in.without(&post.ratings);
    let reward = move || match ratings.complete() {
        Some(ratings) => format!("{:.2}", weights.get().reward(&ratings).get()),
        None => "–".to_owned(),
    };
    let rated = Metric::ALL.map(|metric| {
        let count = ratings
            .get(metric)
            .map_or_else(|| "–".to_owned(), |stars| format!("{} of 5", stars.count()));
        let count = match automatic.get(metric) {
            Some(_) => format!("{count}, automatic"),
            None => count,
        };
        view! { <div><dt>{metric.name()}</dt><dd>{count}</dd></div> }
    });
    let taught = lesson.map_or_else(String::new, |lesson| format!(", taught in lesson {lesson}"));
    let origin = match post.edit_of {
        Some(original) => format!("your version of {} {original}", post.content.noun()),
        None => words::taught_before(&post),
    };
    view! {
        <li>
            <details>
                <summary>
                    <span class="entry-text">{post.text.clone()}</span>
                    {bars(&ratings)}
                    <span class="entry-reward" class:taught=lesson.is_some()>{reward}</span>
                </summary>
                <dl class="entry-ratings">{rated}</dl>
                <p class="fact">
                    {format!("{}, {origin}{taught}. Prompt: “{}”", words::numbered(&post), post.prompt)}
                </p>
            </details>
        </li>
    }
}
