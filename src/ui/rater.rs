//! The automatic rater: what it knows, whether it may fill in stars, and its rounds.

use leptos::prelude::*;

use crate::feedback::Metric;
use crate::insight::LEAST_RATINGS;
use crate::protocol::MOST_ROUNDS;
use crate::ui::desk::Desk;
use crate::ui::number::{Number, NumberField};
use crate::view::{Phase, Place, words};

const ROUNDS: Number = Number {
    name: "Rounds",
    about: "Each writes four texts, which it judges and learns from.",
    min: 1.0,
    max: MOST_ROUNDS as f64,
    step: 1.0,
};

/// Rounds that are offered first.
const FEW: f64 = 5.0;

/// The section beside the desk.
#[component]
pub fn AutomaticRater() -> impl IntoView {
    let desk = Desk::here();
    let says = desk.read(words::insight);
    let correlations = desk.read(|state| {
        let insight = &state.insight;
        let known = insight.ratings() >= LEAST_RATINGS;
        known.then(|| {
            Metric::ALL
                .map(|metric| format!("{} {:.2}", metric.name(), insight.correlation(metric)))
                .join(", ")
        })
    });
    let honest = desk.read(|state| state.insight.is_honest(&state.weights));
    let ready = desk.read(|state| state.is_idle() && state.insight.is_honest(&state.weights));
    let round = desk.read(|state| state.round.filter(|_| state.phase == Phase::Teaching));
    let problem = desk.read(|state| state.problem_at(Place::Rater).map(str::to_owned));
    let fill_in = Memo::new(move |_| desk.preferences.with(|preferences| preferences.fill_in));
    let rounds = RwSignal::new(FEW);
    let teach = move |_| {
        if round.get_untracked().is_some() {
            desk.stop();
        } else if ready.get_untracked() {
            desk.teach_itself(rounds.get_untracked() as usize);
        }
    };
    view! {
        <section class="rater" aria-labelledby="rater-title">
            <h2 id="rater-title">"Automatic rater"</h2>
            <p class="fact">{says}</p>
            <p class="fact" class:none=move || correlations.with(Option::is_none)>{correlations}</p>
            <div class="rater-controls" hidden=move || !honest.get()>
                <label class="check">
                    <input
                        type="checkbox"
                        prop:checked=fill_in
                        on:change=move |event| {
                            let checked = event_target_checked(&event);
                            desk.preferences.update(|preferences| preferences.fill_in = checked);
                        }
                    />
                    <span>"Fill in my stars"</span>
                </label>
                <NumberField number=ROUNDS value=rounds set=move |value| rounds.set(value) />
                <button
                    class="quiet"
                    type="button"
                    aria-disabled=move || (!ready.get() && round.get().is_none()).then_some("true")
                    on:click=teach
                >
                    {move || match round.get() {
                        Some((number, of)) => format!("Stop, round {number} of {of}"),
                        None => "Teach by itself".to_owned(),
                    }}
                </button>
            </div>
            <p role="alert" class="problem">{problem}</p>
        </section>
    }
}
