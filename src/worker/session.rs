//! What each command does.

use std::rc::Rc;

use web_sys::Blob;

use super::dispatch::Page;
use super::fetching::Fetching;
use super::host::{self, Lock};
use super::job::Job;
use super::lecture::Lecture;
use super::library::{self, Shelf};
use super::problem::Problem;
use super::studio::Studio;
use super::writing::Writing;
use crate::content::ContentType;
use crate::engine::Model;
use crate::feedback::PartialRatings;
use crate::protocol::{Command, Event, ModelSource, PostId, Request, RequestId};
use crate::settings::Precision;

/// Whoever holds this lock may write the database.
const WRITER: &str = "fledge-writer";
/// A worker that has just been killed holds its lock a little longer: so often, and so many milliseconds apart, it is
/// tried again.
const WRITER_RETRIES: (usize, i32) = (5, 400);

/// The worker's state: at most one open model, at most one thing that goes on.
pub struct Session {
    page: Page,
    studio: Option<Studio>,
    /// The same model's other types of text, as far as they were chosen before.
    others: Vec<Studio>,
    job: Option<Job>,
    /// A model on its way from a hub.
    fetching: Option<Fetching>,
    /// A comparison that gave way to a post. It goes on when that is written.
    postponed: Option<Job>,
    /// This worker may write the database.
    writer: bool,
}

impl Session {
    /// A session without a model.
    pub const fn new(page: Page) -> Self {
        Self {
            page,
            studio: None,
            others: Vec::new(),
            job: None,
            fetching: None,
            postponed: None,
            writer: false,
        }
    }

    /// Whether [`Session::step`] has something to do.
    pub const fn is_busy(&self) -> bool {
        self.job.is_some() || self.fetching.is_some()
    }

    /// Does a little of what goes on.
    pub async fn step(&mut self) {
        self.look_at_download().await;
        if let (Some(job), Some(studio)) = (self.job.take(), &mut self.studio) {
            let request = job.request();
            match job.step(studio, &self.page).await {
                Ok(left) => self.job = left,
                Err(problem) => self.fail(request, &problem),
            }
            self.go_on();
        }
    }

    /// Carries out a command, or begins to. `files` are those that travelled beside it.
    pub async fn handle(&mut self, Request { id, command }: Request, files: Vec<(String, Blob)>) {
        let result = match command {
            Command::Open {
                source,
                content,
                precision,
            } => self.open(id, (source, files), content, precision).await,
            Command::Discard { id: model } => self.discard(id, &model).await,
            Command::Choose { content } => self.choose(id, content).await,
            Command::Write { prompt, sampling } => {
                self.postpone();
                self.begin(|studio, page| Writing::begin(id, prompt, sampling, studio, page))
            }
            Command::Teach {
                post,
                ratings,
                weights,
                teaching,
            } => {
                self.postponed = None;
                self.begin(|studio, _| Lecture::begin(id, post, ratings, &weights, teaching, studio))
            }
            Command::Stop => self.stop().await,
            Command::Rate { post, ratings } => self.rate(id, post, ratings).await,
            Command::Undo => self.undo(id).await,
            Command::Forget => self.forget(id).await,
        };
        if let Err(problem) = result {
            self.fail(id, &problem);
            self.go_on();
        }
    }

    /// Says what went wrong.
    pub fn fail(&self, request: impl Into<Option<RequestId>>, problem: &Problem) {
        self.page.tell(
            request,
            Event::Failed {
                problem: problem.to_string(),
                fatal: self.studio.is_none(),
            },
        );
    }

