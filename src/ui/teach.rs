//! The reward, Teach, Undo and Redo.

use leptos::prelude::*;

use crate::feedback::Reward;
use crate::ui::desk::Desk;
use crate::view::{NextAction, Phase, Place, words};

/// The reward as it stands, and the two buttons. Teach is Stop while a lesson is being taught.
#[component]
pub fn TeachPanel() -> impl IntoView {
    let desk = Desk::here();
    let reward = Memo::new(move |_| {
        let weights = desk.preferences.with(|preferences| preferences.weights);
        desk.state.with(|state| match (&state.draft, state.current()) {
            (None, Some(post)) => weights.reward_so_far(&state.shown(post)).map(Reward::get),
            (Some(_), _) | (None, None) => None,
        })
    });
    let hint = desk.read(words::lesson_hint);
    let problem = desk.read(|state| state.problem_at(Place::Lesson).map(str::to_owned));
    let teaching = desk.read(|state| state.phase == Phase::Teaching);
    let next = desk.read(|state| state.next_action() == NextAction::Teach);
    let teachable = desk.read(|state| state.teachable().is_some());
    let can_undo = desk.read(|state| state.undo().is_some());
    let can_redo = desk.read(|state| state.redo().is_some());
    let progress = desk.read(|state| match (state.phase, state.steps.last()) {
        (Phase::Teaching, _) if let Some((number, of)) = state.round => (number - 1) as f64 / of.max(1) as f64,
        (Phase::Teaching, Some(step)) => step.number as f64 / step.of.max(1) as f64,
        (Phase::Loading | Phase::Ready | Phase::Writing | Phase::Teaching | Phase::Error, _) => 0.0,
    });

    view! {
        <div class="teach">
            <p class="reward">
                <span class="reward-name" id="reward-name">"Reward"</span>
                <span class="reward-number" class:none=move || reward.get().is_none()>
                    {move || reward.get().map_or_else(|| "–".to_owned(), |reward| format!("{reward:.2}"))}
                </span>
                <meter
                    class="reward-bar"
                    min="0"
                    max="1"
                    aria-labelledby="reward-name"
                    prop:value=move || reward.get().unwrap_or_default()
                />
            </p>
            <div class="lesson-line">
                <p class="lesson-hint" class:unseen=move || problem.with(Option::is_some)>{hint}</p>
                <p role="alert" class="problem">{problem}</p>
                <progress
                    class="lesson-progress"
                    class:idle=move || !teaching.get()
                    max="1"
                    aria-label="Progress of the lesson"
                    prop:value=progress
                />
            </div>
            <div class="teach-buttons">
                <button
                    id="teach"
                    class="action"
                    class:next=move || next.get()
                    type="button"
                    aria-disabled=move || (!teaching.get() && !teachable.get()).then_some("true")
                    aria-keyshortcuts=move || if teaching.get() { "Escape" } else { "T" }
                    on:click=move |event| {
                        if event.detail() < 2 {
                            if teaching.get_untracked() { desk.stop() } else { desk.teach() }
                        }
                    }
                >
                    {move || if teaching.get() { "Stop" } else { "Teach" }}
                    <kbd class="hint" aria-hidden="true">{move || if teaching.get() { "Esc" } else { "T" }}</kbd>
                </button>
                <button
                    class="action"
                    type="button"
                    aria-disabled=move || (!can_undo.get()).then_some("true")
                    aria-keyshortcuts="U"
                    on:click=move |_| desk.undo()
                >
                    "Undo"
                    <kbd class="hint" aria-hidden="true">"U"</kbd>
                </button>
                <button
                    class="action"
                    type="button"
                    aria-disabled=move || (!can_redo.get()).then_some("true")
                    aria-keyshortcuts="R"
                    on:click=move |_| desk.redo()
                >
                    "Redo"
                    <kbd class="hint" aria-hidden="true">"R"</kbd>
                </button>
            </div>
        </div>
    }
}
