//! One line that says what is going on, under the prompt.

use leptos::prelude::*;

use crate::protocol;
use crate::ui::desk::Desk;
use crate::view::{Phase, Place, words};

/// The status region, the problems of reading and writing, and how far the model is.
#[component]
pub fn StatusLine() -> impl IntoView {
    let desk = Desk::here();
    let status = desk.read(|state| state.status.clone());
    let spoken = desk.read(|state| state.spoken.clone());
    let problem = desk.read(|state| state.problem_at(Place::Desk).map(str::to_owned));
    let loading = desk.read(|state| state.loading.filter(|_| state.phase == Phase::Loading));
    let failed = desk.read(|state| state.phase == Phase::Error);
    view! {
        <div class="line">
            <p role="alert" class="problem">{problem}</p>
            <p role="status" class="status" class:unseen=move || loading.get().is_some() || problem.with(Option::is_some) aria-live="polite">
                {status}
                <span class="unseen">" " {spoken}</span>
            </p>
            {move || loading.get().map(|(received, total)| view! {
                <p class="loading">
                    <label for="loading">{words::loading(received, total)}</label>
                    <progress id="loading" max=total.map(|total| total.to_string()) value=total.map(|_| received.to_string()) />
                </p>
            })}
            {move || failed.get().then(|| view! {
                <button class="quiet" type="button" on:click=move |_| desk.restart()>"Try again"</button>
            })}
        </div>
    }
}

/// Whether anything is kept.
#[component]
pub fn Keeping() -> impl IntoView {
    let desk = Desk::here();
    let keeping = desk.read(|state| state.keeping.clone());
    view! {
        <p class="keeping" class:not=move || matches!(keeping.get(), Some(protocol::Keeping::NotKept { .. }))>
            {move || match keeping.get() {
                None => String::new(),
                Some(protocol::Keeping::Kept) => "Everything stays in this browser. Nothing is sent anywhere.".to_owned(),
                Some(protocol::Keeping::NotKept { reason }) => {
                    format!("Nothing will be kept when this tab is closed: {reason}")
                }
            }}
        </p>
    }
}
