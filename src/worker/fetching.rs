//! A model on its way from a hub, while messages are still heard: Stop, above all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::dispatch::Page;
use super::host;
use super::library::Stop;
use super::library::hub::{self, Progress};
use crate::content::ContentType;
use crate::protocol::{Event, Hub, RequestId};
use crate::settings::Precision;

/// How long to wait before looking again, in milliseconds.
const PAUSE: i32 = 50;

/// A download, and what is to happen when it is done.
pub struct Fetching {
    /// What it answers.
    pub request: RequestId,
    /// What will be written with the model.
    pub content: ContentType,
    /// How it shall lie in memory.
    pub precision: Option<Precision>,
    stop: Stop,
    /// Bytes that are here and bytes in all, if that has changed since it was told.
    news: Rc<Cell<Option<(u64, u64)>>>,
    done: Rc<RefCell<Option<Result<String, hub::Error>>>>,
}

impl Fetching {
    /// Begins.
    pub fn begin(
        request: RequestId,
        hub: Hub,
        content: ContentType,
        precision: Option<Precision>,
        page: &Page,
    ) -> Self {
        let (stop, news, done) = (Stop::default(), Rc::default(), Rc::default());
        let fetching = Self {
            request,
            content,
            precision,
            stop: stop.clone(),
            news: Rc::clone(&news),
            done: Rc::clone(&done),
        };
        let page = page.clone();
        spawn_local(async move {
            let tell = |progress| match progress {
                Progress::Bytes(received, total) => news.set(Some((received, total))),
                Progress::Waiting(seconds) => page.tell(request, Event::Retrying { seconds }),
            };
            let result = hub::download(&hub, &stop, &tell).await;
            *done.borrow_mut() = Some(result);
        });
        fetching
    }

    /// Ends it; what has arrived is kept.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// The key of the model on the shelf, once it is there. Until then it waits a moment, and tells how far it is.
    pub async fn wait(&self, page: &Page) -> Option<Result<String, hub::Error>> {
        if let Some((received, total)) = self.news.take() {
            let total = Some(total);
            page.tell(self.request, Event::Loading { received, total });
        }
        let done = self.done.borrow_mut().take();
        if done.is_none() {
            host::sleep(PAUSE).await;
        }
        done
    }
}
