//! Name, type of text, model, settings.

use leptos::prelude::*;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::ui::dialogs::Open;
use crate::ui::mark::Mark;
use crate::ui::segment::Segment;
use crate::view::{Phase, words};

/// The line at the top.
#[component]
pub fn Header() -> impl IntoView {
    let desk = Desk::here();
    let open = expect_context::<Open>();
    let model = desk.read(|state| {
        state
            .model
            .as_ref()
            .map(|model| (model.name.clone(), words::size(model)))
    });
    view! {
        <header class="top">
            <Mark />
            <h1>"Fledge"</h1>
            <p class="slogan">"Teach a small model to write your way"</p>
            <ContentChoice />
            <p class="model">
                {move || model.get().map(|(name, size)| view! {
                    <span class="model-name">{name}</span>
                    <span class="model-size">{size}</span>
                })}
            </p>
            <button class="quiet" type="button" aria-haspopup="dialog" on:click=move |_| open.settings.set(true)>
                "Settings"
            </button>
        </header>
    }
}

/// What is written: posts, e-mails or copy.
#[component]
fn ContentChoice() -> impl IntoView {
    let desk = Desk::here();
    let chosen = desk.read(|state| state.content);
    let idle = desk.read(|state| state.phase == Phase::Ready);
    let choices = ContentType::ALL.map(|content| {
        let checked = Signal::derive(move || chosen.get() == content);
        view! { <Segment group="content" name=content.name() checked choose=move || desk.choose(content) /> }
    });
    view! {
        <fieldset class="content segments" role="radiogroup" aria-label="What to write" disabled=move || !idle.get()>
            {choices}
        </fieldset>
    }
}
