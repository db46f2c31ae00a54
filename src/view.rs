//! What the screen knows, as plain data: [`ViewState::asked`] notes what the page asks for, [`ViewState::answered`]
//! folds the worker's replies into the state.
//!
//! The components only read this and send commands; whatever can be decided without a browser is decided here and
//! tested natively. [`curve`] turns posts into the reward curve, [`words`] into sentences.

pub mod curve;
#[cfg(test)]
mod tests;
pub mod words;

use crate::feedback::{Metric, PartialRatings, Ratings, Stars};
use crate::protocol::{Command, Event, Keeping, Lesson, ModelInfo, Post, PostId, Reply, Request, RequestId, Step};
use crate::settings::Lora;

/// What is going on. The page shows it as `data-fledge` on the root element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The worker starts or the model is on its way.
    #[default]
    Loading,
    /// Waiting for the person.
    Ready,
    /// A post is being written.
    Writing,
    /// A lesson is being taught.
    Teaching,
    /// There is no model to work with.
    Error,
}

impl Phase {
    /// The value of `data-fledge`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Writing => "writing",
            Self::Teaching => "teaching",
            Self::Error => "error",
        }
    }

    /// Whether something runs that `Stop` would stop.
    #[must_use]
    pub const fn is_busy(self) -> bool {
        matches!(self, Self::Writing | Self::Teaching)
    }
}

/// The step that comes next for the person: its button is the filled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// Write a post.
    Write,
    /// Rate the newest post.
    Rate,
    /// Teach from it.
    Teach,
    /// Nothing until what runs is done.
    Wait,
}

/// What a request was about, for the time until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Opening the model.
    Open,
    /// Writing a post.
    Write,
    /// Stopping.
    Stop,
    /// Keeping ratings.
    Rate,
    /// Teaching a lesson.
    Teach,
    /// Taking a lesson back.
    Undo,
    /// Forgetting everything.
    Forget,
}

/// Where on the page a problem is shown: next to where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Under the prompt.
    Desk,
    /// Beside the ratings.
    Lesson,
    /// In the settings.
    Settings,
}

impl Work {
    const fn of(command: &Command) -> Self {
        match command {
            Command::Open { .. } => Self::Open,
            Command::Write { .. } => Self::Write,
            Command::Stop => Self::Stop,
            Command::Rate { .. } => Self::Rate,
            Command::Teach { .. } => Self::Teach,
            Command::Undo => Self::Undo,
            Command::Forget => Self::Forget,
        }
    }

    const fn place(self) -> Place {
        match self {
            Self::Open | Self::Write | Self::Stop => Place::Desk,
            Self::Rate | Self::Teach | Self::Undo => Place::Lesson,
            Self::Forget => Place::Settings,
        }
    }
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is shown.
    pub place: Place,
    /// One sentence or two.
    pub text: String,
}

/// A post while it is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Its id; 0 until the worker has begun.
    pub post: PostId,
    /// What was typed.
    pub prompt: String,
    /// The text so far.
    pub text: String,
    /// The tokens so far.
    pub tokens: usize,
    /// The prompt did not fit.
    pub prompt_cut: bool,
}

/// All that the screen shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewState {
    /// What is going on.
    pub phase: Phase,
    /// Bytes of the model that have arrived, and how many there are.
    pub loading: Option<(u64, Option<u64>)>,
    /// The open model.
    pub model: Option<ModelInfo>,
    /// Whether anything is kept; `None` until a model is open.
    pub keeping: Option<Keeping>,
    /// All finished posts, oldest first.
    pub posts: Vec<Post>,
    /// The post that is being written.
    pub draft: Option<Draft>,
    /// The steps of the lesson that is being taught.
    pub steps: Vec<Step>,
    /// The post that is being taught from.
    pub teaching_post: Option<PostId>,
    /// The taught post that is being written again for comparison.
    pub comparing: Option<PostId>,
    /// Lessons in force.
    pub lessons: u32,
    /// How many of them can be taken back.
    pub undoable: u32,
    /// The adapter's shape, once there is one.
    pub lora: Option<Lora>,
    /// What went wrong last; cleared by the next thing that the person does.
    pub problem: Option<Problem>,
    /// What happened last, in a sentence, for the status region.
    pub status: String,
    /// What only a screen reader hears after the status: the new post, once it is whole.
    pub spoken: String,
    /// Requests that are not answered yet.
    pending: Vec<(RequestId, Work)>,
    /// When workers died since one last opened a model, in milliseconds.
    deaths: Vec<f64>,
}

