//! What each command does; those of Export, Import and links are in `travel`.

mod travel;

use std::rc::Rc;

use web_sys::Blob;

use super::dispatch::Page;
use super::host::{self, Lock};
use super::job::Job;
use super::lecture::Lecture;
use super::library::Shelf;
use super::linking::Linking;
use super::looking::Looking;
use super::measuring::Measuring;
use super::opening::{Arrival, Opening, Order};
use super::pairing::Pairing;
use super::problem::Problem;
use super::rounds::Rounds;
use super::studio::Studio;
use super::writing::{self, WarmUp, Writing};
use crate::content::ContentType;
use crate::engine::Model;
use crate::exchange::Taste;
use crate::feedback::PartialRatings;
use crate::protocol::{Command, Event, PostId, Request, RequestId, Verdict};
use crate::timeline::NodeId;

/// Whoever holds this lock may write the database.
const WRITER: &str = "fledge-writer";
/// A worker that has just been killed holds its lock a little longer: so often, and so many milliseconds apart, it is
/// tried again.
const WRITER_RETRIES: (usize, i32) = (5, 400);

/// A lesson's name is no longer.
const MOST_LETTERS: usize = 60;

/// The worker's state: at most one open model, at most one thing that goes on.
pub struct Session {
    page: Page,
    studio: Option<Studio>,
    /// The same model's other types of text, as far as they were chosen before.
    others: Vec<Studio>,
    job: Option<Job>,
    /// A model on its way.
    opening: Option<Opening>,
    /// What gave way to a post: a comparison, or the guard rails. It goes on when that is written.
    postponed: Option<Job>,
    /// The request since which the automatic rater has something to look at.
    unseen: Option<RequestId>,
    /// A taste that was inspected, in a file or a link, and may be taken in, for the studio that is open.
    parcel: Option<Taste>,
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
            opening: None,
            postponed: None,
            unseen: None,
            parcel: None,
            writer: false,
        }
    }

    /// Whether [`Session::step`] has something to do.
    pub const fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// Does a little of what goes on.
    pub async fn step(&mut self) {
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
            } => self.open(Order {
                request: id,
                source,
                files,
                content,
                precision,
            }),
            Command::Discard { id: model } => self.discard(id, &model).await,
            Command::Choose { content } => self.choose(id, content).await,
            Command::Write {
                prompt,
                sampling,
                candidates,
                strength,
            } => {
                self.postpone();
                let order = writing::Order {
                    prompt,
                    sampling,
                    candidates,
                    strength,
                };
                self.begin(|studio, page| Writing::begin(id, order, studio, page))
            }
            Command::Teach {
                material,
                weights,
                teaching,
            } => {
                self.postponed = None;
                self.begin(|studio, _| Lecture::begin(id, &material, weights, teaching, studio))
            }
            Command::TeachItself {
                rounds,
                weights,
                teaching,
            } => {
                self.postponed = None;
                self.begin(|studio, page| Rounds::begin(id, rounds, weights, teaching, studio, page))
            }
            Command::Measure { weights } => {
                self.postpone();
                self.begin(|studio, _| Measuring::begin(id, weights, studio))
            }
            Command::Stop => self.stop().await,
            Command::Rate { post, ratings } => self.rate(id, post, ratings).await,
            Command::Pair { seed } => {
                self.postpone();
                self.begin(|studio, _| Pairing::begin(id, seed, studio))
            }
            Command::Judge { node, verdict } => self.judge(id, node, verdict).await,
            Command::Go { to } => self.go(id, to).await,
            Command::Name { node, name } => self.name(id, node, name).await,
            Command::Delete { node } => self.delete(id, node).await,
            Command::Forget => self.forget(id).await,
            Command::Export { ratings, weights } => self.export(id, ratings, weights),
            Command::Share { ratings, weights } => self.share(id, ratings, weights).await,
            Command::Link => {
                self.postpone();
                self.begin(|studio, _| Linking::begin(id, studio))
            }
            Command::InspectLink { fragment } => self.inspect_link(id, &fragment),
            Command::Inspect => self.inspect(id, &files).await,
            Command::Import => self.import(id).await,
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
    fn open(&mut self, order: Order) -> Result<(), Problem> {
        self.make_room()?;
        self.opening = Some(Opening::begin(order, &self.page));
        Ok(())
    }

    /// Resolves when the model that is on its way has arrived; never, if none is.
    pub async fn arrival(&mut self) -> Arrival {
        if let Some(opening) = &mut self.opening
            && let Some(arrival) = opening.arrival().await
        {
            return arrival;
        }
        std::future::pending().await
    }

    /// Puts a model that has arrived in the place of the one before.
    pub async fn take_up(&mut self, arrival: Arrival) {
        self.opening = None;
        let request = arrival.request;
        let outcome = match arrival.model {
            Ok((model, kept)) => {
                let writer = self.become_writer().await;
                let (studio, lost) = Studio::open(Rc::new(model), arrival.content, writer).await;
                self.page.tell(
                    request,
                    Event::Opened {
                        model: studio.info(),
                        memory: studio.memory(),
                        keeping: studio.keeping.clone(),
                    },
                );
                let is_cold = self.studio.is_none();
                self.job = is_cold.then(|| WarmUp::begin(request, &studio)).flatten();
                self.postponed = None;
                self.unseen = Some(request);
                self.parcel = None;
                self.studio = Some(studio);
                self.others.clear();
                kept.and(lost.map_or(Ok(()), Err))
            }
            Err(problem) => Err(problem),
        };
        if let Err(problem) = outcome {
            self.fail(request, &problem);
        }
        self.tell_kept(request).await;
    }

    /// Deletes a kept model's files. If it is open, it stays open.
    async fn discard(&self, request: RequestId, id: &str) -> Result<(), Problem> {
        if self.opening.is_some() {
            return Err(Problem::Busy);
        }
        let discard = async { Shelf::open().await?.discard(id).await };
        if let Err(error) = discard.await {
            self.fail(request, &Problem::Discard(error));
        }
        self.tell_kept(request).await;
        Ok(())
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
            self.parcel = None;
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
        self.unseen = Some(request);
        self.go_on();
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
            self.writer = self.writer
                || match host::lock(WRITER, false).await {
                    Lock::Held(guard) => {
                        guard.keep_for_ever();
                        true
                    }
                    Lock::Taken => false,
                    Lock::Missing => true,
                };
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
        let is_awaited = |job: &Job| match job {
            Job::Write(_) | Job::Teach(_) | Job::Rounds(_) | Job::Pair(_) | Job::Measure(_) | Job::Link(_) => true,
            Job::Compare(_) | Job::Watch(_) | Job::Look(_) | Job::WarmUp(_) => false,
        };
        if self.opening.is_some() || self.job.as_ref().is_some_and(is_awaited) {
            return Err(Problem::Busy);
        }
        if let Some(Job::Look(looking)) = self.job.take() {
            self.unseen = Some(looking.request);
        }
        Ok(())
    }

    /// A post changes nothing that was learned, so what nobody waits for can go on after it.
    fn postpone(&mut self) {
        if let Some(comparison) = self.job.take_if(|job| matches!(job, Job::Compare(_) | Job::Watch(_))) {
            self.postponed = Some(comparison);
        }
    }

    /// Takes up what was postponed, if nothing else goes on.
    fn go_on(&mut self) {
        if self.job.is_none() {
            self.job = self.postponed.take();
        }
        if let (None, Some(studio)) = (&self.job, &self.studio) {
            self.job = self.unseen.take().map(|request| Looking::begin(request, studio));
        }
    }

    /// Answers the request that is stopped. If there is nothing to stop, it has just been answered.
    async fn stop(&mut self) -> Result<(), Problem> {
        if let Some(opening) = &self.opening {
            opening.stop();
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
        self.unseen = ratings.complete().map(|_| request).or(self.unseen);
        self.go_on();
        Ok(())
    }

    async fn go(&mut self, request: RequestId, to: NodeId) -> Result<(), Problem> {
        self.make_room()?;
        self.postponed = None;
        self.studio.as_mut().ok_or(Problem::NothingOpen)?.go(to).await?;
        self.page.tell(request, Event::Went { to });
        Ok(())
    }

    async fn name(&mut self, request: RequestId, node: NodeId, name: String) -> Result<(), Problem> {
        let name: String = name.trim().chars().take(MOST_LETTERS).collect();
        let studio = self.studio.as_mut().ok_or(Problem::NothingOpen)?;
        studio.note(node, |node| node.name.clone_from(&name)).await?;
        self.page.tell(request, Event::Named { node, name });
        Ok(())
    }

    async fn judge(&mut self, request: RequestId, node: NodeId, verdict: Verdict) -> Result<(), Problem> {
        let studio = self.studio.as_mut().ok_or(Problem::NothingOpen)?;
        let before = studio
            .timeline()
            .node(node)
            .ok_or(Problem::NoSuchLesson(node))?
            .lesson
            .tally;
        let tally = before.with(verdict);
        studio.note(node, |node| node.lesson.tally = tally).await?;
        self.page.tell(request, Event::Judged { node, tally });
        Ok(())
    }

    async fn delete(&mut self, request: RequestId, node: NodeId) -> Result<(), Problem> {
        self.make_room()?;
        self.postponed = None;
        self.studio.as_mut().ok_or(Problem::NothingOpen)?.delete(node).await?;
        self.page.tell(request, Event::Deleted { node });
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
