//! What the screen knows, as plain data: [`ViewState::asked`] notes what the page asks for, [`ViewState::answered`]
//! folds the worker's replies into the state.
//!
//! The components only read this and send commands; whatever can be decided without a browser is decided here and
//! tested natively. `work` says what a request was about, `fold` changes the state, `automatic` is what the automatic rater adds to it, [`curve`] turns posts into the
//! reward curve, [`words`] into sentences.

mod automatic;
pub mod curve;
mod fold;
#[cfg(test)]
mod tests;
pub mod words;
mod work;

use std::collections::BTreeMap;

use crate::content::ContentType;
use crate::feedback::{Metric, PartialRatings, Stars, Weights};
use crate::insight::{Guess, Insight};
use crate::protocol::{
    Command, Judgement, Keeping, KeptModel, Link, Material, ModelInfo, Pair, Post, PostId, RequestId, Step, TasteInfo,
    Verdict,
};
use crate::settings::Lora;
use crate::timeline::{Node, NodeId, ROOT, Timeline};

pub use work::{Place, Work};

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

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is shown.
    pub place: Place,
    /// One sentence or two.
    pub text: String,
}

/// What is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What was typed.
    pub prompt: String,
    /// The candidates; none until the worker has begun.
    pub texts: Vec<DraftText>,
    /// The prompt did not fit.
    pub prompt_cut: bool,
}

/// A candidate that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DraftText {
    /// Its id.
    pub post: PostId,
    /// The text so far.
    pub text: String,
    /// The tokens so far.
    pub tokens: usize,
}

