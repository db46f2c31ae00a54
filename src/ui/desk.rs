//! What the components share: the state, the preferences, and the verbs of the page.

use leptos::prelude::*;
use wasm_bindgen::JsValue;
use web_sys::FileList;

use crate::catalogue::HUB;
use crate::content::ContentType;
use crate::feedback::{Metric, Stars, Weights};
use crate::protocol::{Command, Material, ModelSource, PostId};
use crate::settings::Build;
use crate::timeline::NodeId;
use crate::ui::client::{self, Client, Wishes};
use crate::ui::link;
use crate::ui::preferences::{Preferences, SEEDS};
use crate::ui::share;
use crate::view::{Phase, Place, ViewState, words};

/// The writing desk. Every component gets it with [`Desk::here`].
#[derive(Clone, Copy)]
pub struct Desk {
    /// What the worker has told.
    pub state: RwSignal<ViewState>,
    /// What the person has set.
    pub preferences: RwSignal<Preferences>,
    /// What is typed.
    pub prompt: RwSignal<String>,
    /// The metric that the next digit rates.
    pub metric: RwSignal<Metric>,
    client: Client,
}

impl Desk {
    /// Sets the desk up and starts the worker.
    pub fn open() -> Self {
        let preferences = Preferences::load();
        let arrived = link::arrived();
        let content = arrived.as_ref().and_then(|link| link.content);
        let state = RwSignal::new(ViewState::new(content.unwrap_or(preferences.content)));
        let wishes = Wishes {
            kept: preferences.model.clone(),
            precision: preferences.precision,
            build: preferences.build,
        };
        let client = Client::start(state, wishes);
        let preferences = RwSignal::new(preferences);
        Effect::watch(move || preferences.get(), |preferences, _, _| preferences.save(), false);
        let desk = Self {
            state,
            preferences,
            prompt: RwSignal::new(String::new()),
            metric: RwSignal::new(Metric::Relevance),
            client,
        };
        provide_context(desk);
        desk.show_by_preferences();
        desk.remember_the_model();
        share::open(desk);
        link::open(desk, arrived);
        desk
    }

    /// What the screen says depends on these.
    fn show_by_preferences(self) {
        let preferred = Memo::new(move |_| {
            self.preferences
                .with(|preferences| (preferences.weights, preferences.fill_in))
        });
        Effect::new(move |_| {
            let (weights, fill_in) = preferred.get();
            self.state.update(|state| {
                state.weights = weights;
                state.fill_in = fill_in;
            });
        });
    }

    /// The page comes back to the model that was open last, if that is kept; if it is gone, to the embedded one.
    fn remember_the_model(self) {
        let open = self.read(|state| {
            let id = state.kept_as().map(str::to_owned);
            (state.phase, state.kept.is_some(), id)
        });
        Effect::new(move |_| match open.get() {
            (Phase::Ready, true, id) => {
                let precision = self.preferences.with_untracked(|preferences| preferences.precision);
                self.client.remember(id.clone(), precision);
                if self.preferences.with_untracked(|preferences| preferences.model != id) {
                    self.preferences.update(|preferences| preferences.model = id);
                }
            }
            (Phase::Error, _, _)
                if self
                    .preferences
                    .with_untracked(|preferences| preferences.model.is_some()) =>
            {
                self.preferences.update(|preferences| preferences.model = None);
                // The problem stays to be read.
                self.client.send(self.opening(client::embedded()));
            }
            (Phase::Loading | Phase::Ready | Phase::Writing | Phase::Teaching | Phase::Error, _, _) => {}
        });
    }

    /// The command that opens a model as the person prefers it.
    fn opening(self, source: ModelSource) -> Command {
        Command::Open {
            source,
            content: self.state.with_untracked(|state| state.content),
            precision: self.preferences.with_untracked(|preferences| preferences.precision),
        }
    }

    /// The hub's address.
    pub fn hub(self) -> String {
        let hub = self.preferences.with_untracked(|preferences| preferences.hub.clone());
        hub.unwrap_or_else(|| HUB.to_owned())
    }

    /// Opens another model.
    pub fn open_model(self, source: ModelSource) {
        self.state.update(|state| state.problem = None);
        self.client.send(self.opening(source));
    }

    /// Opens a model from files that the person picked.
    pub fn open_files(self, files: &FileList) {
        self.state.update(|state| state.problem = None);
        self.client.send_with_files(self.opening(ModelSource::Files), files);
    }

    /// Deletes a kept model from this device.
    pub fn discard(self, id: String) {
        self.client.send(Command::Discard { id });
    }

    /// The desk of the page.
    pub fn here() -> Self {
        expect_context()
    }