    /// A model that is open already stays in force until the new one is whole.
    async fn open(
        &mut self,
        request: RequestId,
        (source, files): (ModelSource, Vec<(String, Blob)>),
        content: ContentType,
        precision: Option<Precision>,
    ) -> Result<(), Problem> {
        self.make_room()?;
        let page = self.page.clone();
        let progress = move |received, total| page.tell(request, Event::Loading { received, total });
        if let ModelSource::Hub(hub) = source {
            self.fetching = Some(Fetching::begin(request, hub, content, precision, &self.page));
            return Ok(());
        }
        let model = match &source {
            ModelSource::Folder { url } => library::fetch(url, progress).await,
            ModelSource::Kept { id } => library::kept(id, progress).await,
            ModelSource::Files => library::open(&files, progress).await,
            ModelSource::Hub(_) => return Ok(()),
        };
        let model = model
            .and_then(|files| Ok(Model::load(files, precision)?))
            .map_err(Problem::Open)?;
        let kept = match source {
            ModelSource::Files => self.keep(request, &model, files).await,
            ModelSource::Kept { id } => {
                let identify = async { Shelf::open().await?.identify(&id, model.id()).await };
                identify.await.map_err(Problem::KeepModel)
            }
            ModelSource::Folder { .. } | ModelSource::Hub(_) => Ok(()),
        };
        let writer = self.become_writer().await;
        let (studio, lost) = Studio::open(Rc::new(model), content, writer).await;
        self.page.tell(
            request,
            Event::Opened {
                model: studio.info(),
                memory: studio.memory(),
                keeping: studio.keeping.clone(),
            },
        );
        self.studio = Some(studio);
        self.others.clear();
        self.postponed = None;
        self.tell_kept(request).await;
        kept.and(lost.map_or(Ok(()), Err))
    }

    /// Opens what has been downloaded, once it is there.
    async fn look_at_download(&mut self) {
        let Some(fetching) = &self.fetching else { return };
        let Some(done) = fetching.wait(&self.page).await else {
            return;
        };
        let (request, content, precision) = (fetching.request, fetching.content, fetching.precision);
        self.fetching = None;
        let opened = match done {
            Ok(id) => {
                self.open(request, (ModelSource::Kept { id }, Vec::new()), content, precision)
                    .await
            }
            Err(error) => Err(Problem::Open(error.into())),
        };
        if let Err(problem) = opened {
            self.fail(request, &problem);
        }
    }

    /// Copies a model's files to this device.
    async fn keep(&self, request: RequestId, model: &Model, files: Vec<(String, Blob)>) -> Result<(), Problem> {
        let copy = async {
            let mut copying = Shelf::open().await?.keep(model.id(), &model.card().name, files).await?;
            while copying.step().await? {
                let (copied, total) = copying.progress();
                self.page.tell(request, Event::Keeping { copied, total });
            }
            copying.finish().await
        };
        copy.await.map_err(Problem::KeepModel)
    }

    /// Deletes a kept model's files. If it is open, it stays open.
    async fn discard(&self, request: RequestId, id: &str) -> Result<(), Problem> {
        let discard = async { Shelf::open().await?.discard(id).await };
        let discarded = discard.await.map_err(Problem::Discard);
        self.tell_kept(request).await;
        discarded
    }

    /// Says which models are kept. Where there is no place for any, there are none.
    async fn tell_kept(&self, request: RequestId) {
        let list = async { Shelf::open().await?.list().await };
        let models = list.await.unwrap_or_default();
        self.page.tell(request, Event::Kept { models });
    }

    /// Every type of text has a studio of its own. One that was left stays as it is, for the next time.
    async fn choose(&mut self, request: RequestId, content: ContentType) -> Result<(), Problem> {
        self.make_room()?;
        let before = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        let mut lost = None;
        if before.content != content {
            let (studio, problem) = self.other(Rc::clone(&before.model), content).await;
            self.others.extend(self.studio.replace(studio));
            self.postponed = None;
            lost = problem;
        }
        if let Some(studio) = &self.studio {
            let (memory, keeping) = (studio.memory(), studio.keeping.clone());
            self.page.tell(
                request,
                Event::Chosen {
                    content,
                    memory,
                    keeping,
                },
            );
        }
        lost.map_or(Ok(()), Err)
    }

