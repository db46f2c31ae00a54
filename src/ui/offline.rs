//! Without a connection: registers the service worker (`public/sw.js`), which keeps the page, and says when a new version is
//! ready. It takes over when the person agrees, and only then is the page loaded anew.

use std::time::Duration;

use js_sys::{Function, Reflect};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    RegistrationOptions, ServiceWorker, ServiceWorkerContainer, ServiceWorkerRegistration, ServiceWorkerState,
    ServiceWorkerUpdateViaCache,
};

use crate::ui::builds;
use crate::ui::desk::Desk;
use crate::view::Phase;

/// The service worker; beside the page, which is all that it answers for.
const WORKER: &str = "sw.js";

/// What the service worker understands as the person's consent.
const TAKE_OVER: &str = "take over";

/// The page has been ready for so long without work before anything is fetched that nobody waits for.
const QUIET: Duration = Duration::from_secs(1);

/// What the page knows of its service worker.
#[derive(Clone, Copy)]
pub struct Offline {
    kept: RwSignal<Kept>,
    news: RwSignal<News>,
    registration: StoredValue<Option<ServiceWorkerRegistration>, LocalStorage>,
    /// The person wants the new version here.
    agreed: StoredValue<bool>,
    /// A version answered this page before: if another one does, it is a newer one.
    was_answered: StoredValue<bool>,
}

/// Whether the page opens without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// There is no service worker here: `file://`, a single file, plain HTTP, some private windows.
    No,
    NotYet,
    /// All files are kept, and checked.
    Yes,
}

/// What there is to say about another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    /// It is kept, whole, and waits.
    Ready,
    /// It has taken over, in another tab; this page is still the old one.
    InForce,
}

impl Offline {
    /// Registers the service worker when the page is ready and has nothing else to do.
    pub fn open(desk: Desk) -> Self {
        let container = container();
        let offline = Self {
            kept: RwSignal::new(if container.is_some() { Kept::NotYet } else { Kept::No }),
            news: RwSignal::new(News::None),
            registration: StoredValue::new_local(None),
            agreed: StoredValue::new(false),
            was_answered: StoredValue::new(false),
        };
        provide_context(offline);
        if let Some(container) = container {
            offline.answered(container.controller().is_some());
            container.set_oncontrollerchange(Some(&handler(move || offline.changed_hands())));
            offline.register_when_quiet(desk);
        }
        offline
    }

    fn register_when_quiet(self, desk: Desk) {
        let ready = desk.read(|state| state.phase == Phase::Ready);
        // Counts changes: whoever writes one post after the other is not disturbed between them.
        let turns = StoredValue::new(0_u32);
        let registered = StoredValue::new(false);
        Effect::new(move |_| {
            let is_ready = ready.get();
            turns.update_value(|turns| *turns += 1);
            let turn = turns.get_value();
            let register = move || {
                if turns.get_value() == turn && !registered.get_value() {
                    registered.set_value(true);
                    leptos::task::spawn_local(self.register());
                }
            };
            if is_ready && !registered.get_value() {
                set_timeout(register, QUIET);
            }
        });
    }

    async fn register(self) {
        let Some(container) = container() else { return };
        let options = RegistrationOptions::new();
        // Whether there is a new version is asked of the host, never of a cache.
        options.set_update_via_cache(ServiceWorkerUpdateViaCache::None);
        match JsFuture::from(container.register_with_options(WORKER, &options)).await {
            Ok(registration) => self.watch(&registration.unchecked_into()),
            Err(error) => {
                self.kept.set(Kept::No);
                leptos::logging::warn!("the page is not kept for use without a connection: {error:?}");
            }
        }
    }

    fn watch(self, registration: &ServiceWorkerRegistration) {
        let found = handler({
            let registration = registration.clone();
            move || self.follow(registration.installing())
        });
        registration.set_onupdatefound(Some(&found));
        self.registration.set_value(Some(registration.clone()));
        self.follow(registration.installing());
        self.look();
    }

    /// Looks again whenever a version that is being installed has got further.
    fn follow(self, installing: Option<ServiceWorker>) {
        if let Some(worker) = installing {
            let changed = handler({
                let worker = worker.clone();
                move || {
                    self.look();
                    // It could not be kept whole, and there is none before it: the disk is full, or the host alters files.
                    if worker.state() == ServiceWorkerState::Redundant && self.kept.get_untracked() == Kept::NotYet {
                        self.kept.set(Kept::No);
                    }
                }
            });
            worker.set_onstatechange(Some(&changed));
        }
    }

