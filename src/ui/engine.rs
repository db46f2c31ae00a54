//! How the open model is held and computed.

use leptos::prelude::*;

use crate::settings::{Build, Precision};
use crate::ui::builds;
use crate::ui::desk::Desk;
use crate::ui::dialogs::Open;

/// How a model may lie in memory.
const PRECISIONS: [(Precision, &str); 2] = [
    (Precision::EightBit, "Small and fast, one byte a weight"),
    (Precision::Exact, "Exact, four bytes a weight"),
];

/// Which program the worker may run.
const BUILDS: [(Option<Build>, &str); 3] = [
    (None, "The fastest that this browser runs"),
    (Some(Build::Fast), "Fast, relaxed SIMD"),
    (Some(Build::Baseline), "For every browser, plain SIMD"),
];

/// The form in memory and the worker's build. `again` opens the model once more.
#[component]
pub fn Engine(busy: Memo<bool>, again: Callback<()>) -> impl IntoView {
    let desk = Desk::here();
    let settings = expect_context::<Open>().settings;
    let preferred = Memo::new(move |_| desk.preferences.with(|preferences| preferences.precision));
    let choose_precision = move |event| {
        let chosen = event_target_value(&event);
        if let Some((precision, _)) = PRECISIONS.into_iter().find(|(_, name)| *name == chosen) {
            settings.set(false);
            desk.preferences.update(|preferences| preferences.precision = precision);
            again.run(());
        }
    };
    let build = Memo::new(move |_| desk.preferences.with(|preferences| preferences.build));
    let choose_build = move |event| {
        let chosen = event_target_value(&event);
        if let Some((build, _)) = BUILDS.into_iter().find(|(_, name)| *name == chosen) {
            settings.set(false);
            desk.change_build(build);
        }
    };
    view! {
        <label class="field">
            <span>"In memory"</span>
            <select aria-label="In memory" disabled=busy on:change=choose_precision>
                {PRECISIONS.map(|(precision, name)| view! {
                <option selected=move || preferred.get() == precision>{name}</option>
                })}
            </select>
        </label>
        // A single file has one engine inside.
        {(!builds::is_one_file()).then(|| view! {
            <label class="field">
                <span>"Engine"</span>
                <select aria-label="Engine" disabled=busy on:change=choose_build>
                    {BUILDS.map(|(wish, name)| view! {
                    <option selected=move || build.get() == wish>{name}</option>
                    })}
                </select>
            </label>
        })}
    }
}
