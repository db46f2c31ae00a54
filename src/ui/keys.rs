//! The keyboard: `/` prompt, Esc stop, 1–5 rate and move on, ↑ ↓ between metrics, T teach, U undo, R redo,
//! N the next candidate, B the best one, ? the list.

use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use leptos_use_event_listener::use_event_listener;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::feedback::{Metric, Stars};
use crate::ui::desk::Desk;
use crate::ui::dialogs::Open;
use crate::view::{ViewState, next_metric};

/// The id of one rating's radio button.
pub fn radio_id(metric: Metric, stars: Stars) -> String {
    format!("{}-{}", metric.name().to_lowercase(), stars.count())
}

/// Moves the focus, if there is something to move it to.
pub fn focus(element: Option<&HtmlElement>) {
    if let Some(Err(error)) = element.map(HtmlElement::focus) {
        leptos::logging::warn!("the focus could not be moved: {error:?}");
    }
}

/// Takes the focus away where a finger is the pointer, so that the on-screen keyboard goes.
pub fn blur_on_touch(element: Option<&HtmlElement>) {
    let touch = window()
        .match_media("(pointer: coarse)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches());
    if let Some(Err(error)) = element.filter(|_| touch).map(HtmlElement::blur) {
        leptos::logging::warn!("the focus could not be taken away: {error:?}");
    }
}

/// Listens as long as the page lives.
pub fn listen(desk: Desk, open: Open) {
    let stop = use_event_listener(window(), ev::keydown, move |event| {
        if !event.default_prevented() && pressed(desk, open, &event) {
            event.prevent_default();
        }
    });
    on_cleanup(stop);
    focus_ratings_when_written(desk);
}

/// Carries out what a key means here. Whether it means something.
fn pressed(desk: Desk, open: Open, event: &KeyboardEvent) -> bool {
    if event.ctrl_key() || event.meta_key() || event.alt_key() || event.is_composing() || find("dialog[open]").is_some()
    {
        return false;
    }
    let key = event.key();
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let on = |selector: &str| {
        target
            .as_ref()
            .is_some_and(|target| target.matches(selector).unwrap_or(false))
    };
    if key == "Escape" && desk.state.with_untracked(ViewState::can_stop) {
        desk.stop();
        return true;
    }
    if on("input[type=text], input[type=number], textarea, select, [contenteditable]") {
        return false;
    }
    match key.as_str() {
        "/" => focus(find("#prompt").as_ref()),
        "?" => open.keys.set(true),
        "t" | "T" => desk.teach(),
        "u" | "U" => desk.undo(),
        "r" | "R" => desk.redo(),
        "n" | "N" => desk.look_at_next(),
        "b" | "B" => {
            if let Some(post) = desk.state.with_untracked(|state| state.current().map(|post| post.id)) {
                desk.prefer(post);
            }
        }
        "ArrowUp" | "ArrowDown" if !on("input[type=range]") => return step(desk, key == "ArrowDown"),
        digit => {
            return digit
                .parse()
                .ok()
                .and_then(Stars::new)
                .is_some_and(|stars| rate(desk, stars));
        }
    }
    true
}

/// Rates the current metric and moves on. Whether there was something to rate.
fn rate(desk: Desk, stars: Stars) -> bool {
    let metric = desk.metric.get_untracked();
    if !desk.rate(metric, stars) {
        return false;
    }
    let next = desk
        .state
        .with_untracked(|state| state.current().and_then(|post| next_metric(metric, &post.ratings)));
    match next {
        Some(next) => go_to(desk, next),
        None => focus(find("#teach").as_ref()),
    }
    true
}

/// To the next metric or the one before. Whether ratings can be given now.
fn step(desk: Desk, down: bool) -> bool {
    let possible = desk.state.with_untracked(|state| state.rateable().is_some());
    if possible {
        let at = Metric::ALL
            .iter()
            .position(|metric| *metric == desk.metric.get_untracked())
            .unwrap_or(0);
        let to = if down {
            (at + 1).min(Metric::ALL.len() - 1)
        } else {
            at.saturating_sub(1)
        };
        go_to(desk, Metric::ALL[to]);
    }
    possible
}

/// Makes a metric the current one and puts the focus on its rating, or on its first radio button.
fn go_to(desk: Desk, metric: Metric) {
    desk.metric.set(metric);
    let rated = desk
        .state
        .with_untracked(|state| state.current().and_then(|post| post.ratings.get(metric)));
    focus(find(&format!("#{}", radio_id(metric, rated.unwrap_or(Stars::ONE)))).as_ref());
}

/// When a post is whole and the person still sits in the prompt that it came from, the ratings come next.
fn focus_ratings_when_written(desk: Desk) {
    let newest = desk.read(|state| state.current().map(|post| (post.id, state.draft.is_none())));
    let written = desk.read(|state| state.draft.is_none() && state.rateable().is_some());
    Effect::watch(
        move || (newest.get(), written.get()),
        move |(newest, written), before, _| {
            let new = before.is_some_and(|(before, _)| before != newest);
            let waits = find("#prompt:focus").is_some() && desk.state.with_untracked(|state| unchanged(state, desk));
            if new && *written && waits {
                // After the radio buttons are enabled.
                request_animation_frame(move || go_to(desk, Metric::Relevance));
            }
        },
        false,
    );
}

/// Whether what is typed is still the newest post's prompt.
fn unchanged(state: &ViewState, desk: Desk) -> bool {
    state
        .current()
        .is_some_and(|post| desk.prompt.with_untracked(|prompt| prompt.trim() == post.prompt))
}

fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}