    /// Whether a version waits behind the one that is in force.
    fn look(self) {
        let waits = self.registration.with_value(|registration| {
            registration
                .as_ref()
                .is_some_and(|registration| registration.waiting().is_some() && registration.active().is_some())
        });
        match (waits, self.news.get_untracked()) {
            (true, News::None) => self.news.set(News::Ready),
            (false, News::Ready) => self.news.set(News::None),
            _ => {}
        }
    }

    fn answered(self, is: bool) {
        if is {
            self.was_answered.set_value(true);
            self.kept.set(Kept::Yes);
        }
    }

    /// Another version answers this page from now on.
    fn changed_hands(self) {
        if self.agreed.get_value() {
            // Once: the new page has agreed to nothing.
            reload();
        } else if self.was_answered.get_value() {
            self.news.set(News::InForce);
        }
        self.answered(true);
    }

    /// The person wants the new version, now.
    fn take(self) {
        if self.news.get_untracked() == News::InForce {
            return reload();
        }
        let waiting = self
            .registration
            .with_value(|registration| registration.as_ref().and_then(ServiceWorkerRegistration::waiting));
        match waiting.map(|waiting| waiting.post_message(&TAKE_OVER.into())) {
            Some(Ok(())) => self.agreed.set_value(true),
            Some(Err(_)) | None => self.look(),
        }
    }
}

/// Says that there is a new version, and lets the person take it. It lies over the page: nothing moves for it.
#[component]
pub fn NewVersion() -> impl IntoView {
    let desk = Desk::here();
    let offline = expect_context::<Offline>();
    // What runs would be lost.
    let busy = desk.read(|state| matches!(state.phase, Phase::Loading | Phase::Writing | Phase::Teaching));
    let words = move || match offline.news.get() {
        News::None => None,
        News::Ready => Some(("A new version is ready.", "Use the new version")),
        News::InForce => Some(("Another tab uses a new version now.", "Reload this one")),
    };
    view! {
        <div class="new-version" aria-live="polite">
            {move || words().map(|(what, take)| view! {
                <p>{what} " What you wrote and taught stays."</p>
                <button class="action" type="button" disabled=busy on:click=move |_| offline.take()>{take}</button>
                <button class="quiet" type="button" on:click=move |_| offline.news.set(News::None)>"Later"</button>
            })}
        </div>
    }
}

/// Whether the page works without a connection, for the settings.
#[component]
pub fn OfflineNote() -> impl IntoView {
    let offline = expect_context::<Offline>();
    let words = move || match offline.kept.get() {
        Kept::No if builds::is_one_file() => {
            "This page is one file: it opens without a connection, and what you teach is kept in this browser. Here the engine \
             computes on one thread, and some browsers don't keep the models that you open."
        }
        Kept::No => {
            "Not here: this browser or this address does not keep the page, so that it needs a connection to open."
        }
        Kept::NotYet => "Soon: the page and its model are being kept in this browser.",
        Kept::Yes if is_isolated() => "Works offline: the page and its model are kept in this browser.",
        // The host sends no headers for that; the service worker does, to what is loaded through it.
        Kept::Yes => {
            "Works offline: the page and its model are kept in this browser. From the next visit on it may also compute on \
             several threads."
        }
    };
    view! {
        <h3>"Offline"</h3>
        <p class="note">{words}</p>
    }
}

/// Where service workers are registered, if they can be and this page shall have one: a copy in a single file has no manifest.
fn container() -> Option<ServiceWorkerContainer> {
    let protocol = window().location().protocol().ok()?;
    let manifest = document().query_selector("link[rel=manifest]").ok()?;
    if !protocol.starts_with("http") || manifest.is_none() {
        return None;
    }
    // Reading it throws in some frames, and it is missing where the connection is no secure one.
    let container = Reflect::get(&window().navigator(), &"serviceWorker".into()).ok()?;
    container.is_object().then(|| container.unchecked_into())
}

fn is_isolated() -> bool {
    Reflect::get(&window(), &"crossOriginIsolated".into()).is_ok_and(|is| is.is_truthy())
}

fn reload() {
    if let Err(error) = window().location().reload() {
        leptos::logging::warn!("the page can't be loaded anew: {error:?}");
    }
}

/// A handler that lives as long as the browser may call it.
fn handler(act: impl Fn() + 'static) -> Function {
    Closure::<dyn FnMut()>::new(act).into_js_value().unchecked_into()
}