/// A worker that dies this often …
const DEATHS: usize = 3;
/// … within this many milliseconds, without opening the model in between, is not started again.
const DEATHS_WITHIN: f64 = 60_000.0;

impl ViewState {
    /// Notes what the page asks for. To be called with every request that is sent.
    pub fn asked(&mut self, request: &Request) {
        let work = Work::of(&request.command);
        if work != Work::Stop {
            self.pending.push((request.id, work));
        }
        if !matches!(work, Work::Open | Work::Stop) {
            self.problem = None;
            self.spoken.clear();
        }
        match &request.command {
            Command::Open { .. } => {
                self.phase = Phase::Loading;
                self.loading = None;
                self.status = "Reading the model …".into();
            }
            Command::Write { prompt, .. } => {
                self.phase = Phase::Writing;
                self.comparing = None;
                self.draft = Some(Draft {
                    prompt: prompt.clone(),
                    ..Draft::default()
                });
                self.status = "Writing …".into();
            }
            Command::Stop => self.status = "Stopping …".into(),
            Command::Rate { post, ratings } => {
                if let Some(post) = self.post_mut(*post) {
                    post.ratings = *ratings;
                }
                self.status.clear();
            }
            Command::Teach { post, .. } => {
                self.phase = Phase::Teaching;
                self.steps.clear();
                self.teaching_post = Some(*post);
                self.status = "Teaching …".into();
            }
            Command::Undo => self.status = "Taking the last lesson back …".into(),
            Command::Forget => self.status = "Forgetting …".into(),
        }
    }

    /// Folds one reply of the worker into the state.
    pub fn answered(&mut self, reply: Reply) {
        let Reply { request, event } = reply;
        let work = request.and_then(|id| self.pending.iter().find(|(pending, _)| *pending == id));
        let work = work.map(|(_, work)| *work);
        if ends(&event) {
            self.pending.retain(|(pending, _)| Some(*pending) != request);
        }
        self.fold(event, work);
    }

