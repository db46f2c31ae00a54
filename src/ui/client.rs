//! The other end of the worker: starts it, talks to it in [`Request`]s and [`Reply`]s, and notices when it dies.
//!
//! A worker is told its name. It holds a Web Lock of that name from before it says `Ready` for as long as it lives, so
//! the page, which asks for the same lock, gets it in the moment when the worker is gone, whatever killed it.

use js_sys::{Array, Function, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, ErrorEvent, MessageEvent, Worker, WorkerOptions};

use crate::protocol::{Command, Event, ModelSource, Reply, Request, RequestId};
use crate::settings::{Build, Precision};
use crate::ui::{builds, download, share};
use crate::view::ViewState;

/// The embedded model's folder; beside the page.
const MODEL: &str = "model/";

/// The classic worker that loads a build; beside the page. If it will open the embedded model, it fetches that meanwhile.
fn script(build: Build, source: Option<&ModelSource>) -> String {
    let build = match build {
        Build::Baseline => "baseline",
        Build::Fast => "fast",
    };
    let model = match source {
        None => format!("&model={MODEL}"),
        Some(_) => String::new(),
    };
    format!("worker_loader.js?build={build}{model}")
}

/// Sends commands and folds the replies into the state.
#[derive(Clone, Copy)]
pub struct Client {
    state: RwSignal<ViewState>,
    link: StoredValue<Link, LocalStorage>,
}

/// The worker that is in service.
struct Link {
    worker: Option<Worker>,
    /// What the browser calls; kept until the next worker replaces this one.
    handlers: Vec<Closure<dyn FnMut(JsValue)>>,
    /// Counts workers, so that what an old one still says is not heard.
    generation: u32,
    ready: bool,
    /// Sent before the worker listened.
    waiting: Vec<Request>,
    last_id: RequestId,
    /// What a new worker opens; the embedded model if nothing is said.
    source: Option<ModelSource>,
    /// How that shall lie in memory.
    precision: Precision,
    /// Which program it runs.
    build: Build,
}

/// What the person prefers of all that a new worker does.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// The kept model to open; the embedded one if nothing is said.
    pub kept: Option<String>,
    /// How it shall lie in memory.
    pub precision: Precision,
    /// Which program shall run.
    pub build: Option<Build>,
}

impl Client {
    /// Starts a worker and opens the model that was open last, or else the embedded one.
    pub fn start(state: RwSignal<ViewState>, wishes: Wishes) -> Self {
        let client = Self {
            state,
            link: StoredValue::new_local(Link {
                worker: None,
                handlers: Vec::new(),
                generation: 0,
                ready: false,
                waiting: Vec::new(),
                last_id: 0,
                source: wishes.kept.map(|id| ModelSource::Kept { id }),
                precision: wishes.precision,
                build: builds::choose(wishes.build),
            }),
        };
        client.spawn();
        client
    }

    /// Goes on with another program.
    pub fn change_build(self, wish: Option<Build>) {
        self.link.update_value(|link| link.build = builds::choose(wish));
        self.restart();
    }

    /// Starts over with a fresh worker.
    pub fn restart(self) {
        self.retire();
        self.spawn();
    }

    /// What a new worker opens from now on.
    pub fn remember(self, kept: Option<String>, precision: Precision) {
        self.link.update_value(|link| {
            link.source = kept.map(|id| ModelSource::Kept { id });
            link.precision = precision;
        });
    }

    /// Sends a command with files that the person picked.
    pub fn send_with_files(self, command: Command, files: &JsValue) {
        if let Some(request) = self.ask(command) {
            self.post(&request, Some(files));
        }
    }

    /// Sends a command, at once or when the worker listens.
    pub fn send(self, command: Command) {
        let Some(request) = self.ask(command) else { return };
        if self.link.with_value(|link| link.ready) {
            self.post(&request, None);
        } else {
            self.link.update_value(|link| link.waiting.push(request));
        }
    }

    /// Gives a command its number, and notes that it is asked.
    fn ask(self, command: Command) -> Option<Request> {
        let request = self.link.try_update_value(|link| {
            link.last_id += 1;
            Request {
                id: link.last_id,
                command,
            }
        })?;
        self.state.update(|state| state.asked(&request));
        Some(request)
    }

    /// Sends a request, with files beside it: they are no plain data.
    fn post(self, request: &Request, files: Option<&JsValue>) {
        let sent = serde_wasm_bindgen::to_value(request)
            .map_err(JsValue::from)
            .and_then(|message| {
                if let Some(files) = files {
                    Reflect::set(&message, &"files".into(), &Array::from(files))?;
                }
                self.link.with_value(|link| match &link.worker {
                    Some(worker) => worker.post_message(&message),
                    None => Err(JsValue::from_str("there is no worker")),
                })
            });
        if let Err(error) = sent {
            self.lost(self.generation(), &error);
        }
    }

