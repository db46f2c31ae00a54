//! How tokens are drawn, folded away.

use leptos::prelude::*;

use crate::protocol::MOST_CANDIDATES;
use crate::settings::Sampling;
use crate::ui::desk::Desk;
use crate::ui::number::{Number, NumberField};

const CANDIDATES: Number = Number {
    name: "Candidates",
    about: "Texts that are written for one prompt, to be compared.",
    min: 1.0,
    max: MOST_CANDIDATES as f64,
    step: 1.0,
};
const TEMPERATURE: Number = Number {
    name: "Temperature",
    about: "0 always takes the likeliest word; higher is more adventurous.",
    min: 0.0,
    max: 5.0,
    step: 0.1,
};
const TOP_P: Number = Number {
    name: "Top-p",
    about: "Keeps the likeliest tokens until they reach this share; 1 keeps all.",
    min: 0.01,
    max: 1.0,
    step: 0.01,
};
const TOP_K: Number = Number {
    name: "Top-k",
    about: "Keeps this many of the likeliest tokens; 0 keeps all.",
    min: 0.0,
    max: 100_000.0,
    step: 1.0,
};
const MIN_P: Number = Number {
    name: "Min-p",
    about: "Drops tokens less likely than this share of the likeliest; 0 keeps all.",
    min: 0.0,
    max: 1.0,
    step: 0.01,
};
const REPETITION: Number = Number {
    name: "Repetition penalty",
    about: "Above 1 avoids words that were used already.",
    min: 1.0,
    max: 5.0,
    step: 0.05,
};
const LENGTH: Number = Number {
    name: "Length",
    about: "The most tokens that it writes.",
    min: 1.0,
    max: 1024.0,
    step: 1.0,
};
const SEED: Number = Number {
    name: "Seed",
    about: "The same seed writes the same text.",
    min: 0.0,
    max: 9_007_199_254_740_991.0,
    step: 1.0,
};

/// The sampling controls.
#[component]
pub fn SamplingFold() -> impl IntoView {
    let desk = Desk::here();
    let field = move |number: Number, get: fn(&Sampling) -> f64, set: fn(&mut Sampling, f64)| {
        let value = Signal::derive(move || desk.preferences.with(|preferences| get(&preferences.sampling)));
        let set = move |value| {
            desk.preferences
                .update(|preferences| set(&mut preferences.sampling, value));
        };
        view! { <NumberField number value set /> }
    };
    let content = desk.read(|state| state.content);
    let length = Signal::derive(move || desk.preferences.with(|preferences| preferences.length(content.get())) as f64);
    let set_length = move |length: f64| {
        desk.preferences.update(|preferences| {
            preferences.lengths.insert(content.get_untracked(), length as usize);
        });
    };
    let candidates = Signal::derive(move || desk.preferences.with(|preferences| preferences.candidates) as f64);
    let set_candidates = move |count: f64| {
        desk.preferences
            .update(|preferences| preferences.candidates = count as usize);
    };
    let new_seed = Memo::new(move |_| desk.preferences.with(|preferences| preferences.new_seed));
    let seed = Signal::derive(move || desk.preferences.with(|preferences| preferences.seed as f64));
    let type_seed = move |seed: f64| {
        desk.preferences.update(|preferences| {
            preferences.seed = seed as u64;
            preferences.new_seed = false;
        });
    };
    let reset = move |_| {
        desk.preferences.update(|preferences| {
            preferences.sampling = Sampling::default();
            preferences.candidates = 1;
            preferences.lengths.remove(&content.get_untracked());
            preferences.new_seed = true;
        });
    };
    view! {
        <details class="fold sampling">
            <summary>"Sampling"</summary>
            <div class="numbers">
                <NumberField number=CANDIDATES value=candidates set=set_candidates />
                {field(TEMPERATURE, |s| s.temperature, |s, v| s.temperature = v)}
                {field(TOP_P, |s| s.top_p, |s, v| s.top_p = v)}
                {field(TOP_K, |s| s.top_k as f64, |s, v| s.top_k = v as usize)}
                {field(MIN_P, |s| s.min_p, |s, v| s.min_p = v)}
                {field(REPETITION, |s| shown(s.repetition_penalty), |s, v| s.repetition_penalty = v as f32)}
                <NumberField number=LENGTH value=length set=set_length />
                <NumberField number=SEED value=seed set=type_seed />
                <label class="check">
                    <input
                        type="checkbox"
                        prop:checked=new_seed
                        on:change=move |event| {
                            let checked = event_target_checked(&event);
                            desk.preferences.update(|preferences| preferences.new_seed = checked);
                        }
                    />
                    "New seed each time"
                </label>
            </div>
            <button class="quiet" type="button" on:click=reset>"Back to the defaults"</button>
        </details>
    }
}

/// An f32 as it was typed: 1.1, not 1.10000002.
fn shown(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
