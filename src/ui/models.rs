//! Which model is open, and which others there are.

use leptos::html::Input;
use leptos::prelude::*;

use crate::catalogue::{HUB, KNOWN, Known};
use crate::protocol::{Hub, KeptModel, ModelSource};
use crate::ui::client;
use crate::ui::desk::Desk;
use crate::ui::dialogs::Open;
use crate::ui::engine::Engine;
use crate::ui::space;
use crate::view::{Phase, Place, words};

/// The value of the embedded model in the list; ids are hashes.
const EMBEDDED: &str = "embedded";

/// Where the model of a value in the list comes from.
fn source(value: String, base: &str) -> ModelSource {
    if value == EMBEDDED {
        return client::embedded();
    }
    match KNOWN.iter().find(|known| known.repo == value) {
        Some(known) => ModelSource::Hub(Hub {
            base: base.to_owned(),
            repo: known.repo.into(),
            revision: known.revision.into(),
        }),
        None => ModelSource::Kept { id: value },
    }
}

/// The list of models, the picker for files, and what is kept on this device.
#[component]
pub fn Models() -> impl IntoView {
    let desk = Desk::here();
    let files = NodeRef::<Input>::new();
    let model = desk.read(|state| state.model.clone());
    let kept = desk.read(|state| state.kept.clone().unwrap_or_default());
    let kept_as = desk.read(|state| state.kept_as().map(str::to_owned));
    let to_download = Memo::new(move |_| {
        let is_here = |known: &Known| kept.with(|kept| kept.iter().any(|kept| kept.whole && kept.name == known.name));
        KNOWN.into_iter().filter(|known| !is_here(known)).collect::<Vec<_>>()
    });
    let busy = desk.read(|state| matches!(state.phase, Phase::Loading | Phase::Writing | Phase::Teaching));
    let problem = desk.read(|state| state.problem_at(Place::Models).map(str::to_owned));
    let open = move || kept_as.get().unwrap_or_else(|| EMBEDDED.to_owned());
    let again = Callback::new(move |()| desk.open_model(source(open(), &desk.hub())));
    // Progress and problems are shown on the desk, behind the settings.
    let settings = expect_context::<Open>().settings;
    let choose = move |event| {
        settings.set(false);
        desk.open_model(source(event_target_value(&event), &desk.hub()));
    };
    let preferred = Memo::new(move |_| desk.preferences.with(|preferences| preferences.precision));
    let free = free_space(settings, kept);
    let pick = move |_| {
        let Some(input) = files.get_untracked() else { return };
        if let Some(picked) = input.files().filter(|picked| picked.length() > 0) {
            settings.set(false);
            desk.open_files(&picked);
        }
        // So that the same files can be picked again.
        input.set_value("");
    };
    view! {
        <section class="models" aria-labelledby="models-title">
            <h3 id="models-title">"Model"</h3>
            <label class="field">
                <span>"Model"</span>
                <select aria-label="Model" disabled=busy prop:value=open on:change=choose>
                    <option value=EMBEDDED selected=move || open() == EMBEDDED>"Seedling, comes with the page"</option>
                    {move || kept.get().into_iter().filter(|kept| kept.whole).map(|kept| {
                        let id = kept.id.clone();
                        view! {
                            <option value=kept.id.clone() selected=move || open() == id>
                                {format!("{}, {}", kept.name, words::disk_size(kept.bytes))}
                            </option>
                        }
                    }).collect_view()}
                    {move || to_download.get().into_iter().map(|known| {
                        let (offer, fits) = words::offer(&known, preferred.get(), free.get());
                        view! { <option value=known.repo disabled=!fits>{offer}</option> }
                    }).collect_view()}
                </select>
            </label>
            <Engine busy again />
            <Repository busy />
            <label class="picker">
                <span>"Open model files"</span>
                <input
                    type="file"
                    multiple
                    accept=".gguf,.safetensors,.json,.txt"
                    aria-label="Open model files"
                    disabled=busy
                    node_ref=files
                    on:change=pick
                />
            </label>
            <p class="note">
                "A GPT-2 that you have: a .gguf file, or .safetensors together with config.json and tokenizer.json \
                 (or vocab.json and merges.txt). It is copied to this browser and goes nowhere else."
            </p>
            <p role="alert" class="problem">{problem}</p>
            {move || model.get().map(|model| view! {
                <dl class="facts">
                    <div><dt>"Name"</dt><dd>{model.name.clone()}</dd></div>
                    <div><dt>"Size"</dt><dd>{words::size(&model)}</dd></div>
                    <div><dt>"Memory"</dt><dd>{words::memory(&model)}</dd></div>
                    <div><dt>"Shape"</dt><dd>{format!("{} layers of {}", model.layers, model.width)}</dd></div>
                    <div><dt>"Vocabulary"</dt><dd>{format!("{} tokens", model.vocabulary)}</dd></div>
                    <div><dt>"Computes with"</dt><dd>{model.kernels.clone()}</dd></div>
                    <div><dt>"Looks back on"</dt><dd>{format!("{} tokens", model.context)}</dd></div>
                </dl>
            })}
            <KeptModels kept busy />
        </section>
    }
}

