//! How lessons are taught, folded away.

use leptos::prelude::*;

use crate::settings::{Objective, Targets, Teaching};
use crate::ui::desk::Desk;
use crate::ui::number::{Number, NumberField};

const STEPS: Number = Number {
    name: "Steps",
    about: "Optimiser steps a lesson.",
    min: 1.0,
    max: 32.0,
    step: 1.0,
};
const RATE: Number = Number {
    name: "Learning rate",
    about: "How far each step goes.",
    min: 0.000_001,
    max: 0.1,
    step: 0.0001,
};
const KL: Number = Number {
    name: "KL weight",
    about: "How strongly it is held to what it was before any lesson.",
    min: 0.0,
    max: 10.0,
    step: 0.01,
};
const KL_TARGET: Number = Number {
    name: "KL target",
    about: "In practice the KL weight grows above it and shrinks below, in nats a token.",
    min: 0.001,
    max: 10.0,
    step: 0.01,
};
const REPLAY: Number = Number {
    name: "Replay",
    about: "Earlier texts that are taught along with each new one.",
    min: 0.0,
    max: 8.0,
    step: 1.0,
};
const PRACTICE: Number = Number {
    name: "Practice",
    about: "Texts of its own that it practises on, a round for each step, once it can judge as you do.",
    min: 0.0,
    max: 16.0,
    step: 1.0,
};
const RANK: Number = Number {
    name: "LoRA rank",
    about: "How much room a lesson has.",
    min: 1.0,
    max: 64.0,
    step: 1.0,
};
const ALPHA: Number = Number {
    name: "LoRA alpha",
    about: "The deltas count alpha / rank times.",
    min: 0.1,
    max: 256.0,
    step: 1.0,
};

/// A matrix's checkbox: its name in GPT-2, how to read it, how to set it.
type Target = (&'static str, fn(&Targets) -> bool, fn(&mut Targets, bool));

const TARGETS: [Target; 4] = [
    ("attn.c_attn", |t| t.attention_in, |t, on| t.attention_in = on),
    ("attn.c_proj", |t| t.attention_out, |t, on| t.attention_out = on),
    ("mlp.c_fc", |t| t.mlp_in, |t, on| t.mlp_in = on),
    ("mlp.c_proj", |t| t.mlp_out, |t, on| t.mlp_out = on),
];

/// The teaching settings. The adapter's shape can be chosen until the first lesson.
#[component]
pub fn TeachingFold() -> impl IntoView {
    let desk = Desk::here();
    let shape = desk.read(|state| state.lora);
    let fixed = Signal::derive(move || shape.get().is_some());
    let teaching = Memo::new(move |_| {
        let chosen = desk.preferences.with(|preferences| preferences.teaching);
        Teaching {
            lora: shape.get().unwrap_or(chosen.lora),
            ..chosen
        }
    });
    let edit = move |change: &dyn Fn(&mut Teaching)| {
        desk.preferences.update(|preferences| change(&mut preferences.teaching));
    };
    let field =
        move |number: Number, get: fn(&Teaching) -> f64, set: fn(&mut Teaching, f64), disabled: Signal<bool>| {
            let value = Signal::derive(move || get(&teaching.get()));
            view! { <NumberField number value set=move |value| edit(&|teaching| set(teaching, value)) disabled /> }
        };
    let free = Signal::derive(|| false);
    let objectives = Objective::ALL.map(|objective| {
        view! {
            <option value=objective.name() selected=move || teaching.get().objective == objective>{objective.name()}</option>
        }
    });
    let choose = move |event| {
        let name = event_target_value(&event);
        if let Some(objective) = Objective::ALL.into_iter().find(|objective| objective.name() == name) {
            edit(&|teaching| teaching.objective = objective);
        }
    };
    let targets = TARGETS.map(|(name, get, set)| {
        let check = move |event| {
            let on = event_target_checked(&event);
            edit(&|teaching| set(&mut teaching.lora.targets, on));
        };
        view! {
            <label class="check">
                <input type="checkbox" disabled=fixed prop:checked=move || get(&teaching.get().lora.targets) on:change=check />
                <code>{name}</code>
            </label>
        }
    });
    view! {
        <details class="fold teaching">
            <summary>"How it learns"</summary>
            <div class="numbers">
                <div class="number wide">
                    <label for="objective">"Objective"</label>
                    <select id="objective" aria-describedby="objective_about" on:change=choose>{objectives}</select>
                    <p class="about-number" id="objective_about">{move || about(teaching.get().objective)}</p>
                </div>
                {field(STEPS, |t| t.steps as f64, |t, v| t.steps = v as usize, free)}
                {field(RATE, |t| t.learning_rate, |t, v| t.learning_rate = v, free)}
                {field(KL, |t| t.kl_weight, |t, v| t.kl_weight = v, free)}
                {field(KL_TARGET, |t| t.kl_target, |t, v| t.kl_target = v, free)}
                {field(REPLAY, |t| t.replay as f64, |t, v| t.replay = v as usize, free)}
                {field(PRACTICE, |t| t.practice as f64, |t, v| t.practice = v as usize, free)}
                {field(RANK, |t| t.lora.rank as f64, |t, v| t.lora.rank = v as usize, fixed)}
                {field(ALPHA, |t| t.lora.alpha, |t, v| t.lora.alpha = v, fixed)}
                <fieldset class="targets" aria-describedby="shape_about">
                    <legend>"LoRA on"</legend>
                    {targets}
                </fieldset>
            </div>
            <p class="note" id="shape_about">
                {move || if fixed.get() {
                    "The LoRA settings were fixed by the first lesson. They can be chosen again after Forget everything."
                } else {
                    "The LoRA settings can be chosen until the first lesson."
                }}
            </p>
            <button class="quiet" type="button" on:click=move |_| edit(&|teaching| *teaching = Teaching::default())>
                "Back to the defaults"
            </button>
        </details>
    }
}

const fn about(objective: Objective) -> &'static str {
    match objective {
        Objective::Advantage => "A post above your running mean is encouraged, one below it discouraged, with a floor.",
        Objective::RewardWeighted => "Every post is encouraged in proportion to its reward, even a bad one.",
    }
}
