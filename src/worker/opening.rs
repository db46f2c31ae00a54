//! A model on its way into memory, from wherever it comes, while messages are still heard: Stop, above all.

use futures_channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use super::dispatch::Page;
use super::host::Turn;
use super::library::hub::{self, Progress};
use super::library::{self, Shelf, ShelfError, Stop};
use super::problem::Problem;
use crate::content::ContentType;
use crate::engine::{Loading, Model, ModelFiles};
use crate::protocol::{Event, ModelSource, RequestId};
use crate::settings::Precision;

/// What is asked for.
pub struct Order {
    /// The request that it answers.
    pub request: RequestId,
    /// Where the model comes from.
    pub source: ModelSource,
    /// The files that travelled beside the request.
    pub files: Vec<(String, Blob)>,
    /// What will be written with the model.
    pub content: ContentType,
    /// How it shall lie in memory.
    pub precision: Precision,
}

/// A model that is there, and what came of it.
pub struct Arrival {
    /// The request that it answers.
    pub request: RequestId,
    /// What will be written with it.
    pub content: ContentType,
    /// The model; where it should be kept on this device, also whether it is.
    pub model: Result<(Model, Result<(), Problem>), Problem>,
}

/// A model on its way.
pub struct Opening {
    stop: Stop,
    arrival: oneshot::Receiver<Arrival>,
}

impl Opening {
    /// Begins.
    pub fn begin(order: Order, page: &Page) -> Self {
        let (send, arrival) = oneshot::channel();
        let stop = Stop::default();
        let task = Task {
            request: order.request,
            precision: order.precision,
            stop: stop.clone(),
            page: page.clone(),
        };
        spawn_local(async move {
            let arrival = Arrival {
                request: order.request,
                content: order.content,
                model: task.open(order.source, order.files).await,
            };
            // Nobody listens any more only if the worker ends.
            drop(send.send(arrival));
        });
        Self { stop, arrival }
    }

    /// Ends it, as soon as it can be ended.
    pub fn stop(&self) {
        self.stop.ask();
    }

    /// Resolves when the model is there, or when it is certain that it won't be.
    pub async fn arrival(&mut self) -> Option<Arrival> {
        (&mut self.arrival).await.ok()
    }
}

/// What goes on beside the messages.
struct Task {
    request: RequestId,
    precision: Precision,
    stop: Stop,
    page: Page,
}

impl Task {
    async fn open(
        &self,
        source: ModelSource,
        files: Vec<(String, Blob)>,
    ) -> Result<(Model, Result<(), Problem>), Problem> {
        match source {
            ModelSource::Folder { url } => {
                let found = library::fetch(&url, self.progress()).await;
                Ok((self.load(found).await?, Ok(())))
            }
            ModelSource::Files => {
                let model = self.load(library::open(&files, self.progress()).await).await?;
                let kept = self.keep(&model, files).await;
                Ok((model, kept))
            }
            ModelSource::Kept { id } => self.open_kept(&id).await,
            ModelSource::Hub(hub) => {
                let arrived = self.progress();
                let tell = |progress| match progress {
                    Progress::Bytes(received, total) => arrived(received, Some(total)),
                    Progress::Waiting(seconds) => self.page.tell(self.request, Event::Retrying { seconds }),
                };
                let id = hub::download(&hub, &self.stop, &tell).await;
                self.open_kept(&id.map_err(|error| Problem::Open(error.into()))?).await
            }
        }
    }

    async fn open_kept(&self, id: &str) -> Result<(Model, Result<(), Problem>), Problem> {
        let model = self.load(library::kept(id, self.progress()).await).await?;
        let identified = async { Shelf::open().await?.identify(id, model.id()).await };
        let identified = identified.await.map_err(Problem::KeepModel);
        Ok((model, identified))
    }

    /// Reads a model block by block; between two blocks messages are heard.
    async fn load(&self, files: Result<ModelFiles, library::Error>) -> Result<Model, Problem> {
        let open = |error: crate::engine::Error| Problem::Open(error.into());
        let turn = Turn::new();
        turn.pass().await;
        let mut loading = Loading::begin(files.map_err(Problem::Open)?, self.precision).map_err(open)?;
        loop {
            turn.pass().await;
            if self.stop.is_asked() {
                return Err(Problem::OpeningStopped);
            }
            if !loading.step().map_err(open)? {
                return Ok(loading.finish());
            }
        }
    }

    /// Copies a model's files to this device.
    async fn keep(&self, model: &Model, files: Vec<(String, Blob)>) -> Result<(), Problem> {
        let copy = async {
            let mut copying = Shelf::open().await?.keep(model.id(), &model.card().name, files).await?;
            while copying.step().await? {
                if self.stop.is_asked() {
                    return Err(ShelfError::Stopped);
                }
                let (copied, total) = copying.progress();
                self.page.tell(self.request, Event::Keeping { copied, total });
            }
            copying.finish().await
        };
        copy.await.map_err(Problem::KeepModel)
    }

    fn progress(&self) -> impl Fn(u64, Option<u64>) + use<> {
        let (page, request) = (self.page.clone(), self.request);
        move |received, total| page.tell(request, Event::Loading { received, total })
    }
}
