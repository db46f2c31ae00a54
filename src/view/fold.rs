//! How requests and replies change the state.

use crate::insight::Insight;
use crate::protocol::{
    Command, Event, Keeping, LessonKind, Memory, ModelSource, Post, PostId, Reply, Request, SNAPSHOT_BUDGET,
};
use crate::timeline::ROOT;
use crate::view::{Draft, DraftText, Phase, Place, ViewState, Work, words};

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
            Command::Open { content, source, .. } => {
                self.content = *content;
                self.stoppable = !matches!(source, ModelSource::Folder { .. });
                self.phase = Phase::Loading;
                self.loading = None;
                self.copying = None;
                self.status = "Reading the model …".into();
            }
            Command::Discard { .. } => self.status = "Deleting the model …".into(),
            Command::Choose { content } => {
                self.phase = Phase::Loading;
                self.look_away();
                self.status = format!("{} …", content.name());
            }
            Command::Write { prompt, .. } => {
                self.phase = Phase::Writing;
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
            Command::Teach { .. } => {
                self.phase = Phase::Teaching;
                self.steps.clear();
                self.status = "Teaching …".into();
            }
            Command::Go { to } => {
                self.status = if self.timeline.path_to(self.timeline.at()).contains(to) || *to == ROOT {
                    "Taking it back …".into()
                } else {
                    "Going there …".into()
                };
            }
            Command::TeachItself { .. } => {
                self.phase = Phase::Teaching;
                self.steps.clear();
                self.status = "Teaching itself …".into();
            }
            Command::Measure { .. } => {
                self.measuring = Some((0, 1));
                self.status = "Measuring …".into();
            }
            Command::Pair { .. } => {
                self.pair = None;
                self.status = "Writing two texts …".into();
            }
            Command::Judge { .. } => {
                // One verdict on each pair.
                self.pair = None;
                self.status.clear();
            }
            Command::Name { .. } | Command::Delete { .. } => self.status.clear(),
            Command::Forget => self.status = "Forgetting …".into(),
            Command::Export { .. } | Command::Share { .. } => self.status = "Packing what you taught …".into(),
            Command::Link => {
                self.link = None;
                self.status = "Making a link, and trying out what it carries …".into();
            }
            Command::Inspect => {
                self.offer = None;
                self.status = "Looking at the file …".into();
            }
            Command::InspectLink { .. } => {
                self.offer = None;
                self.status = "Looking at the link …".into();
            }
            Command::Import => {
                self.offer = None;
                self.status = "Taking it in …".into();
            }
        }
    }

    /// Folds one reply of the worker into the state.
    pub fn answered(&mut self, reply: Reply) {
        let Reply { request, event } = reply;
        let work = request.and_then(|id| self.pending.iter().find(|(pending, _)| *pending == id));
        let work = work.map(|(_, work)| *work);
        // Rounds write and learn many times before they end.
        if ends(&event) && (work != Some(Work::TeachItself) || is_last(&event)) {
            self.pending.retain(|(pending, _)| Some(*pending) != request);
        }
        self.fold(event, work);
    }

    /// Folds one event of the worker, which answers `work`, into the state.
    fn fold(&mut self, event: Event, work: Option<Work>) {
        match event {
            Event::Loading { received, total } => self.loading = Some((received, total)),
            Event::Retrying { seconds } => {
                self.status = format!("The connection broke off. Trying again in {seconds} s …");
            }
            Event::Keeping { copied, total } => {
                self.loading = None;
                self.copying = Some((copied, total));
            }
            Event::Kept { models } => {
                if work == Some(Work::Discard) {
                    self.status = "The model is deleted.".into();
                }
                self.kept = Some(models);
            }
            Event::Opened { model, memory, keeping } => {
                self.status = words::opened(&model, self.content, &memory);
                self.model = Some(model);
                self.remember(memory, keeping);
                self.loading = None;
                self.copying = None;
                self.stoppable = false;
                self.deaths.clear();
                self.phase = Phase::Ready;
            }
            Event::Chosen {
                content,
                memory,
                keeping,
            } => {
                self.content = content;
                self.status = words::chosen(content, &memory);
                self.remember(memory, keeping);
                self.phase = Phase::Ready;
            }
            Event::Begun { posts, prompt_cut } => {
                if let Some(draft) = &mut self.draft {
                    let text = |post| DraftText {
                        post,
                        ..DraftText::default()
                    };
                    draft.texts = posts.into_iter().map(text).collect();
                    draft.prompt_cut = prompt_cut;
                    if prompt_cut {
                        self.status = "Writing … The prompt is too long for the model; it reads only the end.".into();
                    }
                }
            }
            Event::Text { post, text, tokens } => {
                let texts = self.draft.iter_mut().flat_map(|draft| &mut draft.texts);
                for draft in texts.filter(|draft| draft.post == post) {
                    draft.text.clone_from(&text);
                    draft.tokens = tokens;
                }
            }
            Event::Written { posts } => self.wrote(posts),
            // A person rates faster than ratings are kept: an answer to an older rating must not undo a newer one.
            Event::Rated { post, ratings } if !self.is_keeping_ratings() => {
                if let Some(post) = self.post_mut(post) {
                    post.ratings = ratings;
                }
            }
            // The page is ahead of an answer to a rating that it has changed since.
            Event::Ready | Event::Rated { .. } => {}
            Event::Stepped { step } => {
                self.practising = None;
                self.steps.push(step);
            }
            Event::Practising { texts } => self.practising = Some(texts),
            Event::Learned { .. }
            | Event::Known { .. }
            | Event::Round { .. }
            | Event::Rounded { .. }
            | Event::Measuring { .. }
            | Event::Measured { .. }
            | Event::Paired { .. }
            | Event::Judged { .. }
            | Event::Compared { .. }
            | Event::Watched { .. }
            | Event::Went { .. }
            | Event::Named { .. }
            | Event::Deleted { .. } => self.fold_lesson(event),
            Event::Forgotten => self.forget(),
            Event::Exported { .. }
            | Event::Shared { .. }
            | Event::Linked { .. }
            | Event::Inspected { .. }
            | Event::Imported { .. } => self.fold_travel(event),
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

    /// Posts are finished.
    fn wrote(&mut self, posts: Vec<Post>) {
        let cut = self.draft.take().is_some_and(|draft| draft.prompt_cut);
        self.chosen = None;
        self.guesses.clear();
        // What is written in a round is the round's affair.
        if self.round.is_none() {
            self.phase = Phase::Ready;
            self.status = words::written(&posts, cut);
            let texts: Vec<&str> = posts.iter().map(|post| post.text.as_str()).collect();
            self.spoken = texts.join("\n\n");
        }
        self.put_all(posts);
    }

    /// Folds an event about a lesson.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`fold` has the others")]
    fn fold_lesson(&mut self, event: Event) {
        match event {
            Event::Learned { posts, node } => {
                self.comparing = (node.lesson.kind != LessonKind::Automatic).then_some(node.id);
                self.watching = Some(node.id);
                self.lora = Some(node.lesson.teaching.lora);
                self.link = None;
                self.guesses.clear();
                self.steps.clear();
                if self.round.is_none() {
                    self.status = words::learned(self.content, &node);
                    self.rest();
                }
                self.put_all(posts);
                self.timeline.learn(node.lesson, node.bytes);
                self.timeline.thin(SNAPSHOT_BUDGET);
            }
            Event::Compared { node, after } => {
                self.comparing = None;
                if let Some(node) = self.timeline.node_mut(node) {
                    node.lesson.after = Some(after);
                }
            }
            Event::Watched { node, breach } => {
                self.watching = None;
                if let Some((breach, to)) = breach {
                    self.link = None;
                    if let Some(node) = self.timeline.node_mut(node) {
                        node.lesson.breach = Some(breach);
                    }
                    self.timeline.go(to);
                    self.tell(Place::Lesson, words::taken_back(node, breach));
                }
            }
            Event::Known { insight, guesses } => {
                self.insight = insight;
                self.guesses = guesses.into_iter().collect();
            }
            Event::Round { number, of, prompt } => {
                self.round = Some((number, of));
                self.draft = Some(Draft {
                    prompt,
                    ..Draft::default()
                });
                self.status = words::round(number, of);
            }
            Event::Rounded { rounds } => {
                let taken_back = self.problem_at(Place::Lesson).is_some();
                self.status = words::rounded(rounds, taken_back);
                self.rest();
            }
            Event::Measuring { done, of } => self.measuring = Some((done, of)),
            Event::Measured { node, measured } => {
                self.measuring = None;
                if let Some(node) = self.timeline.node_mut(node) {
                    node.lesson.measured = Some(measured);
                }
                self.status = words::measured(&measured);
            }
            Event::Paired { pair } => {
                self.status = "Two texts are written. Which is better?".into();
                self.spoken = format!("A: {}\n\nB: {}", pair.texts[0], pair.texts[1]);
                self.pair = Some(pair);
            }
            Event::Judged { node, tally } => {
                if let Some(node) = self.timeline.node_mut(node) {
                    node.lesson.tally = tally;
                }
                self.status = words::proof(tally);
            }
            Event::Went { to } => {
                self.status = words::went(&self.timeline, to);
                self.look_away();
                self.timeline.go(to);
            }
            Event::Named { node, name } => {
                self.status = words::named(node, &name);
                if let Some(node) = self.timeline.node_mut(node) {
                    node.name = name;
                }
            }
            Event::Deleted { node } => {
                let count = self.timeline.delete(node).len();
                self.look_away();
                self.status = words::deleted(node, count);
            }
            _ => {}
        }
    }

    /// Folds an event about a taste file or a link.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`fold` has the others")]
    fn fold_travel(&mut self, event: Event) {
        match event {
            Event::Exported { name, bytes } => self.status = words::exported(&name, bytes),
            Event::Shared { .. } => self.status = "Making the copy …".into(),
            Event::Linked { link } => {
                self.status = words::linked(&link);
                self.link = Some(link);
            }
            Event::Inspected { taste } => {
                self.status = "Nothing has changed yet. Look at what it is, then take it in.".into();
                self.offer = Some(taste);
            }
            Event::Imported { posts, new, node } => {
                self.look_away();
                self.chosen = None;
                self.status = words::imported(self.content, posts.len(), new, node.as_ref());
                self.put_all(posts);
                if let Some(node) = node {
                    self.lora = Some(node.lesson.teaching.lora);
                    self.timeline.learn(node.lesson, node.bytes);
                    self.timeline.thin(SNAPSHOT_BUDGET);
                }
            }
            _ => {}
        }
    }

    /// Nobody looks at what the last lesson did any more.
    fn look_away(&mut self) {
        self.comparing = None;
        self.watching = None;
        self.pair = None;
        self.offer = None;
        self.link = None;
    }

    /// Back to the first day, with the same model.
    fn forget(&mut self) {
        *self = Self {
            phase: Phase::Ready,
            model: self.model.take(),
            content: self.content,
            kept: self.kept.take(),
            keeping: self.keeping.take(),
            status: "Everything is forgotten.".into(),
            weights: self.weights,
            fill_in: self.fill_in,
            ..Self::default()
        };
    }

    /// The fast build of the worker does not start; the other one is started instead.
    pub fn fast_build_failed(&mut self) {
        self.rest();
        self.pending.clear();
        self.phase = Phase::Loading;
        let text = "The fast engine does not start in this browser. The one for every browser takes over.";
        self.tell(Place::Desk, text.into());
    }

    /// The worker died at this time (milliseconds on any clock). What was durable is restored by the next `Open`.
    /// Whether it is worth starting another one.
    pub fn worker_lost(&mut self, now: f64) -> bool {
        let doing = match self.phase {
            Phase::Teaching => "in the middle of a lesson. That lesson is not learned; everything before it is kept.",
            Phase::Writing => "in the middle of a text. Everything that you taught is kept.",
            Phase::Loading | Phase::Ready | Phase::Error => "without warning. Everything that you taught is kept.",
        };
        self.rest();
        self.pending.clear();
        self.look_away();
        self.loading = None;
        self.copying = None;
        self.stoppable = false;
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

    fn fail(&mut self, work: Option<Work>, problem: String, fatal: bool) {
        let work = work.unwrap_or(match self.phase {
            Phase::Loading | Phase::Error => Work::Open,
            Phase::Writing => Work::Write,
            Phase::Teaching => Work::Teach,
            Phase::Ready => Work::Stop,
        });
        self.tell(work.place(), problem);
        self.status.clear();
        if fatal {
            self.model = None;
        }
        let over = match work {
            Work::Open | Work::Choose => true,
            Work::Write => self.phase == Phase::Writing,
            Work::Teach | Work::TeachItself => self.phase == Phase::Teaching,
            Work::Measure => {
                self.measuring = None;
                fatal
            }
            Work::Stop
            | Work::Discard
            | Work::Rate
            | Work::Go
            | Work::Pair
            | Work::Judge
            | Work::Name
            | Work::Delete
            | Work::Forget
            | Work::Export
            | Work::Link
            | Work::Inspect
            | Work::Import => fatal,
        };
        if over {
            self.loading = None;
            self.copying = None;
            self.stoppable = false;
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
        self.round = None;
        self.measuring = None;
        self.steps.clear();
        self.practising = None;
    }

    /// Takes over what was kept.
    fn remember(&mut self, memory: Memory, keeping: Keeping) {
        self.offer = None;
        self.link = None;
        self.keeping = Some(keeping);
        self.posts = memory.posts;
        self.timeline = memory.timeline;
        self.insight = Insight::default();
        self.guesses.clear();
        self.chosen = None;
        self.lora = memory.lora;
    }

    fn post_mut(&mut self, id: PostId) -> Option<&mut Post> {
        self.posts.iter_mut().rev().find(|post| post.id == id)
    }

    fn put_all(&mut self, posts: Vec<Post>) {
        for post in posts {
            self.put(post);
        }
    }

    /// Replaces the post of that id, or adds it as the newest.
    fn put(&mut self, post: Post) {
        match self.post_mut(post.id) {
            Some(old) => *old = post,
            None => self.posts.push(post),
        }
    }
}

/// Whether an event ends the rounds of the automatic rater.
const fn is_last(event: &Event) -> bool {
    matches!(event, Event::Rounded { .. } | Event::Stopped | Event::Failed { .. })
}

/// Whether an event is the last answer to its request (what nobody waits for may follow a lesson).
const fn ends(event: &Event) -> bool {
    match event {
        Event::Opened { .. }
        | Event::Kept { .. }
        | Event::Chosen { .. }
        | Event::Written { .. }
        | Event::Rated { .. }
        | Event::Learned { .. }
        | Event::Compared { .. }
        | Event::Watched { .. }
        | Event::Rounded { .. }
        | Event::Measured { .. }
        | Event::Paired { .. }
        | Event::Judged { .. }
        | Event::Went { .. }
        | Event::Named { .. }
        | Event::Deleted { .. }
        | Event::Forgotten
        | Event::Exported { .. }
        | Event::Shared { .. }
        | Event::Linked { .. }
        | Event::Inspected { .. }
        | Event::Imported { .. }
        | Event::Stopped
        | Event::Failed { .. } => true,
        Event::Ready
        | Event::Loading { .. }
        | Event::Retrying { .. }
        | Event::Keeping { .. }
        | Event::Begun { .. }
        | Event::Text { .. }
        | Event::Stepped { .. }
        | Event::Known { .. }
        | Event::Round { .. }
        | Event::Measuring { .. }
        | Event::Practising { .. } => false,
    }
}