/// What lies on the sheet, one candidate: finished, or not yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Its id; 0 before there is one.
    pub post: PostId,
    /// Its text so far.
    pub text: String,
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
    /// What is being written.
    pub draft: Option<Draft>,
    /// The candidate that the person looks at; if they chose none, the automatic rater's favourite, or the first one.
    pub chosen: Option<PostId>,
    /// The steps of the lesson that is being taught.
    pub steps: Vec<Step>,
    /// So many texts to practise on are being written.
    pub practising: Option<usize>,
    /// The lesson whose post is being written again for comparison.
    pub comparing: Option<NodeId>,
    /// The lesson whose consequences are being looked at.
    pub watching: Option<NodeId>,
    /// The two texts of the blind test.
    pub pair: Option<Pair>,
    /// Prompts of a measurement that are done, and how many there are.
    pub measuring: Option<(usize, usize)>,
    /// The automatic rater's round that goes on, and how many there will be.
    pub round: Option<(usize, usize)>,
    /// How well the automatic rater knows the person.
    pub insight: Insight,
    /// What it would give the posts that were written last.
    pub guesses: BTreeMap<PostId, Guess>,
    /// How the person weighs the metrics.
    pub weights: Weights,
    /// Whether the automatic rater may fill in stars.
    pub fill_in: bool,
    /// All lessons, and which of them are in force.
    pub timeline: Timeline,
    /// The adapter's shape, once there is one.
    pub lora: Option<Lora>,
    /// A taste file or a link that can be taken in. Nothing has changed yet.
    pub offer: Option<TasteInfo>,
    /// What was taught, in a link, as long as nothing else is in force.
    pub link: Option<Link>,
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
            fill_in: true,
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

    /// The candidates that were written last, in their order.
    pub fn candidates(&self) -> impl Iterator<Item = &Post> + Clone {
        let written = |post: &&Post| post.edit_of.is_none();
        let group = self.posts.iter().rev().find(written).map(Post::first);
        self.posts
            .iter()
            .filter(move |post| post.edit_of.is_none() && Some(post.first()) == group)
    }

    /// The post that the person looks at: the newest, or one of the candidates that were written last.
    #[must_use]
    pub fn current(&self) -> Option<&Post> {
        let wanted = self.chosen.or_else(|| self.favourite());
        let chosen = self.candidates().find(|post| Some(post.id) == wanted);
        chosen.or_else(|| self.candidates().next())
    }

    /// What lies on the sheet: one entry a candidate, at least one.
    #[must_use]
    pub fn sheets(&self) -> Vec<Sheet> {
        let sheets: Vec<Sheet> = match &self.draft {
            Some(draft) => {
                let texts = draft.texts.iter();
                texts
                    .map(|DraftText { post, text, .. }| Sheet {
                        post: *post,
                        text: text.clone(),
                    })
                    .collect()
            }
            None => self
                .candidates()
                .map(|post| Sheet {
                    post: post.id,
                    text: post.text.clone(),
                })
                .collect(),
        };
        if sheets.is_empty() {
            vec![Sheet::default()]
        } else {
            sheets
        }
    }

    /// The lesson in force.
    #[must_use]
    pub fn last_lesson(&self) -> Option<&Node> {
        self.timeline.node(self.timeline.at())
    }

    /// Whether a lesson in force was taught from the candidates that were written last.
    #[must_use]
    pub fn is_taught(&self) -> bool {
        self.candidates().any(|post| self.timeline.lesson_of(post.id).is_some())
    }

    /// The post that the person looks at, if it can be rated now.
    #[must_use]
    pub fn rateable(&self) -> Option<&Post> {
        self.current().filter(|_| self.is_idle() && !self.is_taught())
    }

    /// The ratings that a post has on the screen, whoever gave them.
    #[must_use]
    pub fn shown(&self, post: &Post) -> PartialRatings {
        post.ratings.or(self.filled_in(post))
    }

    /// What the ratings of the candidates amount to, if they can be taught now.
    #[must_use]
    pub fn teachable(&self) -> Option<Material> {
        self.rateable()?;
        let judged = self.candidates().filter_map(|post| {
            let judgement = Judgement {
                post: post.id,
                ratings: post.ratings,
                filled_in: self.filled_in(post),
            };
            self.shown(post).complete().map(|_| judgement)
        });
        let judged: Vec<_> = judged.collect();
        (!judged.is_empty()).then_some(Material::Rated(judged))
    }

    /// How many rated posts in force would have been taught another reward under today's weights, by a twentieth or more.
    #[must_use]
    pub fn reweighted(&self) -> usize {
        let is_other = |(id, before): (&PostId, &f64)| {
            let post = self.posts.iter().find(|post| post.id == *id)?;
            let now = self.weights.reward(&post.rated()?).get();
            Some((now - before).abs() >= 0.05)
        };
        let taught = self.timeline.rewards();
        taught.iter().filter_map(is_other).filter(|other| *other).count()
    }

    /// What it means that one candidate is the best, if that can be taught now.
    #[must_use]
    pub fn preference(&self, chosen: PostId) -> Option<Material> {
        self.rateable()?;
        let rejected: Vec<PostId> = self
            .candidates()
            .map(|post| post.id)
            .filter(|id| *id != chosen)
            .collect();
        let is_there = self.candidates().any(|post| post.id == chosen);
        (is_there && !rejected.is_empty()).then_some(Material::Preferred { chosen, rejected })
    }

    /// The command that keeps another rating of the post that the person looks at, if it can be rated now.
    #[must_use]
    pub fn rating(&self, metric: Metric, stars: Stars) -> Option<Command> {
        let post = self.rateable()?;
        let mut ratings = post.ratings;
        ratings.set(metric, stars);
        Some(Command::Rate { post: post.id, ratings })
    }

    /// The command that says which text of the pair is better: the first, the second, or (`None`) neither.
    #[must_use]
    pub fn judging(&self, better: Option<usize>) -> Option<Command> {
        let pair = self.pair.as_ref()?;
        let verdict = match better {
            None => Verdict::Tie,
            Some(place) if (place == 0) == pair.taught_first => Verdict::Taught,
            Some(_) => Verdict::Untaught,
        };
        Some(Command::Judge {
            node: pair.node,
            verdict,
        })
    }

    /// Where Undo leads, if it can be done now.
    #[must_use]
    pub fn undo(&self) -> Option<NodeId> {
        self.timeline.before().filter(|_| self.is_idle())
    }

    /// Where Redo leads, if it can be done now.
    #[must_use]
    pub fn redo(&self) -> Option<NodeId> {
        self.timeline.after().filter(|_| self.is_idle())
    }

    /// Whether a lesson can be gone to or changed now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let waits = [
            Work::Go,
            Work::Delete,
            Work::Choose,
            Work::Link,
            Work::Inspect,
            Work::Import,
        ]
        .into_iter()
        .any(|work| self.waits_for(work));
        self.phase == Phase::Ready && !waits
    }

    /// Whether there is something to export now: a lesson in force, or a rating.
    #[must_use]
    pub fn can_export(&self) -> bool {
        let said = || self.posts.iter().any(|post| !post.ratings.is_empty());
        self.is_idle() && (self.timeline.at() != ROOT || said())
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
        let rated = || self.posts.iter().any(|post| post.rated().is_some());
        self.keeping == Some(Keeping::Kept) && (self.kept.iter().flatten().next().is_some() || rated())
    }

    /// What comes next for the person.
    #[must_use]
    pub fn next_action(&self) -> NextAction {
        match self.phase {
            Phase::Loading | Phase::Writing | Phase::Teaching | Phase::Error => NextAction::Wait,
            Phase::Ready => match self.current() {
                None => NextAction::Write,
                Some(_) if self.is_taught() => NextAction::Write,
                Some(_) if self.teachable().is_some() => NextAction::Teach,
                Some(_) => NextAction::Rate,
            },
        }
    }

    /// Whether a rating is on its way to where it is kept.
    #[must_use]
    pub fn is_keeping_ratings(&self) -> bool {
        self.waits_for(Work::Rate)
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
