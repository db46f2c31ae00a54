//! Name, model, settings.

use leptos::prelude::*;

use crate::ui::desk::Desk;
use crate::ui::dialogs::Open;
use crate::ui::mark::Mark;
use crate::view::words;

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