    /// Folds one event of the worker, which answers `work`, into the state.
    fn fold(&mut self, event: Event, work: Option<Work>) {
        match event {
            Event::Ready => {}
            Event::Loading { received, total } => self.loading = Some((received, total)),
            Event::Opened { model, memory, keeping } => {
                self.status = words::opened(&model, memory.posts.len(), memory.lessons);
                self.model = Some(model);
                self.keeping = Some(keeping);
                self.posts = memory.posts;
                self.lessons = memory.lessons;
                self.undoable = memory.undoable;
                self.lora = memory.lora;
                self.loading = None;
                self.deaths.clear();
                self.phase = Phase::Ready;
            }
            Event::Begun { post, prompt_cut } => {
                if let Some(draft) = &mut self.draft {
                    draft.post = post;
                    draft.prompt_cut = prompt_cut;
                    if prompt_cut {
                        self.status = "Writing … The prompt is too long for the model; it reads only the end.".into();
                    }
                }
            }
            Event::Text { post, text, tokens } => {
                if let Some(draft) = self.draft.as_mut().filter(|draft| draft.post == post) {
                    draft.text = text;
                    draft.tokens = tokens;
                }
            }
            Event::Written { post } => {
                let cut = self.draft.take().is_some_and(|draft| draft.prompt_cut);
                self.phase = Phase::Ready;
                self.status = words::written(&post, cut);
                self.spoken.clone_from(&post.text);
                self.put(post);
            }
            // A person rates faster than ratings are kept: an answer to an older rating must not undo a newer one.
            Event::Rated { post, ratings } if !self.waits_for(Work::Rate) => {
                if let Some(post) = self.post_mut(post) {
                    post.ratings = ratings;
                }
            }
            Event::Rated { .. } => {}
            Event::Stepped { step, .. } => self.steps.push(step),
            Event::Learned { post } => {
                self.lessons += 1;
                self.undoable = (self.undoable + 1).min(crate::protocol::UNDO_DEPTH);
                self.comparing = Some(post.id);
                if let Some(lesson) = &post.lesson {
                    self.status = words::learned(lesson);
                    self.lora = Some(lesson.teaching.lora);
                }
                self.rest();
                self.put(post);
            }
            Event::Compared { post, after } => {
                self.comparing = None;
                if let Some(lesson) = self.post_mut(post).and_then(|post| post.lesson.as_mut()) {
                    lesson.after = Some(after);
                }
            }
            Event::Undone { post } => {
                self.lessons = self.lessons.saturating_sub(1);
                self.undoable = self.undoable.saturating_sub(1);
                self.comparing = None;
                self.status = format!("The lesson from post {} is taken back.", post.id);
                self.put(post);
            }
            Event::Forgotten => {
                *self = Self {
                    phase: Phase::Ready,
                    model: self.model.take(),
                    keeping: self.keeping.take(),
                    status: "Everything is forgotten.".into(),
                    ..Self::default()
                };
            }
            Event::Stopped => {
                self.status = match self.phase {
                    Phase::Teaching => "Stopped. Nothing of this lesson was learned.".into(),
                    Phase::Loading | Phase::Ready | Phase::Writing | Phase::Error => "Stopped.".into(),
                };
                self.rest();
            }
            Event::Failed { problem, fatal } => self.fail(work, problem, fatal),
        }
    }

    /// The worker died at this time (milliseconds on any clock). What was durable is restored by the next `Open`.
    /// Whether it is worth starting another one.
    pub fn worker_lost(&mut self, now: f64) -> bool {
        let doing = match self.phase {
            Phase::Teaching => "in the middle of a lesson. That lesson is not learned; everything before it is kept.",
            Phase::Writing => "in the middle of a post. Everything that you taught is kept.",
            Phase::Loading | Phase::Ready | Phase::Error => "without warning. Everything that you taught is kept.",
        };
        self.rest();
        self.pending.clear();
        self.comparing = None;
        self.loading = None;
        self.deaths.retain(|death| now - death < DEATHS_WITHIN);
        self.deaths.push(now);
        let again = self.deaths.len() < DEATHS;
        if again {
            self.phase = Phase::Loading;
            self.tell(Place::Desk, format!("The engine stopped {doing}"));
            self.status = "The engine is being started again …".into();
        } else {
            self.deaths.clear();
            self.phase = Phase::Error;
            self.model = None;
            let text = "The engine does not start in this browser. What you taught before is kept. \
                        Close other tabs, then try again; a newer browser may be needed.";
            self.tell(Place::Desk, text.into());
            self.status.clear();
        }
        again
    }

    /// Puts a sentence where it belongs.
    pub fn tell(&mut self, place: Place, text: String) {
        self.problem = Some(Problem { place, text });
    }

    /// The problem to show at a place.
    #[must_use]
    pub fn problem_at(&self, place: Place) -> Option<&str> {
        let problem = self.problem.as_ref().filter(|problem| problem.place == place)?;
        Some(&problem.text)
    }

    /// The newest finished post.
    #[must_use]
    pub fn newest(&self) -> Option<&Post> {
        self.posts.last()
    }

    /// The post whose lesson was taught last, among those in force.
    #[must_use]
    pub fn last_lesson(&self) -> Option<(&Post, &Lesson)> {
        self.posts
            .iter()
            .filter_map(|post| Some((post, post.lesson.as_ref()?)))
            .max_by_key(|(_, lesson)| lesson.number)
    }