    /// A part of the state that only wakes its readers when it changes.
    pub fn read<T: PartialEq + Send + Sync + 'static>(
        self,
        part: impl Fn(&ViewState) -> T + Send + Sync + 'static,
    ) -> Memo<T> {
        Memo::new(move |_| self.state.with(&part))
    }

    /// Turns to another type of text.
    pub fn choose(self, content: ContentType) {
        let idle = |state: &ViewState| state.phase == Phase::Ready && state.content != content;
        if self.state.with_untracked(idle) {
            self.preferences.update(|preferences| preferences.content = content);
            self.client.send(Command::Choose { content });
        }
    }

    /// Writes a text about what is typed, or says why not. Whether it was sent.
    pub fn write(self) -> bool {
        let prompt = self.prompt.with_untracked(|prompt| prompt.trim().to_owned());
        let (phase, content) = self.state.with_untracked(|state| (state.phase, state.content));
        let refusal = match phase {
            Phase::Ready if prompt.is_empty() => format!("Say what the {} should be about first.", content.noun()),
            Phase::Ready => String::new(),
            Phase::Loading => "The model is not ready yet.".into(),
            Phase::Error => "There is no model to write with.".into(),
            Phase::Writing | Phase::Teaching => return false,
        };
        if !refusal.is_empty() {
            self.state.update(|state| state.tell(Place::Desk, refusal));
            return false;
        }
        let order = self.preferences.try_update(|preferences| Command::Write {
            prompt,
            sampling: preferences.next_sampling(content),
            candidates: preferences.candidates,
            strength: preferences.strength,
        });
        if let Some(order) = order {
            self.client.send(order);
        }
        self.metric.set(Metric::Relevance);
        true
    }

    /// Stops what runs.
    pub fn stop(self) {
        if self.state.with_untracked(ViewState::can_stop) {
            self.client.send(Command::Stop);
        }
    }

    /// Rates the post that the person looks at. Whether that was possible.
    pub fn rate(self, metric: Metric, stars: Stars) -> bool {
        let command = self.state.with_untracked(|state| state.rating(metric, stars));
        let possible = command.is_some();
        if let Some(command) = command {
            self.client.send(command);
        }
        possible
    }

    /// Teaches from the newest post, or says why not.
    pub fn teach(self) {
        let (teachable, why_not) = self
            .state
            .with_untracked(|state| (state.teachable(), words::why_not_teach(state)));
        if let Some(why_not) = why_not {
            self.state.update(|state| state.tell(Place::Lesson, why_not));
        }
        if let Some(material) = teachable {
            self.teach_from(material);
        }
    }

    fn teach_from(self, material: Material) {
        let Preferences { weights, teaching, .. } = self.preferences.get_untracked();
        self.client.send(Command::Teach {
            material,
            weights,
            teaching: teaching.clamped(),
        });
    }

    /// Turns to another candidate.
    pub fn look_at(self, post: PostId) {
        self.state.update(|state| state.chosen = Some(post));
        self.metric.set(Metric::Relevance);
    }

    /// To the next candidate, and from the last to the first.
    pub fn look_at_next(self) {
        let next = self.state.with_untracked(|state| {
            let current = state.current()?.id;
            let after = state.candidates().map(|post| post.id).find(|id| *id > current);
            after.or_else(|| state.candidates().map(|post| post.id).next())
        });
        if let Some(next) = next {
            self.look_at(next);
        }
    }

    /// Teaches that this candidate is the best, if that can be done now.
    pub fn prefer(self, post: PostId) {
        if let Some(material) = self.state.with_untracked(|state| state.preference(post)) {
            self.teach_from(material);
        }
    }

    /// Teaches the person's own version of a post. Whether it was sent.
    pub fn teach_edit(self, post: PostId, text: String) -> bool {
        let original = self
            .state
            .with_untracked(|state| state.rateable().map(|post| post.text.clone()));
        let refusal = match original {
            None => return false,
            Some(_) if text.trim().is_empty() => "Your version is empty.",
            Some(original) if original == text.trim() => "Your version says the same, word for word.",
            Some(_) => {
                self.teach_from(Material::Edited { post, text });
                return true;
            }
        };
        self.state.update(|state| state.tell(Place::Lesson, refusal.into()));
        false
    }

    /// Teaches old ratings once more, under today's weights.
    pub fn teach_reweighted(self) {
        if self.state.with_untracked(ViewState::is_idle) {
            self.teach_from(Material::Reweighted);
        }
    }

    /// Lets the automatic rater teach.
    pub fn teach_itself(self, rounds: usize) {
        if self.state.with_untracked(ViewState::is_idle) {
            let Preferences { weights, teaching, .. } = self.preferences.get_untracked();
            self.client.send(Command::TeachItself {
                rounds,
                weights,
                teaching: teaching.clamped(),
            });
        }
    }

    /// Holds the taught model against the untaught one.
    pub fn measure(self) {
        if self.state.with_untracked(ViewState::is_idle) {
            let weights = self.preferences.with_untracked(|preferences| preferences.weights);
            self.client.send(Command::Measure { weights });
        }
    }

    /// Has two texts written for the blind test.
    pub fn pair(self) {
        if self.state.with_untracked(ViewState::is_idle) {
            let seed = (js_sys::Math::random() * SEEDS) as u64;
            self.client.send(Command::Pair { seed });
        }
    }

    /// Says which text of the pair is better. Whether there was one.
    pub fn judge(self, better: Option<usize>) -> bool {
        let command = self.state.with_untracked(|state| state.judging(better));
        let possible = command.is_some();
        if let Some(command) = command {
            self.client.send(command);
        }
        possible
    }

    /// Takes the last lesson back, if there is one.
    pub fn undo(self) {
        if let Some(to) = self.state.with_untracked(ViewState::undo) {
            self.go(to);
        }
    }

    /// Brings the lesson back that was taken back last.
    pub fn redo(self) {
        if let Some(to) = self.state.with_untracked(ViewState::redo) {
            self.go(to);
        }
    }

    /// Goes to a lesson.
    pub fn go(self, to: NodeId) {
        if self.state.with_untracked(ViewState::is_idle) {
            self.client.send(Command::Go { to });
        }
    }

    /// Gives a lesson a name.
    pub fn name_lesson(self, node: NodeId, name: String) {
        self.client.send(Command::Name { node, name });
    }

    /// Deletes a lesson and what follows from it.
    pub fn delete_lesson(self, node: NodeId) {
        if self.state.with_untracked(ViewState::is_idle) {
            self.client.send(Command::Delete { node });
        }
    }

    /// Has what was taught packed into a file, or says why not.
    pub fn export(self, ratings: bool) {
        self.pack(|weights| Command::Export { ratings, weights });
    }

    /// Has a copy of the page made, with what was taught inside, or says why not.
    pub fn share(self, ratings: bool) {
        self.pack(|weights| Command::Share { ratings, weights });
    }

    fn pack(self, command: impl FnOnce(Weights) -> Command) {
        if self.state.with_untracked(ViewState::can_export) {
            let weights = self.preferences.with_untracked(|preferences| preferences.weights);
            self.client.send(command(weights));
        } else if self.state.with_untracked(ViewState::is_idle) {
            let why = "There is nothing to export yet. Rate a text or teach a lesson first.";
            self.state.update(|state| state.tell(Place::Travel, why.into()));
        }
    }

    /// Has a link made, or says why not.
    pub fn make_link(self) {
        let (idle, why_not) = self
            .state
            .with_untracked(|state| (state.is_idle(), words::why_no_link(state)));
        match why_not {
            Some(why_not) => self.state.update(|state| state.tell(Place::Travel, why_not.into())),
            None if idle => self.client.send(Command::Link),
            None => {}
        }
    }

    /// Has a link looked at that was opened.
    pub fn inspect_link(self, fragment: String) {
        self.client.send(Command::InspectLink { fragment });
    }

    /// Has files looked at that the person picked or dropped, or says why not.
    pub fn inspect(self, files: &JsValue) {
        if self.state.with_untracked(ViewState::is_idle) {
            self.client.send_with_files(Command::Inspect, files);
        } else {
            let why = "Something else is going on. Wait until it is done, then choose the file again.";
            self.state.update(|state| state.tell(Place::Travel, why.into()));
        }
    }

    /// Takes in what was looked at, and perhaps weighs the metrics as its maker did.
    pub fn take_in(self, weights: Option<Weights>) {
        if self.state.with_untracked(ViewState::is_idle) {
            if let Some(weights) = weights {
                self.preferences.update(|preferences| preferences.weights = weights);
            }
            self.client.send(Command::Import);
        }
    }

    /// Leaves what was looked at where it was.
    pub fn leave_it(self) {
        self.state.update(|state| state.offer = None);
    }

    /// Forgets everything; the person has confirmed.
    pub fn forget(self) {
        self.client.send(Command::Forget);
    }

    /// Goes on with another build of the worker. What is kept comes back; what is not, is gone.
    pub fn change_build(self, build: Option<Build>) {
        self.preferences.update(|preferences| preferences.build = build);
        self.state.update(|state| state.problem = None);
        self.client.change_build(build);
    }

    /// Starts over with a fresh worker.
    pub fn restart(self) {
        self.state.update(|state| state.problem = None);
        self.client.restart();
    }
}
