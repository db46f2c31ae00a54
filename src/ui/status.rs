//! One line that says what is going on, under the prompt.

use leptos::prelude::*;

use crate::protocol;
use crate::ui::desk::Desk;
use crate::ui::space;
use crate::view::{Phase, Place, ViewState, words};

/// The status region, the problems of reading and writing, and how far the model is.
#[component]
pub fn StatusLine() -> impl IntoView {
    let desk = Desk::here();
    let status = desk.read(|state| state.status.clone());
    let spoken = desk.read(|state| state.spoken.clone());
    let problem = desk.read(|state| state.problem_at(Place::Desk).map(str::to_owned));
    let loading = desk.read(|state| state.loading.filter(|_| state.phase == Phase::Loading));
    let stoppable = desk.read(|state| state.stoppable && state.phase == Phase::Loading);
    let copying = desk.read(|state| state.copying.filter(|_| state.phase == Phase::Loading));
    let failed = desk.read(|state| state.phase == Phase::Error);
    view! {
        <div class="line">
            <p role="alert" class="problem">{problem}</p>
            <p role="status" class="status" class:unseen=move || loading.get().is_some() || copying.get().is_some() || problem.with(Option::is_some) aria-live="polite">
                {status}
                <span class="unseen">" " {spoken}</span>
            </p>
            {move || loading.get().map(|(received, total)| view! {
                <p class="loading">
                    <label for="loading">{words::loading(received, total)}</label>
                    <progress id="loading" max=total.map(|total| total.to_string()) value=total.map(|_| received.to_string()) />
                </p>
            })}
            {move || stoppable.get().then(|| view! {
                <button class="quiet" type="button" on:click=move |_| desk.stop()>"Stop"</button>
            })}
            {move || copying.get().map(|(copied, total)| view! {
                <p class="loading">
                    <label for="copying">{words::copying(copied, total)}</label>
                    <progress id="copying" max=total.to_string() value=copied.to_string() />
                </p>
            })}
            {move || failed.get().then(|| view! {
                <button class="quiet" type="button" on:click=move |_| desk.restart()>"Try again"</button>
            })}
        </div>
    }
}

/// Whether anything is kept, and how safely.
#[component]
pub fn Keeping() -> impl IntoView {
    let desk = Desk::here();
    let keeping = desk.read(|state| state.keeping.clone());
    let promise = RwSignal::new(Promise::default());
    let worth_keeping = desk.read(ViewState::is_worth_keeping);
    Effect::new(move |_| {
        if worth_keeping.get() && promise.get_untracked() == Promise::NotAsked {
            ask_to_persist(promise);
        }
    });
    view! {
        <p class="keeping" class:not=move || matches!(keeping.get(), Some(protocol::Keeping::NotKept { .. }))>
            {move || match keeping.get() {
                None => String::new(),
                Some(protocol::Keeping::Kept) => {
                    let promise = promise.get().in_words();
                    format!("Everything stays in this browser. Nothing is sent anywhere.{promise}")
                }
                Some(protocol::Keeping::NotKept { reason }) => {
                    format!("Nothing will be kept when this tab is closed: {reason}.")
                }
            }}
        </p>
    }
}

/// Whether the browser promised not to clear this site's data when the disk runs full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Promise {
    #[default]
    NotAsked,
    Given,
    Refused,
}

impl Promise {
    const fn in_words(self) -> &'static str {
        match self {
            Self::NotAsked => "",
            Self::Given => " The browser has promised not to clear it.",
            Self::Refused => " The browser may clear it if the disk runs full.",
        }
    }
}

/// Asks for persistent storage, once there is something worth it; only windows may ask.
fn ask_to_persist(promise: RwSignal<Promise>) {
    leptos::task::spawn_local(async move {
        let given = space::persist().await;
        promise.set(if given { Promise::Given } else { Promise::Refused });
    });
}
