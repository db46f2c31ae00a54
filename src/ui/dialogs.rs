//! Native dialogs: which are open, what they all share, and the two small ones.

use leptos::html::Dialog;
use leptos::prelude::*;

use crate::ui::desk::Desk;

/// Which dialogs are asked for.
#[derive(Clone, Copy, Default)]
pub struct Open {
    pub settings: RwSignal<bool>,
    pub forget: RwSignal<bool>,
    pub keys: RwSignal<bool>,
    pub proof: RwSignal<bool>,
}

/// A modal dialog that follows a signal, and sets it when the person closes it.
#[component]
pub fn Modal(open: RwSignal<bool>, id: &'static str, title: &'static str, children: Children) -> impl IntoView {
    let node = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        let (Some(dialog), wanted) = (node.get(), open.get()) else {
            return;
        };
        if wanted && !dialog.open() {
            if dialog.show_modal().is_err() {
                dialog.set_open(true);
            }
        } else if !wanted && dialog.open() {
            dialog.close();
        }
    });
    view! {
        <dialog id=id class="modal" aria-labelledby=format!("{id}-title") closedby="any" node_ref=node on:close=move |_| open.set(false)>
            <header class="modal-head">
                <h2 id=format!("{id}-title")>{title}</h2>
                <button class="quiet" type="button" on:click=move |_| open.set(false)>"Close"</button>
            </header>
            {children()}
        </dialog>
    }
}

/// Asks once more before everything is forgotten.
#[component]
pub fn ForgetDialog() -> impl IntoView {
    let desk = Desk::here();
    let open = expect_context::<Open>();
    let what = desk.read(|state| (state.content, state.posts.len(), state.timeline.nodes().count()));
    let forget = move |_| {
        open.forget.set(false);
        open.settings.set(false);
        desk.forget();
    };
    view! {
        <Modal open=open.forget id="forget" title="Forget everything?">
            <p>
                {move || {
                    let (content, posts, lessons) = what.get();
                    let noun = content.name();
                    format!(
                        "{noun}s: {posts}. Lessons: {lessons}. These and those of the other types, with their ratings, are \
                         deleted from this browser, and the model writes as it did on the first day. This can't be undone."
                    )
                }}
            </p>
            <div class="modal-buttons">
                <button class="action" type="button" on:click=move |_| open.forget.set(false)>"Keep everything"</button>
                <button class="action danger" type="button" on:click=forget>"Forget everything"</button>
            </div>
        </Modal>
    }
}

const KEYS: [(&str, &str); 12] = [
    ("/", "to the prompt"),
    ("Enter", "write, in the prompt"),
    ("Esc", "stop"),
    ("1 – 5", "rate, and on to the next"),
    ("↑ ↓", "between the metrics"),
    ("T", "teach"),
    ("U", "undo the last lesson"),
    ("R", "redo it"),
    ("N", "to the next candidate"),
    ("B", "teach that this candidate is the best"),
    ("Tab", "through everything"),
    ("?", "this list"),
];

/// The list of keys.
#[component]
pub fn KeysDialog() -> impl IntoView {
    let open = expect_context::<Open>();
    let keys = KEYS.map(|(key, what)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div> });
    view! {
        <Modal open=open.keys id="keys" title="Keyboard">
            <dl class="keys">{keys}</dl>
            <p class="note">"Off while you type in a field."</p>
        </Modal>
    }
}
