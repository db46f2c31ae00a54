//! A link with what was taught in it: ready to be copied, or just opened.
//!
//! All of it is behind the address's `#`, which no browser sends to a server. A link that was opened is taken out of the address at
//! once, so that coming back to the page does not ask again; the worker reads it, and the person is asked like about a file.

use leptos::ev;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_use_event_listener::use_event_listener;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::content::ContentType;
use crate::ui::desk::Desk;
use crate::view::{ViewState, words};

/// What a fragment begins with that is for us; `exchange::link` has the rest.
const KEY: &str = "#taste=";

/// The link that was made, with a button that copies it.
#[component]
pub fn Link() -> impl IntoView {
    let desk = Desk::here();
    let link = desk.read(|state| state.link.clone());
    let field = NodeRef::<Input>::new();
    let select = move || {
        if let Some(field) = field.get_untracked() {
            field.select();
        }
    };
    let copy = move |_| {
        let Some(address) = field.get_untracked().map(|field| field.value()) else {
            return;
        };
        leptos::task::spawn_local(async move {
            let said = if write_to_clipboard(&address).await.is_ok() {
                "Copied."
            } else {
                select();
                "This browser does not let the page copy. The link is selected: copy it yourself."
            };
            desk.state.update(|state| state.status = said.into());
        });
    };
    view! {
        {move || link.get().map(|link| view! {
            <div class="link">
                <input
                    type="text"
                    readonly
                    aria-label="Link"
                    node_ref=field
                    prop:value=format!("{}#{}", page(), link.fragment)
                    on:focus=move |_| select()
                />
                <button class="action" type="button" on:click=copy>"Copy"</button>
            </div>
            <p class="note">
                {words::linked(&link)}
                " It goes to nobody's server: all of it is in the link itself. Whoever opens it is asked first."
            </p>
        })}
    }
}

/// The page's own address.
fn page() -> String {
    let address = window().location().href().unwrap_or_default();
    address.split('#').next().unwrap_or_default().to_owned()
}

/// Some browsers, and pages without TLS, have no clipboard.
async fn write_to_clipboard(text: &str) -> Result<(), JsValue> {
    let navigator = window().navigator();
    if js_sys::Reflect::get(&navigator, &"clipboard".into())?.is_undefined() {
        return Err(JsValue::UNDEFINED);
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.map(drop)
}

/// A link that was opened.
#[derive(Clone)]
pub struct Arrived {
    /// What comes after the `#`.
    fragment: String,
    /// What it is for, as it says itself.
    pub content: Option<ContentType>,
}

/// Takes a link out of the address, if there is one.
pub fn arrived() -> Option<Arrived> {
    let location = window().location();
    let hash = location.hash().ok().filter(|hash| hash.starts_with(KEY))?;
    let cleared = window()
        .history()
        .and_then(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(&page())));
    if let Err(error) = cleared {
        leptos::logging::warn!("the link stays in the address: {error:?}");
    }
    let tag = hash.split('.').nth(1).unwrap_or_default();
    Some(Arrived {
        content: ContentType::ALL.into_iter().find(|content| content.tag() == tag),
        fragment: hash.trim_start_matches('#').to_owned(),
    })
}

/// Has a link looked at that the page was opened with, and every one that is pasted into its address later, as soon as nothing else
/// goes on. What it is for is turned to first: a person who opens a link wants to see what it is.
pub fn open(desk: Desk, first: Option<Arrived>) {
    let waiting = RwSignal::new(first);
    let pasted = use_event_listener(window(), ev::hashchange, move |_| {
        if let Some(link) = arrived() {
            waiting.set(Some(link));
        }
    });
    on_cleanup(pasted);
    let idle = desk.read(ViewState::is_idle);
    Effect::new(move |_| {
        let Some(link) = waiting.get().filter(|_| idle.get()) else {
            return;
        };
        let here = desk.state.with_untracked(|state| state.content);
        if let Some(content) = link.content.filter(|content| *content != here) {
            // Once: if it can't be turned to, the worker says what the link is for.
            waiting.set(Some(Arrived { content: None, ..link }));
            desk.choose(content);
        } else {
            waiting.set(None);
            desk.inspect_link(link.fragment);
        }
    });
}
