//! What the screen knows, as plain data: [`ViewState::asked`] notes what the page asks for, [`ViewState::answered`]
//! folds the worker's replies into the state.
//!
//! The components only read this and send commands; whatever can be decided without a browser is decided here and
//! tested natively. `fold` changes the state, [`curve`] turns posts into the reward curve, [`words`] into sentences.

pub mod curve;
mod fold;
#[cfg(test)]
mod tests;
pub mod words;

use crate::content::ContentType;
use crate::feedback::{Metric, PartialRatings, Ratings, Stars};
use crate::protocol::{Command, Keeping, KeptModel, Lesson, ModelInfo, Post, PostId, RequestId, Step};
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
    /// Deleting a kept model.
    Discard,
    /// Turning to another type of text.
    Choose,
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
    /// Beside the models, in the settings.
    Models,
    /// Beside "Forget everything", in the settings.
    Settings,
}

impl Work {
    const fn of(command: &Command) -> Self {
        match command {
            Command::Open { .. } => Self::Open,
            Command::Discard { .. } => Self::Discard,
            Command::Choose { .. } => Self::Choose,
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
            Self::Open | Self::Choose | Self::Write | Self::Stop => Place::Desk,
            Self::Rate | Self::Teach | Self::Undo => Place::Lesson,
            Self::Discard => Place::Models,
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
    /// The model that is on its way takes long: it comes from a hub, or from files.
    pub stoppable: bool,
    /// Bytes of the model that are copied to this device, and how many there are.
    pub copying: Option<(u64, u64)>,
    /// The models that are kept on this device; `None` until that is known.
    pub kept: Option<Vec<KeptModel>>,
    /// The open model.
    pub model: Option<ModelInfo>,
    /// What is written here, and what all below belongs to.
    pub content: ContentType,
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

impl ViewState {
    /// Nothing is open yet; this is what will be written.
    #[must_use]
    pub fn new(content: ContentType) -> Self {
        Self {
            content,
            ..Self::default()
        }
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
        let idle = self.phase == Phase::Ready && !self.waits_for(Work::Undo) && !self.waits_for(Work::Choose);
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
        self.phase == Phase::Ready && self.undoable > 0 && !self.waits_for(Work::Undo) && !self.waits_for(Work::Choose)
    }

    /// The key of the open model on this device, if it is kept there.
    #[must_use]
    pub fn kept_as(&self) -> Option<&str> {
        let open = &self.model.as_ref()?.id;
        let kept = self
            .kept
            .iter()
            .flatten()
            .find(|kept| kept.model.as_ref() == Some(open))?;
        Some(&kept.id)
    }

    /// Whether something runs that Stop would stop.
    #[must_use]
    pub const fn can_stop(&self) -> bool {
        self.phase.is_busy() || self.stoppable
    }

    /// Whether there is something on this device that took a person's effort, or a download.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        let rated = || self.posts.iter().any(|post| post.ratings.complete().is_some());
        self.keeping == Some(Keeping::Kept) && (self.kept.iter().flatten().next().is_some() || rated())
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

    fn waits_for(&self, work: Work) -> bool {
        self.pending.iter().any(|(_, pending)| *pending == work)
    }
}

/// Where the keyboard goes after rating `rated`: down the list, then back to what was left out; `None` when all is done.
#[must_use]
pub fn next_metric(rated: Metric, ratings: &PartialRatings) -> Option<Metric> {
    let below = Metric::ALL.into_iter().skip_while(|metric| *metric != rated).nth(1);
    below.or_else(|| ratings.first_missing())
}
