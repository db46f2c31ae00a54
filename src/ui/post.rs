//! The post, as it would be read.

use leptos::prelude::*;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::view::{Phase, words};

/// What happens first, for those who see the page for the first time.
const fn first_step(content: ContentType) -> &'static str {
    match content {
        ContentType::Post => "It writes a short business post.",
        ContentType::Email => "It writes a short business e-mail.",
        ContentType::Copy => "It writes a few lines of advertising.",
    }
}

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
                "{}, {}: {}",
                words::numbered(post),
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
    let content = desk.read(|state| state.content);
    let over = Memo::new(move |_| text.with(|text| !content.get().limit().split(text).1.is_empty()));

    view! {
        <section
            class="sheet"
            class:fresh=move || welcome.get()
            class:letter=move || content.get() == ContentType::Email
            aria-label=move || content.get().name()
        >
            <p class="about">{about}</p>
            <article aria-busy=move || if writing.get() { "true" } else { "false" }>
                {move || text.with(|text| {
                    let (fits, over) = content.get().limit().split(text);
                    let over = (!over.is_empty()).then(|| view! { <mark>{over.to_owned()}</mark> });
                    (fits.to_owned(), over)
                })}
            </article>
            {move || welcome.get().then(|| view! {
                <ol class="welcome">
                    <li>{first_step(content.get())}</li>
                    <li>"You rate it on four things."</li>
                    <li>"It learns from that, here in this tab, and writes the next one differently."</li>
                </ol>
            })}
            <footer class="sheet-foot">
                <span class="detail">{detail}<span class="seed">{seed}</span></span>
                <span class="count" class:over=over>
                    {move || (!welcome.get()).then(|| text.with(|text| words::length(content.get(), text)))}
                </span>
            </footer>
        </section>
    }
}