    /// The studio of another type: the one that was left, or one with what was kept. Also says what was lost of that.
    async fn other(&mut self, model: Rc<Model>, content: ContentType) -> (Studio, Option<Problem>) {
        if let Some(at) = self.others.iter().position(|other| other.content == content) {
            return (self.others.swap_remove(at), None);
        }
        let writer = self.become_writer().await;
        Studio::open(model, content, writer).await
    }

    /// The right to write the database, or why there is none.
    async fn become_writer(&mut self) -> Result<(), String> {
        let (retries, pause) = WRITER_RETRIES;
        for attempt in 0..=retries {
            if attempt > 0 {
                host::sleep(pause).await;
            }
            // Where there are no locks there is no way to know; no transaction is ever half written even so.
            self.writer = self.writer || host::lock(WRITER, false).await != Lock::Taken;
            if self.writer {
                return Ok(());
            }
        }
        Err("Fledge is open in another tab, and only one tab can keep what it learns".into())
    }

    fn begin(&mut self, job: impl FnOnce(&Studio, &Page) -> Result<Job, Problem>) -> Result<(), Problem> {
        self.make_room()?;
        let studio = self.studio.as_ref().ok_or(Problem::NothingOpen)?;
        self.job = Some(job(studio, &self.page)?);
        Ok(())
    }

    /// What nobody waits for gives way; what somebody waits for does not.
    fn make_room(&mut self) -> Result<(), Problem> {
        if self.fetching.is_some() || matches!(self.job, Some(Job::Write(_) | Job::Teach(_))) {
            return Err(Problem::Busy);
        }
        self.job = None;
        Ok(())
    }

    /// A post changes nothing that was learned, so a comparison can go on after it.
    fn postpone(&mut self) {
        if let Some(comparison) = self.job.take_if(|job| matches!(job, Job::Compare(_))) {
            self.postponed = Some(comparison);
        }
    }

    /// Takes up what was postponed, if nothing else goes on.
    fn go_on(&mut self) {
        if self.job.is_none() {
            self.job = self.postponed.take();
        }
    }

    /// Answers the request that is stopped. If there is nothing to stop, it has just been answered.
    async fn stop(&mut self) -> Result<(), Problem> {
        if let Some(fetching) = &self.fetching {
            fetching.stop();
        }
        if let (Some(job), Some(studio)) = (self.job.take(), &mut self.studio) {
            job.stop(studio, &self.page).await?;
        }
        self.go_on();
        Ok(())
    }

    /// Ratings are kept at any time, also while a post is written.
    async fn rate(&mut self, request: RequestId, post: PostId, ratings: PartialRatings) -> Result<(), Problem> {
        self.studio
            .as_mut()
            .ok_or(Problem::NothingOpen)?
            .rate(post, ratings)
            .await?;
        self.page.tell(request, Event::Rated { post, ratings });
        Ok(())
    }

    async fn undo(&mut self, request: RequestId) -> Result<(), Problem> {
        self.make_room()?;
        self.postponed = None;
        let post = self.studio.as_mut().ok_or(Problem::NothingOpen)?.undo().await?;
        self.page.tell(request, Event::Undone { post });
        Ok(())
    }

    async fn forget(&mut self, request: RequestId) -> Result<(), Problem> {
        self.make_room()?;
        self.postponed = None;
        let studio = self.studio.as_mut().ok_or(Problem::NothingOpen)?;
        studio.forget().await?;
        let (model, here) = (Rc::clone(&studio.model), studio.content);
        for content in ContentType::ALL.into_iter().filter(|content| *content != here) {
            let (mut other, _) = self.other(Rc::clone(&model), content).await;
            let forgotten = other.forget().await;
            self.others.push(other);
            forgotten?;
        }
        self.page.tell(request, Event::Forgotten);
        Ok(())
    }
}
