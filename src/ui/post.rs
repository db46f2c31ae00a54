//! What was written, as it would be read: one text, or the candidates side by side.

use leptos::html::Textarea;
use leptos::prelude::*;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::ui::keys;
use crate::view::{Phase, words};

/// What happens first, for those who see the page for the first time.
const fn first_step(content: ContentType) -> &'static str {
    match content {
        ContentType::Post => "It writes a short business post.",
        ContentType::Email => "It writes a short business e-mail.",
        ContentType::Copy => "It writes a few lines of advertising.",
    }
}

/// The newest texts, or those that are being written.
#[component]
pub fn PostSheet() -> impl IntoView {
    let desk = Desk::here();
    let about = desk.read(|state| match (&state.draft, state.current()) {
        (Some(draft), _) => draft.prompt.clone(),
        (None, Some(post)) => post.prompt.clone(),
        (None, None) => String::new(),
    });
    let welcome = desk.read(|state| state.draft.is_none() && state.current().is_none());
    let content = desk.read(|state| state.content);
    let count = desk.read(|state| state.sheets().len());
    let candidates = move || {
        (0..count.get())
            .map(|at| view! { <Candidate at count /> })
            .collect_view()
    };

    view! {
        <section
            class="sheet"
            class:fresh=move || welcome.get()
            class:letter=move || content.get() == ContentType::Email
            aria-label=move || content.get().name()
        >
            <p class="about">{about}</p>
            <div class="candidates" class:several=move || { count.get() > 1 }>{candidates}</div>
            {move || welcome.get().then(|| view! {
                <ol class="welcome">
                    <li>{first_step(content.get())}</li>
                    <li>"You rate it on four things."</li>
                    <li>"It learns from that, here in this tab, and writes the next one differently."</li>
                </ol>
            })}
            <Foot />
        </section>
    }
}

