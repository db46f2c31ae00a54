//! The blind test: is the taught model really better? Two texts, nobody says whose, and an exact sign test over the verdicts.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::timeline::ROOT;
use crate::ui::desk::Desk;
use crate::ui::dialogs::{Modal, Open};
use crate::view::{Phase, Place, words};

/// What is proven so far, and the way to the test.
#[component]
pub fn Proof() -> impl IntoView {
    let desk = Desk::here();
    let open = expect_context::<Open>();
    let tally = desk.read(|state| state.last_lesson().map(|node| node.lesson.tally));
    let ready = desk.read(|state| state.phase == Phase::Ready && state.timeline.at() != ROOT);
    let begin = move |_| {
        if ready.get_untracked() {
            open.proof.set(true);
            desk.pair();
        }
    };
    let measured = desk.read(|state| state.last_lesson()?.lesson.measured.as_ref().map(words::measured));
    let measuring = desk.read(|state| state.measuring);
    let measurable =
        desk.read(|state| state.is_idle() && state.timeline.at() != ROOT && state.insight.is_honest(&state.weights));
    let problem = desk.read(|state| state.problem_at(Place::Proof).map(str::to_owned));
    let measure = move |_| {
        if measuring.get_untracked().is_some() {
            desk.stop();
        } else if measurable.get_untracked() {
            desk.measure();
        }
    };
    view! {
        <section class="proof" aria-labelledby="proof-title">
            <h2 id="proof-title">"Is it better?"</h2>
            <p class="fact">
                {move || tally.get().map_or_else(
                    || "Once something is taught, you can find out blindly whether it is better.".to_owned(),
                    words::proof,
                )}
            </p>
            <p class="fact" class:none=move || measured.with(Option::is_none)>{measured}</p>
            <p role="alert" class="problem">{problem}</p>
            <p class="proof-buttons">
                <button class="quiet" type="button" aria-disabled=move || (!ready.get()).then_some("true") on:click=begin>
                    "Blind test"
                </button>
                <button
                    class="quiet"
                    type="button"
                    aria-disabled=move || (!measurable.get() && measuring.get().is_none()).then_some("true")
                    on:click=measure
                >
                    {move || match measuring.get() {
                        Some((done, of)) => format!("Stop, {done} of {of}"),
                        None => "Measure".to_owned(),
                    }}
                </button>
            </p>
        </section>
    }
}

/// Two texts and three buttons, again and again until it is closed.
#[component]
pub fn ProofDialog() -> impl IntoView {
    let desk = Desk::here();
    let open = expect_context::<Open>();
    let prompt = desk.read(|state| state.pair.as_ref().map(|pair| pair.prompt.clone()));
    let text = move |place: usize| {
        desk.read(move |state| {
            state
                .pair
                .as_ref()
                .map(|pair| pair.texts[place].clone())
                .unwrap_or_default()
        })
    };
    let (first, second) = (text(0), text(1));
    let there = Memo::new(move |_| prompt.with(Option::is_some));
    let tally = desk.read(|state| state.last_lesson().map(|node| node.lesson.tally).unwrap_or_default());
    let problem = desk.read(|state| state.problem_at(Place::Proof).map(str::to_owned));
    let judge = move |better: Option<usize>| {
        if desk.judge(better) {
            desk.pair();
        }
    };
    let pressed = move |event: KeyboardEvent| {
        let better = match event.key().as_str() {
            "a" | "A" => Some(0),
            "b" | "B" => Some(1),
            "t" | "T" => None,
            _ => return,
        };
        event.prevent_default();
        judge(better);
    };
    let button = move |name: &'static str, key: &'static str, better: Option<usize>| {
        view! {
            <button
                class="action"
                type="button"
                aria-keyshortcuts=key
                aria-disabled=move || (!there.get()).then_some("true")
                on:click=move |_| judge(better)
            >
                {name}
                <kbd class="hint" aria-hidden="true">{key}</kbd>
            </button>
        }
    };
    view! {
        <Modal open=open.proof id="proof" title="Which is better?">
            <div class="blind" on:keydown=pressed tabindex="-1" autofocus>
                <p class="about">{move || prompt.get().unwrap_or_else(|| "Writing …".to_owned())}</p>
                <p role="alert" class="problem">{problem}</p>
                <div class="blind-pair" aria-busy=move || (!there.get()).to_string()>
                    <section aria-label="A"><h3>"A"</h3><p class="blind-text">{first}</p></section>
                    <section aria-label="B"><h3>"B"</h3><p class="blind-text">{second}</p></section>
                </div>
                <p class="modal-buttons">
                    {button("A is better", "A", Some(0))}
                    {button("B is better", "B", Some(1))}
                    {button("Neither", "T", None)}
                </p>
                <p class="note">{move || words::proof(tally.get())}</p>
            </div>
        </Modal>
    }
}