    /// The newest post, if it can be rated now.
    #[must_use]
    pub fn rateable(&self) -> Option<&Post> {
        let idle = self.phase == Phase::Ready && !self.waits_for(Work::Undo);
        self.newest().filter(|post| idle && post.lesson.is_none())
    }

    /// The newest post's id and ratings, if it can be taught from now.
    #[must_use]
    pub fn teachable(&self) -> Option<(PostId, Ratings)> {
        let post = self.rateable()?;
        Some((post.id, post.ratings.complete()?))
    }

    /// The command that keeps another rating of the newest post, if it can be rated now.
    #[must_use]
    pub fn rating(&self, metric: Metric, stars: Stars) -> Option<Command> {
        let post = self.rateable()?;
        let mut ratings = post.ratings;
        ratings.set(metric, stars);
        Some(Command::Rate { post: post.id, ratings })
    }

    /// Whether a lesson can be taken back now.
    #[must_use]
    pub fn can_undo(&self) -> bool {
        self.phase == Phase::Ready && self.undoable > 0 && !self.waits_for(Work::Undo)
    }

    /// What comes next for the person.
    #[must_use]
    pub fn next_action(&self) -> NextAction {
        match self.phase {
            Phase::Loading | Phase::Writing | Phase::Teaching | Phase::Error => NextAction::Wait,
            Phase::Ready => match self.newest() {
                None => NextAction::Write,
                Some(post) if post.lesson.is_some() => NextAction::Write,
                Some(post) if post.ratings.complete().is_some() => NextAction::Teach,
                Some(_) => NextAction::Rate,
            },
        }
    }

    fn fail(&mut self, work: Option<Work>, problem: String, fatal: bool) {
        let work = work.unwrap_or(match self.phase {
            Phase::Loading | Phase::Error => Work::Open,
            Phase::Writing => Work::Write,
            Phase::Teaching => Work::Teach,
            Phase::Ready => Work::Undo,
        });
        self.tell(work.place(), problem);
        self.status.clear();
        if fatal {
            self.model = None;
        }
        let over = match work {
            Work::Open => true,
            Work::Write => self.phase == Phase::Writing,
            Work::Teach => self.phase == Phase::Teaching,
            Work::Stop | Work::Rate | Work::Undo | Work::Forget => fatal,
        };
        if over {
            self.loading = None;
            self.rest();
        }
    }

    /// Nothing runs any more.
    fn rest(&mut self) {
        self.phase = if self.model.is_some() {
            Phase::Ready
        } else {
            Phase::Error
        };
        self.draft = None;
        self.steps.clear();
        self.teaching_post = None;
    }

    fn waits_for(&self, work: Work) -> bool {
        self.pending.iter().any(|(_, pending)| *pending == work)
    }

    fn post_mut(&mut self, id: PostId) -> Option<&mut Post> {
        self.posts.iter_mut().rev().find(|post| post.id == id)
    }

    /// Replaces the post of that id, or adds it as the newest.
    fn put(&mut self, post: Post) {
        match self.post_mut(post.id) {
            Some(old) => *old = post,
            None => self.posts.push(post),
        }
    }
}

/// Where the keyboard goes after rating `rated`: down the list, then back to what was left out; `None` when all is done.
#[must_use]
pub fn next_metric(rated: Metric, ratings: &PartialRatings) -> Option<Metric> {
    let below = Metric::ALL.into_iter().skip_while(|metric| *metric != rated).nth(1);
    below.or_else(|| ratings.first_missing())
}

/// Whether an event is the last answer to its request (a comparison may follow a lesson).
const fn ends(event: &Event) -> bool {
    match event {
        Event::Opened { .. }
        | Event::Written { .. }
        | Event::Rated { .. }
        | Event::Learned { .. }
        | Event::Compared { .. }
        | Event::Undone { .. }
        | Event::Forgotten
        | Event::Stopped
        | Event::Failed { .. } => true,
        Event::Ready | Event::Loading { .. } | Event::Begun { .. } | Event::Text { .. } | Event::Stepped { .. } => {
            false
        }
    }
}