/// One text. The article holds it and nothing else.
#[component]
fn Candidate(at: usize, count: Memo<usize>) -> impl IntoView {
    let desk = Desk::here();
    let sheet = desk.read(move |state| state.sheets().into_iter().nth(at).unwrap_or_default());
    let content = desk.read(|state| state.content);
    let writing = desk.read(|state| state.phase == Phase::Writing);
    let current = Memo::new(move |_| {
        let id = sheet.with(|sheet| sheet.post);
        count.get() > 1
            && desk
                .state
                .with(|state| state.draft.is_none() && state.current().is_some_and(|post| post.id == id))
    });
    let choosable = Memo::new(move |_| {
        let id = sheet.with(|sheet| sheet.post);
        desk.state.with(|state| state.preference(id).is_some())
    });
    let reward = Memo::new(move |_| {
        let id = sheet.with(|sheet| sheet.post);
        let weights = desk.preferences.with(|preferences| preferences.weights);
        desk.state.with(|state| {
            let post = state.candidates().find(|post| post.id == id)?;
            let reward = weights
                .reward_so_far(&state.shown(post))
                .map(|reward| format!("{:.2}", reward.get()));
            let mark = if state.unsure_of() == Some(id) {
                Some("not sure: rate it")
            } else if post.ratings.is_empty() && state.favourite() == Some(id) {
                Some("best, it guesses")
            } else {
                None
            };
            Some(
                [reward.as_deref(), mark]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        })
    });
    let id = move || sheet.with_untracked(|sheet| sheet.post);
    let text = move || {
        sheet.with(|sheet| {
            let (fits, over) = content.get().limit().split(&sheet.text);
            let over = (!over.is_empty()).then(|| view! { <mark>{over.to_owned()}</mark> });
            (fits.to_owned(), over)
        })
    };
    let foot = move || {
        (count.get() > 1).then(|| {
            view! {
                <div class="candidate-foot">
                    <button
                        class="quiet"
                        type="button"
                        aria-pressed=move || current.get().to_string()
                        aria-disabled=move || writing.get().then_some("true")
                        on:click=move |_| desk.look_at(id())
                    >
                        {move || format!("Rate {}", at + 1)}
                    </button>
                    <button
                        class="quiet"
                        type="button"
                        aria-disabled=move || (!choosable.get()).then_some("true")
                        on:click=move |_| desk.prefer(id())
                    >
                        {move || format!("{} is the best", at + 1)}
                    </button>
                    <span class="candidate-reward">{reward}</span>
                </div>
            }
        })
    };
    view! {
        <div class="candidate" class:current=current>
            <article aria-busy=move || if writing.get() { "true" } else { "false" }>{text}</article>
            {foot}
        </div>
    }
}

/// What is known of the text that the person looks at, its length, and the way to change it.
#[component]
fn Foot() -> impl IntoView {
    let desk = Desk::here();
    let content = desk.read(|state| state.content);
    let welcome = desk.read(|state| state.draft.is_none() && state.current().is_none());
    let text = desk.read(|state| match (&state.draft, state.current()) {
        (Some(_), _) => state.sheets().into_iter().next().unwrap_or_default().text,
        (None, Some(post)) => post.text.clone(),
        (None, None) => String::new(),
    });
    let detail = desk.read(|state| match (&state.draft, state.current()) {
        (Some(draft), _) => match draft.texts.iter().map(|text| text.tokens).sum::<usize>() {
            0 => String::new(),
            tokens => format!("{tokens} tokens so far"),
        },
        (None, None) => String::new(),
        (None, Some(post)) => {
            format!(
                "{}, {}: {}",
                words::numbered(post),
                words::taught_before(post),
                words::effort(post)
            )
        }
    });
    let seed = desk.read(|state| match (&state.draft, state.current()) {
        (None, Some(post)) => format!(", seed {}", post.sampling.seed),
        (Some(_), _) | (None, None) => String::new(),
    });
    let over = Memo::new(move |_| text.with(|text| !content.get().limit().split(text).1.is_empty()));
    let editable = desk.read(|state| state.rateable().map(|post| post.id));
    let editing = RwSignal::new(None);
    // Another text, and what was typed is not about it any more.
    Effect::watch(
        move || editable.get(),
        move |editable, _, _| {
            if editing.get_untracked() != *editable {
                editing.set(None);
            }
        },
        false,
    );
    let edit = move |_| editing.set(editable.get_untracked());

    view! {
        <footer class="sheet-foot">
            <span class="detail">{detail}<span class="seed">{seed}</span></span>
            <button
                class="quiet edit"
                type="button"
                hidden=move || welcome.get() || editing.get().is_some()
                aria-disabled=move || editable.get().is_none().then_some("true")
                on:click=edit
            >
                "Edit"
            </button>
            <span class="count" class:over=over>
                {move || (!welcome.get()).then(|| text.with(|text| words::length(content.get(), text)))}
            </span>
        </footer>
        {move || editing.get().map(|_| view! { <Editor text=text.get_untracked() editing /> })}
    }
}

/// The text as the person would have written it.
#[component]
fn Editor(text: String, editing: RwSignal<Option<u32>>) -> impl IntoView {
    let desk = Desk::here();
    let area = NodeRef::<Textarea>::new();
    let content = desk.read(|state| state.content);
    let typed = RwSignal::new(text.clone());
    Effect::new(move |_| {
        if let Some(area) = area.get() {
            keys::focus(Some(&area));
        }
    });
    let teach = move |_| {
        if let Some(post) = editing.get_untracked()
            && desk.teach_edit(post, typed.get_untracked())
        {
            editing.set(None);
        }
    };
    view! {
        <div class="editor">
            <label for="version">"Your version"</label>
            <textarea id="version" rows="5" node_ref=area on:input=move |event| typed.set(event_target_value(&event))>{text}</textarea>
            <p class="editor-foot">
                <button class="action next" type="button" on:click=teach>"Teach my version"</button>
                <button class="action" type="button" on:click=move |_| editing.set(None)>"Cancel"</button>
                <span class="count">{move || typed.with(|text| words::length(content.get(), text))}</span>
            </p>
        </div>
    }
}
