//! What the text should be about.

use leptos::html::Input;
use leptos::prelude::*;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::ui::keys;
use crate::ui::sampling::SamplingFold;
use crate::view::{NextAction, Phase, Place};

/// What is asked above the prompt.
const fn question(content: ContentType) -> &'static str {
    match content {
        ContentType::Post => "What should it write about?",
        ContentType::Email => "What should the e-mail do?",
        ContentType::Copy => "What should it advertise?",
    }
}

/// The prompt, the examples, and Write, which is Stop while a post is being written.
#[component]
pub fn Prompt() -> impl IntoView {
    let desk = Desk::here();
    let input = NodeRef::<Input>::new();
    let phase = desk.read(|state| state.phase);
    let writing = move || phase.get() == Phase::Writing;
    let next = desk.read(|state| state.next_action() == NextAction::Write);
    let problem = desk.read(|state| state.problem_at(Place::Desk).is_some() && state.phase == Phase::Ready);
    let refused = Memo::new(move |_| problem.get() && desk.prompt.with(|prompt| prompt.trim().is_empty()));

    let focus = move || keys::focus(input.get_untracked().as_deref());
    let write = move || {
        if desk.write() {
            // On touch screens, so that the keyboard goes and the post is seen.
            keys::blur_on_touch(input.get_untracked().as_deref());
        } else {
            focus();
        }
    };
    let content = desk.read(|state| state.content);
    let examples = move || {
        content.get().examples().map(|example| {
            let choose = move |_| {
                desk.prompt.set(example.to_owned());
                focus();
            };
            view! { <li><button class="example" type="button" on:click=choose>{example}</button></li> }
        })
    };

    view! {
        <section class="ask" aria-labelledby="ask-title">
            <h2 id="ask-title">{move || question(content.get())}</h2>
            <form
                class="ask-line"
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    write();
                }
            >
                <label class="unseen" for="prompt">"Prompt"</label>
                <input
                    id="prompt"
                    type="text"
                    autocomplete="off"
                    enterkeyhint="go"
                    placeholder=move || content.get().examples()[0]
                    aria-describedby="ask-title"
                    aria-invalid=move || refused.get().then_some("true")
                    aria-keyshortcuts="/"
                    prop:value=desk.prompt
                    on:input=move |event| {
                        desk.prompt.set(event_target_value(&event));
                        if refused.get_untracked() {
                            desk.state.update(|state| state.problem = None);
                        }
                    }
                    node_ref=input
                />
                <kbd class="hint" aria-hidden="true">"/"</kbd>
                <button
                    class="action"
                    class:next=move || next.get()
                    type="button"
                    aria-disabled=move || matches!(phase.get(), Phase::Loading | Phase::Teaching | Phase::Error).then_some("true")
                    aria-keyshortcuts=move || if writing() { "Escape" } else { "Enter" }
                    on:click=move |event| {
                        // The second half of a double click is no second wish.
                        if event.detail() < 2 {
                            if writing() { desk.stop() } else { write() }
                        }
                    }
                >
                    {move || if writing() { "Stop" } else { "Write" }}
                    <kbd class="hint" aria-hidden="true">{move || if writing() { "Esc" } else { "↵" }}</kbd>
                </button>
            </form>
            <div class="ask-more">
                <ul class="examples" aria-label="Examples">{examples}</ul>
                <SamplingFold />
            </div>
        </section>
    }
}
