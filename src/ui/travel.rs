//! What leaves the page and what comes back: Export, Import, a page of its own, a link, and a place to drop files anywhere.

use leptos::ev;
use leptos::html::{Div, Input};
use leptos::prelude::*;
use leptos_use_event_listener::use_event_listener;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{DragEvent, FileList};

use crate::protocol::TasteInfo;
use crate::ui::builds;
use crate::ui::desk::Desk;
use crate::ui::link::Link;
use crate::view::{Place, ViewState, words};

/// The picker of taste files. It is kept apart from the button that opens it, at the end of the page.
#[derive(Clone, Copy, Default)]
pub struct Picker(NodeRef<Input>);

/// Export and Import, and what a file or a link is before it is taken in.
#[component]
pub fn Travel() -> impl IntoView {
    let desk = Desk::here();
    let Picker(picker) = expect_context();
    let with_ratings = RwSignal::new(true);
    let can_export = desk.read(ViewState::can_export);
    let can_link = desk.read(|state| state.is_idle() && words::why_no_link(state).is_none());
    let idle = desk.read(ViewState::is_idle);
    let problem = desk.read(|state| state.problem_at(Place::Travel).map(str::to_owned));
    let offer = desk.read(|state| state.offer.clone());
    let pick = move |_| {
        if let Some(picker) = picker.get_untracked().filter(|_| idle.get_untracked()) {
            picker.click();
        }
    };
    view! {
        <section class="travel" aria-labelledby="travel-title">
            <h2 id="travel-title">"Take it with you"</h2>
            <p class="note">
                "What you taught as one file: this page reads it again, and so do Python's peft, llama.cpp and TRL. Or as a page of
                its own, which opens by a double click with all of it inside."
                {if builds::is_one_file() {
                    " This page is such a file; a link can be made where Fledge has an address."
                } else {
                    " Or as a link, which carries what was taught and none of your texts."
                }}
            </p>
            <div class="travel-buttons">
                <button
                    class="action"
                    type="button"
                    aria-disabled=move || (!can_export.get()).then_some("true")
                    on:click=move |_| desk.export(with_ratings.get_untracked())
                >
                    "Export"
                </button>
                <button
                    class="action"
                    type="button"
                    aria-disabled=move || (!idle.get()).then_some("true")
                    on:click=pick
                >
                    "Import"
                </button>
                <button
                    class="action"
                    type="button"
                    aria-disabled=move || (!can_export.get()).then_some("true")
                    on:click=move |_| desk.share(with_ratings.get_untracked())
                >
                    "Share as a page"
                </button>
                <Show when=|| !builds::is_one_file()>
                    <button
                        class="action"
                        type="button"
                        aria-disabled=move || (!can_link.get()).then_some("true")
                        on:click=move |_| desk.make_link()
                    >
                        "Make a link"
                    </button>
                </Show>
                <label class="travel-choice">
                    <input type="checkbox" bind:checked=with_ratings />
                    "with my texts and ratings"
                </label>
            </div>
            <p role="alert" class="problem">{problem}</p>
            <Link />
            {move || offer.get().map(|taste| view! { <Offer taste /> })}
        </section>
    }
}

/// What a file or a link is, and the question whether to take it in.
#[component]
fn Offer(taste: TasteInfo) -> impl IntoView {
    let desk = Desk::here();
    let offer = NodeRef::<Div>::new();
    let theirs = taste.weights;
    // Only a taste file says how its maker weighed the metrics.
    let says_weights = taste.made_at.is_some();
    let differ = desk.read(move |state| says_weights && state.weights != theirs);
    // Whoever has rated nothing yet has not decided what counts either.
    let with_weights = RwSignal::new(
        desk.state
            .with_untracked(|state| state.posts.iter().all(|post| post.ratings.is_empty())),
    );
    // It may come from a link, to somebody who looks at another part of the page.
    Effect::new(move |_| {
        if let Some(offer) = offer.get() {
            offer.scroll_into_view_with_bool(false);
        }
    });
    view! {
        <div class="offer" role="group" aria-label="What it is" node_ref=offer>
            <dl class="facts">
                {words::taste(&taste).into_iter().map(|(name, value)| view! {
                    <div><dt>{name}</dt><dd>{value}</dd></div>
                }).collect_view()}
            </dl>
            <p class="note">
                "What was taught becomes a lesson after the one in force, so Undo takes it back. Ratings that you have already \
                 are not taken twice."
            </p>
            <Show when=move || differ.get()>
                <label class="travel-choice">
                    <input type="checkbox" bind:checked=with_weights />
                    {words::weigh_alike(&theirs)}
                </label>
            </Show>
            <div class="travel-buttons">
                <button
                    class="action next"
                    type="button"
                    on:click=move |_| desk.take_in((differ.get_untracked() && with_weights.get_untracked()).then_some(theirs))
                >
                    "Take it in"
                </button>
                <button class="quiet" type="button" on:click=move |_| desk.leave_it()>"Leave it"</button>
            </div>
        </div>
    }
}

/// The picker itself, and the drop on the page. To be placed once.
#[component]
pub fn TastePicker() -> impl IntoView {
    let desk = Desk::here();
    let Picker(picker) = expect_context();
    listen(desk);
    let inspect = move |_| {
        let Some(input) = picker.get_untracked() else { return };
        if let Some(files) = input.files().filter(|files| files.length() > 0) {
            desk.inspect(&files);
        }
        // So that the same file can be picked again.
        input.set_value("");
    };
    view! {
        <input
            type="file"
            hidden
            multiple
            accept=".zip,.json,.safetensors"
            aria-label="Taste file"
            node_ref=picker
            on:change=inspect
        />
    }
}

/// Files may be dropped anywhere on the page. Without this, the browser would leave the page and show them.
fn listen(desk: Desk) {
    let over = use_event_listener(window(), ev::dragover, |event: DragEvent| event.prevent_default());
    let drop = use_event_listener(window(), ev::drop, move |event: DragEvent| {
        event.prevent_default();
        if let Some(files) = files(&event).filter(|files| files.length() > 0) {
            desk.inspect(&files);
        }
    });
    on_cleanup(move || {
        over();
        drop();
    });
}

/// `event.dataTransfer.files`
fn files(event: &DragEvent) -> Option<FileList> {
    let property = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).ok();
    let transfer = property(event, "dataTransfer").filter(JsValue::is_object)?;
    property(&transfer, "files")?.dyn_into().ok()
}
