//! The worker's door: the page's messages go in one by one, events come out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, DedicatedWorkerGlobalScope, MessageEvent};

use super::host::{self, Lock, Turn};
use super::library::{self, Either, race};
use super::problem::Problem;
use super::session::Session;
use super::threads;
use crate::protocol::{Event, Reply, Request, RequestId};

/// So long, in milliseconds, a job may go on before the event loop gets a turn.
const SLICE: f64 = 25.0;

/// Starts the worker. It ends with its page, or when the page terminates it.
pub fn run() {
    host::die_of_errors();
    let inbox = Inbox::listen();
    spawn_local(serve(inbox));
}

async fn serve(inbox: Inbox) {
    let page = Page { scope: host::scope() };
    // The page waits for this lock: it is free again when the worker is dead, however it died.
    let name = page.scope.name();
    if !name.is_empty()
        && let Lock::Held(guard) = host::lock(&name, true).await
    {
        guard.keep_for_ever();
    }
    threads::start(threads::useful());
    page.tell(None, Event::Ready);
    let mut session = Session::new(page);
    let turn = Turn::new();
    loop {
        match inbox.take() {
            Some(Message {
                request: Ok(request),
                files,
            }) => session.handle(request, files).await,
            Some(Message {
                request: Err(problem), ..
            }) => session.fail(None, &problem),
            None if session.is_busy() => {
                let until = host::now() + SLICE;
                while session.is_busy() && host::now() < until {
                    session.step().await;
                }
                turn.pass().await;
            }
            None => match race(inbox.filled(), session.arrival()).await {
                Either::First(()) => {}
                Either::Second(arrival) => session.take_up(arrival).await,
            },
        }
    }
}

/// The page, as the worker sees it.
#[derive(Clone)]
pub struct Page {
    scope: DedicatedWorkerGlobalScope,
}

impl Page {
    /// Sends an event in answer to a request.
    pub fn tell(&self, request: impl Into<Option<RequestId>>, event: Event) {
        let reply = Reply {
            request: request.into(),
            event,
        };
        let sent = serde_wasm_bindgen::to_value(&reply)
            .map_err(JsValue::from)
            .and_then(|message| self.scope.post_message(&message));
        complain_of(sent);
    }

    /// Sends an event with files beside it, in the message's property `files`. Their bytes are handed over, not copied again.
    pub fn tell_with_files(&self, request: RequestId, event: Event, files: &[Vec<u8>]) {
        let reply = Reply {
            request: Some(request),
            event,
        };
        let send = || {
            let message = serde_wasm_bindgen::to_value(&reply)?;
            let files: Vec<Uint8Array> = files.iter().map(|file| Uint8Array::from(file.as_slice())).collect();
            Reflect::set(&message, &"files".into(), &files.iter().collect::<Array>())?;
            let buffers: Array = files.iter().map(Uint8Array::buffer).collect();
            self.scope.post_message_with_transfer(&message, &buffers)
        };
        complain_of(send());
    }
}

fn complain_of(sent: Result<(), JsValue>) {
    if let Err(error) = sent {
        web_sys::console::error_2(&"An event was lost:".into(), &error);
    }
}

/// What the page has sent.
struct Message {
    request: Result<Request, Problem>,
    /// What travelled beside it: browser objects are no plain data.
    files: Vec<(String, Blob)>,
}

/// Messages that have arrived and are not handled yet.
#[derive(Clone, Default)]
struct Inbox(Rc<RefCell<Waiting>>);

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    waker: Option<Waker>,
}

impl Inbox {
    /// Takes all messages from now on.
    fn listen() -> Self {
        let inbox = Self::default();
        let filling = inbox.clone();
        let receive = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            let message = message.data();
            let files = library::beside(&message);
            let request = serde_wasm_bindgen::from_value(message);
            let request = request.map_err(|error| Problem::Misunderstood(error.to_string()));
            let mut waiting = filling.0.borrow_mut();
            waiting.messages.push_back(Message { request, files });
            if let Some(waker) = waiting.waker.take() {
                waker.wake();
            }
        });
        host::scope().set_onmessage(Some(receive.as_ref().unchecked_ref()));
        receive.forget();
        inbox
    }

    fn take(&self) -> Option<Message> {
        self.0.borrow_mut().messages.pop_front()
    }

    /// Resolves when there is a message.
    async fn filled(&self) {
        poll_fn(|context| {
            let mut waiting = self.0.borrow_mut();
            if waiting.messages.is_empty() {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}
