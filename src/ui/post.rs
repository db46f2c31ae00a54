//! The post, as it would be read.

use leptos::prelude::*;

use crate::length::{MAX, split_at_max, weighted_length};
use crate::ui::desk::Desk;
use crate::view::{Phase, words};

/// The newest post, or the one that is being written. The article holds the post's text and nothing else.
#[component]
pub fn PostSheet() -> impl IntoView {
    let desk = Desk::here();
    let text = desk.read(|state| match (&state.draft, state.newest()) {
        (Some(draft), _) => draft.text.clone(),
        (None, Some(post)) => post.text.clone(),
        (None, None) => String::new(),
    });
    let about = desk.read(|state| match (&state.draft, state.newest()) {
        (Some(draft), _) => draft.prompt.clone(),
        (None, Some(post)) => post.prompt.clone(),
        (None, None) => String::new(),
    });
    let detail = desk.read(|state| match (&state.draft, state.newest()) {
        (Some(draft), _) if draft.tokens > 0 => format!("{} tokens so far", draft.tokens),
        (Some(_), _) | (None, None) => String::new(),
        (None, Some(post)) => {
            format!(
                "Post {}, {}: {}",
                post.id,
                words::taught_before(post),
                words::effort(post)
            )
        }
    });
    let seed = desk.read(|state| match (&state.draft, state.newest()) {
        (None, Some(post)) => format!(", seed {}", post.sampling.seed),
        (Some(_), _) | (None, None) => String::new(),
    });
    let writing = desk.read(|state| state.phase == Phase::Writing);
    let welcome = desk.read(|state| state.draft.is_none() && state.newest().is_none());
    let weight = Memo::new(move |_| text.with(|text| weighted_length(text)));

    view! {
        <section class="sheet" class:fresh=move || welcome.get() aria-label="Post">
            <p class="about">{about}</p>
            <article aria-busy=move || if writing.get() { "true" } else { "false" }>
                {move || text.with(|text| {
                    let (fits, over) = split_at_max(text);
                    let over = (!over.is_empty()).then(|| view! { <mark>{over.to_owned()}</mark> });
                    (fits.to_owned(), over)
                })}
            </article>
            {move || welcome.get().then(|| view! {
                <ol class="welcome">
                    <li>"It writes a short business post."</li>
                    <li>"You rate it on four things."</li>
                    <li>"It learns from that, here in this tab, and writes the next one differently."</li>
                </ol>
            })}
            <footer class="sheet-foot">
                <span class="detail">{detail}<span class="seed">{seed}</span></span>
                <span class="count" class:over=move || { weight.get() > MAX }>
                    {move || (!welcome.get()).then(|| format!("{} / {MAX}", weight.get()))}
                </span>
            </footer>
        </section>
    }
}