/// Bytes that the browser would still keep for this page, as far as it says so; asked when the settings are opened, and
/// when the models that are kept have changed.
fn free_space(settings: RwSignal<bool>, kept: Memo<Vec<KeptModel>>) -> RwSignal<Option<f64>> {
    let free = RwSignal::new(None);
    Effect::new(move |_| {
        kept.track();
        if settings.get() {
            leptos::task::spawn_local(async move { free.set(space::free().await) });
        }
    });
    free
}

/// What takes space on this device, and a way to get it back.
#[component]
fn KeptModels(kept: Memo<Vec<KeptModel>>, busy: Memo<bool>) -> impl IntoView {
    let desk = Desk::here();
    let entry = move |kept: KeptModel| {
        let (id, name) = (kept.id, kept.name);
        view! {
            <li>
                <span>{words::kept(&name, kept.bytes, kept.whole)}</span>
                <button
                    class="quiet danger"
                    type="button"
                    aria-label=format!("Delete {name}")
                    disabled=busy
                    on:click=move |_| desk.discard(id.clone())
                >
                    "Delete"
                </button>
            </li>
        }
    };
    let discard_all = move |_| {
        for kept in kept.get_untracked() {
            desk.discard(kept.id);
        }
    };
    view! {
        {move || (!kept.with(Vec::is_empty)).then(|| view! {
            <h4>"Kept on this device"</h4>
            <ul class="kept">{kept.get().into_iter().map(entry).collect_view()}</ul>
            {(kept.with(Vec::len) > 1).then(|| view! {
                <button class="quiet danger" type="button" disabled=busy on:click=discard_all>"Delete all"</button>
            })}
            <p class="note">"Deleting a model frees its space. What you taught to it stays, for when you open it again."</p>
        })}
    }
}

/// Any repository, on any hub.
#[component]
fn Repository(busy: Memo<bool>) -> impl IntoView {
    let desk = Desk::here();
    let settings = expect_context::<Open>().settings;
    let repo = RwSignal::new(String::new());
    let revision = RwSignal::new("main".to_owned());
    let base = Memo::new(move |_| desk.preferences.with(|preferences| preferences.hub.clone()));
    let set_base = move |event| {
        let base = event_target_value(&event).trim().to_owned();
        let base = (!base.is_empty() && base != HUB).then_some(base);
        desk.preferences.update(|preferences| preferences.hub = base);
    };
    let download = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let repo = repo.with_untracked(|repo| repo.trim().to_owned());
        if !repo.is_empty() && !busy.get_untracked() {
            settings.set(false);
            desk.open_model(ModelSource::Hub(Hub {
                base: desk.hub(),
                repo,
                revision: revision.get_untracked(),
            }));
        }
    };
    view! {
        <details class="fold">
            <summary>"Another repository"</summary>
            <form class="repository" on:submit=download>
                <label class="field">
                    <span>"Repository"</span>
                    <input type="text" placeholder="someone/their-gpt2" bind:value=repo autocomplete="off" spellcheck="false" />
                </label>
                <label class="field">
                    <span>"Revision"</span>
                    <input type="text" bind:value=revision autocomplete="off" spellcheck="false" />
                </label>
                <label class="field">
                    <span>"Hub"</span>
                    <input
                        type="url"
                        prop:value=move || base.get().unwrap_or_else(|| HUB.to_owned())
                        on:change=set_base
                        autocomplete="off"
                        spellcheck="false"
                    />
                </label>
                <button class="action" type="submit" disabled=busy>"Download"</button>
            </form>
        </details>
    }
}