    fn spawn(self) {
        let name = format!("fledge-{:x}", (js_sys::Math::random() * 2f64.powi(52)) as u64);
        let generation = self.generation() + 1;
        let options = WorkerOptions::new();
        options.set_name(&name);
        let script = self.link.with_value(|link| script(link.build, link.source.as_ref()));
        let script = builds::in_one_file().unwrap_or_else(|| address(&script));
        let worker = match Worker::new_with_options(&script, &options) {
            Ok(worker) => Some(worker),
            Err(error) => {
                leptos::logging::error!("the worker does not start: {error:?}");
                None
            }
        };

        let heard = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            self.heard(generation, &name, &event.unchecked_into::<MessageEvent>().data());
        });
        let failed = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
            let message = event
                .dyn_into::<ErrorEvent>()
                .map(|error| error.message())
                .unwrap_or_default();
            self.lost(generation, &JsValue::from_str(&message));
        });
        if let Some(worker) = &worker {
            worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
            worker.set_onmessageerror(Some(failed.as_ref().unchecked_ref()));
            worker.set_onerror(Some(failed.as_ref().unchecked_ref()));
        }
        let started = worker.is_some();
        self.link.update_value(|link| {
            link.worker = worker;
            link.handlers = vec![heard, failed];
            link.generation = generation;
            link.ready = false;
            link.waiting.clear();
        });
        if started {
            let content = self.state.with_untracked(|state| state.content);
            let (source, precision) = self.link.with_value(|link| (link.source.clone(), link.precision));
            let source = source.unwrap_or_else(embedded);
            self.send(Command::Open {
                source,
                content,
                precision,
            });
        } else {
            self.lost(generation, &JsValue::from_str("it could not be created"));
        }
    }

    fn heard(self, generation: u32, name: &str, message: &JsValue) {
        if generation != self.generation() {
            return;
        }
        let reply: Reply = match serde_wasm_bindgen::from_value(message.clone()) {
            Ok(reply) => reply,
            Err(error) => return leptos::logging::error!("the worker said something unknown: {error}"),
        };
        if matches!(reply.event, Event::Ready) {
            self.listen_for_death(generation, name);
            let waiting = self.link.try_update_value(|link| {
                link.ready = true;
                std::mem::take(&mut link.waiting)
            });
            for request in waiting.iter().flatten() {
                self.post(request, None);
            }
        }
        let exported = if let Event::Exported { name, .. } = &reply.event {
            Some(name.clone())
        } else {
            None
        };
        let shared = if let Event::Shared { name, contents } = &reply.event {
            Some((name.clone(), contents.clone()))
        } else {
            None
        };
        self.state.update(|state| state.answered(reply));
        let files = || {
            let files = Reflect::get(message, &"files".into()).unwrap_or_default();
            Array::from(&files)
                .into_iter()
                .map(JsCast::unchecked_into::<Uint8Array>)
        };
        if let Some(name) = exported {
            files().for_each(|file| hand_out(&name, &file));
        }
        if let Some((name, contents)) = shared {
            let tastes = contents.into_iter().zip(files()).collect();
            leptos::task::spawn_local(share::save(self.state, name, tastes));
        }
    }

    /// Asks for the lock that the worker holds. Where Web Locks are missing (Chromium on `file://`), errors alone must do.
    fn listen_for_death(self, generation: u32, name: &str) {
        let granted = Closure::once_into_js(move || {
            self.lost(generation, &JsValue::from_str("its lock is free"));
        });
        let asked = Reflect::get(&window().navigator(), &"locks".into()).and_then(|locks| {
            let request: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
            request.call2(&locks, &JsValue::from_str(name), &granted)
        });
        if asked.is_err() {
            leptos::logging::warn!("this browser has no Web Locks here; a worker that dies silently goes unnoticed");
        }
    }

    /// The worker of this generation is dead or as good as dead.
    fn lost(self, generation: u32, why: &JsValue) {
        if generation != self.generation() {
            return;
        }
        leptos::logging::warn!("the worker is lost: {why:?}");
        if self.link.with_value(|link| link.build == Build::Fast && !link.ready) {
            self.link.update_value(|link| link.build = Build::Baseline);
            self.retire();
            self.state.update(ViewState::fast_build_failed);
            return set_timeout(move || self.spawn(), std::time::Duration::from_millis(50));
        }
        self.retire();
        let again = self.state.try_update(|state| state.worker_lost(js_sys::Date::now()));
        if again == Some(true) {
            // Not here: a handler must not replace itself while it runs.
            set_timeout(move || self.spawn(), std::time::Duration::from_millis(50));
        }
    }

    /// Ends the worker in service, if there is one, and stops listening to it.
    fn retire(self) {
        self.link.update_value(|link| {
            link.generation += 1;
            link.ready = false;
            if let Some(worker) = link.worker.take() {
                worker.terminate();
            }
        });
    }

    fn generation(self) -> u32 {
        self.link.with_value(|link| link.generation)
    }
}

/// Saves a file that the worker has packed.
fn hand_out(name: &str, file: &Uint8Array) {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(file));
    if let Err(error) = blob.and_then(|blob| download::save(name, &blob)) {
        leptos::logging::error!("the file could not be saved: {error:?}");
    }
}

/// The model that comes with the page.
pub fn embedded() -> ModelSource {
    ModelSource::Folder { url: address(MODEL) }
}

/// An address beside the page, wherever the page lies.
fn address(relative: &str) -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    web_sys::Url::new_with_base(relative, &base).map_or_else(|_| relative.to_owned(), |url| url.href())
}
