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
/// How often progress is told, in milliseconds.
const INTERVAL: f64 = 100.0;

/// A download, and what is to happen when it is done.
pub struct Fetching {
    /// What it answers.
    pub request: RequestId,
    /// What will be written with the model.
    pub content: ContentType,
    /// How it shall lie in memory.
    pub precision: Option<Precision>,
    stop: Stop,
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
        let (stop, done) = (Stop::default(), Rc::default());
        let fetching = Self {
            request,
            content,
            precision,
            stop: stop.clone(),
            done: Rc::clone(&done),
        };
        let page = page.clone();
        spawn_local(async move {
            let told_at = Cell::new(f64::NEG_INFINITY);
            let tell = |progress| {
                let now = host::now();
                if matches!(progress, Progress::Bytes(..)) && now - told_at.get() < INTERVAL {
                    return;
                }
                told_at.set(now);
                let event = match progress {
                    Progress::Bytes(received, total) => Event::Loading {
                        received,
                        total: Some(total),
                    },
                    Progress::Waiting(seconds) => Event::Retrying { seconds },
                };
                page.tell(request, event);
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

    /// The key of the model on the shelf, once it is there.
    pub async fn wait(&self) -> Option<Result<String, hub::Error>> {
        let done = self.done.borrow_mut().take();
        if done.is_none() {
            host::sleep(PAUSE).await;
        }
        done
    }
}
