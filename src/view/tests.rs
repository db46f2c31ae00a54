//! A conversation between page and worker, without either.

mod automatic;

use crate::content::ContentType;
use crate::feedback::{Metric, PartialRatings, Ratings, Stars, Weights};
use crate::protocol::{
    Command, Ending, Event, Judgement, Keeping, KeptModel, LessonKind, Link, Material, Memory, ModelInfo, ModelSource,
    Pair, Post, PostId, Reply, Request, Step, Tally, TasteInfo, Taught, test_lesson,
};
use crate::rails::Breach;
use crate::settings::{Precision, Sampling, Teaching};
use crate::timeline::{Node, ROOT, Timeline};
use crate::view::{NextAction, Phase, Place, ViewState, curve, next_metric, words};

/// The state, and the ids of what was asked.
#[derive(Default)]
struct Talk {
    state: ViewState,
    last: u64,
}

impl Talk {
    /// A model is open, with these posts from before.
    fn with(posts: Vec<Post>) -> Self {
        Self::with_lessons(posts, Timeline::default())
    }

    fn with_lessons(posts: Vec<Post>, timeline: Timeline) -> Self {
        let mut talk = Self::default();
        let id = talk.ask(open());
        let memory = Memory {
            posts,
            timeline,
            lora: None,
        };
        talk.answer(
            id,
            Event::Opened {
                model: model(),
                memory,
                keeping: Keeping::Kept,
            },
        );
        talk
    }

    /// One rated post, and the lesson that was taught from it.
    fn taught() -> Self {
        let mut timeline = Timeline::default();
        timeline.learn(test_lesson(&[1]), 10);
        Self::with_lessons(vec![rated(1, 4, 0)], timeline)
    }

    fn ask(&mut self, command: Command) -> u64 {
        self.last += 1;
        self.state.asked(&Request { id: self.last, command });
        self.last
    }

    fn answer(&mut self, request: u64, event: Event) {
        self.state.answered(Reply {
            request: Some(request),
            event,
        });
    }

    fn fail(&mut self, request: u64, fatal: bool) {
        self.answer(
            request,
            Event::Failed {
                problem: "It broke.".into(),
                fatal,
            },
        );
    }

    fn write(&mut self, ids: &[PostId]) {
        let request = self.ask(write());
        self.answer(
            request,
            Event::Begun {
                posts: ids.to_vec(),
                prompt_cut: false,
            },
        );
        let candidate = |id: &PostId| Post {
            group: ids[0],
            ..post(*id)
        };
        let posts = ids.iter().map(candidate).collect();
        self.answer(request, Event::Written { posts });
    }

    fn rate(&mut self, metric: Metric, stars: u8) -> u64 {
        let command = self.state.rating(metric, star(stars)).expect("can be rated");
        self.ask(command)
    }

    fn rate_all(&mut self, stars: u8) {
        for metric in Metric::ALL {
            let request = self.rate(metric, stars);
            let post = self.state.current().expect("a post");
            let event = Event::Rated {
                post: post.id,
                ratings: post.ratings,
            };
            self.answer(request, event);
        }
    }

    fn teach(&mut self) -> u64 {
        let material = self.state.teachable().expect("can be taught");
        self.ask(Command::Teach {
            material,
            weights: Weights::default(),
            teaching: Teaching::default(),
        })
    }

    /// The lesson that the worker would make of it.
    fn learn(&mut self, request: u64, posts: Vec<Post>) {
        let ids: Vec<PostId> = posts.iter().map(|post| post.id).collect();
        let node = Node {
            id: self.state.timeline.next(),
            parent: self.state.timeline.at(),
            name: String::new(),
            lesson: test_lesson(&ids),
            bytes: 10,
        };
        self.answer(request, Event::Learned { posts, node });
    }

    #[track_caller]
    fn expect(&self, phase: Phase, next: NextAction) {
        assert_eq!((self.state.phase, self.state.next_action()), (phase, next));
    }
}

fn star(count: u8) -> Stars {
    Stars::new(count).expect("1 to 5")
}

fn open() -> Command {
    Command::Open {
        source: ModelSource::Folder { url: "model/".into() },
        content: ContentType::Post,
        precision: Precision::default(),
    }
}

fn write() -> Command {
    Command::Write {
        prompt: "Prices".into(),
        sampling: Sampling::default(),
        candidates: 1,
        strength: 1.0,
    }
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "Fledgling".into(),
        parameters: 13_800_000,
        layers: 6,
        width: 384,
        vocabulary: 8192,
        context: 512,
        precision: Precision::Exact,
        kernels: "plain".into(),
        bytes: 55_000_000,
        id: "f".into(),
    }
}

fn post(id: PostId) -> Post {
    Post {
        id,
        content: ContentType::Post,
        group: id,
        edit_of: None,
        prompt: "Prices".into(),
        text: format!("Text {id}"),
        tokens: 3,
        sampling: Sampling::default(),
        ending: Ending::EndOfText,
        lessons_before: 0,
        written_at: 0.0,
        millis: 10.0,
        strength: 1.0,
        ratings: PartialRatings::default(),
        filled_in: PartialRatings::default(),
        chosen_over: Vec::new(),
    }
}

fn step(number: usize) -> Step {
    Step {
        number,
        of: 2,
        loss: 1.0,
        gradient_norm: 1.0,
        kl: 0.0,
        millis: 1.0,
    }
}

fn rated(id: PostId, stars: u8, lessons_before: u32) -> Post {
    Post {
        ratings: Ratings::all(star(stars)).into(),
        lessons_before,
        ..post(id)
    }
}

#[test]
fn one_round_from_prompt_to_lesson() {
    let mut talk = Talk::with(vec![]);
    talk.expect(Phase::Ready, NextAction::Write);

    let request = talk.ask(write());
    talk.expect(Phase::Writing, NextAction::Wait);
    talk.answer(
        request,
        Event::Begun {
            posts: vec![1],
            prompt_cut: false,
        },
    );
    talk.answer(
        request,
        Event::Text {
            post: 1,
            text: "Te".into(),
            tokens: 1,
        },
    );
    assert_eq!(talk.state.sheets()[0].text, "Te");
    talk.answer(request, Event::Written { posts: vec![post(1)] });
    talk.expect(Phase::Ready, NextAction::Rate);
    assert_eq!(talk.state.draft, None);
    assert_eq!(talk.state.spoken, "Text 1");

    talk.rate_all(4);
    talk.expect(Phase::Ready, NextAction::Teach);
    let request = talk.teach();
    talk.expect(Phase::Teaching, NextAction::Wait);
    talk.answer(request, Event::Stepped { step: step(1) });
    assert_eq!(words::lesson_hint(&talk.state), "Step 1 of 2");
    talk.learn(request, vec![rated(1, 4, 0)]);
    talk.expect(Phase::Ready, NextAction::Write);
    assert_eq!((talk.state.timeline.depth(), talk.state.comparing), (1, Some(1)));
    assert_eq!(
        talk.state.status,
        "Lesson 1 is learned. The model now finds this post 11 % likelier, word for word."
    );

    talk.answer(
        request,
        Event::Compared {
            node: 1,
            after: "Better".into(),
        },
    );
    let learned = talk.state.last_lesson().expect("a lesson");
    assert_eq!(learned.lesson.after.as_deref(), Some("Better"));
}

#[test]
fn an_undone_lesson_can_be_rated_anew_or_brought_back() {
    let mut talk = Talk::taught();
    assert!(talk.state.rateable().is_none(), "a taught post is not rated again");
    let request = talk.ask(Command::Go { to: 0 });
    assert_eq!(talk.state.undo(), None, "once is enough");
    talk.answer(request, Event::Went { to: 0 });
    talk.expect(Phase::Ready, NextAction::Teach);
    assert_eq!(talk.state.status, "Lesson 1 is taken back.");
    assert_eq!(
        (talk.state.timeline.depth(), talk.state.undo(), talk.state.redo()),
        (0, None, Some(1))
    );
    assert!(talk.state.rateable().is_some());
    let request = talk.ask(Command::Go { to: 1 });
    talk.answer(request, Event::Went { to: 1 });
    assert_eq!(talk.state.status, "Lesson 1 is back.");
    talk.expect(Phase::Ready, NextAction::Write);
}

#[test]
fn candidates_are_rated_one_by_one_or_the_best_is_chosen() {
    let mut talk = Talk::with(vec![post(1)]);
    talk.write(&[2, 3, 4]);
    assert_eq!(
        talk.state.status,
        "Posts 2 to 4 are written. Rate them, or choose the best."
    );
    assert_eq!(talk.state.current().map(|post| post.id), Some(2));
    talk.rate_all(4);
    talk.state.chosen = Some(4);
    talk.rate(Metric::Relevance, 1);
    assert_eq!(words::lesson_hint(&talk.state), "1 of 3 are rated. Ready to teach.");
    let expected = Material::Rated(vec![Judgement {
        post: 2,
        ratings: Ratings::all(star(4)).into(),
        filled_in: PartialRatings::default(),
    }]);
    assert_eq!(
        talk.state.teachable(),
        Some(expected),
        "what is half rated is not taught"
    );
    let expected = Material::Preferred {
        chosen: 3,
        rejected: vec![2, 4],
    };
    assert_eq!(talk.state.preference(3), Some(expected));
    assert_eq!(talk.state.preference(1), None, "that one is none of them");

    let request = talk.teach();
    talk.learn(
        request,
        vec![Post {
            group: 2,
            ..rated(2, 4, 0)
        }],
    );
    talk.expect(Phase::Ready, NextAction::Write);
    talk.write(&[5]);
    assert_eq!(talk.state.chosen, None);
    assert_eq!(talk.state.preference(5), None, "there is nothing to compare it with");
}

#[test]
fn a_lesson_that_breaks_a_guard_rail_is_taken_back_in_words() {
    let mut talk = Talk::taught();
    talk.write(&[2]);
    talk.rate_all(5);
    let request = talk.teach();
    talk.learn(request, vec![rated(2, 5, 1)]);
    assert_eq!(talk.state.watching, Some(2));
    let breach = Some((Breach::Repeats, 1));
    talk.answer(request, Event::Watched { node: 2, breach });
    assert_eq!((talk.state.timeline.at(), talk.state.watching), (1, None));
    let problem = talk.state.problem_at(Place::Lesson).expect("a sentence");
    assert!(problem.contains("began to repeat themselves"), "{problem}");
    assert_eq!(talk.state.redo(), Some(2));
}

#[test]
fn lessons_have_names_and_can_be_deleted() {
    let mut talk = Talk::taught();
    let name = "short and clear".to_owned();
    let request = talk.ask(Command::Name {
        node: 1,
        name: name.clone(),
    });
    talk.answer(request, Event::Named { node: 1, name });
    assert_eq!(
        words::lesson_name(&talk.state.timeline, 1),
        "lesson 1, “short and clear”"
    );
    let request = talk.ask(Command::Delete { node: 1 });
    talk.answer(request, Event::Deleted { node: 1 });
    assert_eq!(talk.state.timeline.depth(), 0);
    talk.expect(Phase::Ready, NextAction::Teach);
}

#[test]
fn a_late_answer_does_not_take_a_newer_rating_back() {
    let mut talk = Talk::with(vec![post(1)]);
    let first = talk.rate(Metric::Relevance, 5);
    let kept = talk.state.current().expect("a post").ratings;
    talk.rate(Metric::Clarity, 2);
    talk.answer(first, Event::Rated { post: 1, ratings: kept });
    assert_eq!(
        talk.state.current().expect("a post").ratings.get(Metric::Clarity),
        Some(star(2))
    );
}

#[test]
fn a_problem_is_shown_where_it_happened() {
    let mut talk = Talk::with(vec![]);
    let request = talk.ask(write());
    talk.fail(request, false);
    talk.expect(Phase::Ready, NextAction::Write);
    assert_eq!(talk.state.problem_at(Place::Desk), Some("It broke."));

    talk.write(&[1]);
    assert_eq!(
        talk.state.problem, None,
        "the next thing that the person does clears it"
    );
    talk.rate_all(4);
    let request = talk.teach();
    talk.fail(request, false);
    talk.expect(Phase::Ready, NextAction::Teach);
    assert_eq!(talk.state.problem_at(Place::Lesson), Some("It broke."));
}

#[test]
fn a_rating_that_is_not_kept_does_not_end_the_post_that_is_being_written() {
    let mut talk = Talk::with(vec![post(1)]);
    let rating = talk.rate(Metric::Relevance, 5);
    talk.ask(write());
    talk.fail(rating, false);
    talk.expect(Phase::Writing, NextAction::Wait);
    assert_eq!(talk.state.problem_at(Place::Lesson), Some("It broke."));
}

#[test]
fn another_type_of_text_brings_its_own_history() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    let request = talk.ask(Command::Choose {
        content: ContentType::Email,
    });
    talk.expect(Phase::Loading, NextAction::Wait);
    let email = Post {
        content: ContentType::Email,
        ..post(1)
    };
    let memory = Memory {
        posts: vec![email],
        ..Memory::default()
    };
    talk.answer(
        request,
        Event::Chosen {
            content: ContentType::Email,
            memory,
            keeping: Keeping::Kept,
        },
    );
    talk.expect(Phase::Ready, NextAction::Rate);
    assert_eq!(talk.state.status, "E-mail: 1 e-mail and 0 lessons from before.");
    assert_eq!(words::lesson_hint(&talk.state), "Rate the e-mail on all four.");
    assert!(
        talk.state
            .rateable()
            .is_some_and(|post| post.content == ContentType::Email)
    );
}

#[test]
fn a_type_that_cannot_be_opened_leaves_the_one_before() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    let request = talk.ask(Command::Choose {
        content: ContentType::Copy,
    });
    talk.fail(request, false);
    talk.expect(Phase::Ready, NextAction::Teach);
    assert_eq!(talk.state.content, ContentType::Post);
}

#[test]
fn a_picked_model_is_copied_then_opened_and_may_be_deleted() {
    let mut talk = Talk::with(vec![post(1)]);
    let request = talk.ask(Command::Open {
        source: ModelSource::Files,
        content: ContentType::Post,
        precision: Precision::default(),
    });
    let loading = Event::Loading {
        received: 5,
        total: Some(10),
    };
    talk.answer(request, loading);
    talk.answer(request, Event::Keeping { copied: 4, total: 10 });
    talk.expect(Phase::Loading, NextAction::Wait);
    assert_eq!((talk.state.loading, talk.state.copying), (None, Some((4, 10))));
    let opened = Event::Opened {
        model: model(),
        memory: Memory::default(),
        keeping: Keeping::Kept,
    };
    talk.answer(request, opened);
    talk.expect(Phase::Ready, NextAction::Write);
    let kept = KeptModel {
        id: "shelf".into(),
        model: Some("f".into()),
        name: "Fledgling".into(),
        bytes: 10,
        whole: true,
    };
    talk.answer(request, Event::Kept { models: vec![kept] });
    assert_eq!(talk.state.kept_as(), Some("shelf"));

    let request = talk.ask(Command::Discard { id: "shelf".into() });
    talk.answer(request, Event::Kept { models: Vec::new() });
    assert_eq!(talk.state.kept_as(), None);
    talk.expect(Phase::Ready, NextAction::Write);
}

#[test]
fn a_model_that_cannot_be_opened_leaves_the_one_before() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    let request = talk.ask(Command::Open {
        source: ModelSource::Files,
        content: ContentType::Post,
        precision: Precision::default(),
    });
    talk.fail(request, false);
    talk.expect(Phase::Ready, NextAction::Teach);
}

#[test]
fn a_fatal_failure_leaves_no_model() {
    let mut talk = Talk::default();
    let request = talk.ask(open());
    talk.fail(request, true);
    talk.expect(Phase::Error, NextAction::Wait);
}

#[test]
fn a_stopped_lesson_leaves_everything_as_it_was() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    let before = talk.state.posts.clone();
    let request = talk.teach();
    talk.answer(request, Event::Stepped { step: step(1) });
    talk.ask(Command::Stop);
    talk.answer(request, Event::Stopped);
    talk.expect(Phase::Ready, NextAction::Teach);
    assert_eq!((talk.state.posts.clone(), talk.state.timeline.depth()), (before, 0));
    assert!(talk.state.steps.is_empty());
}

#[test]
fn a_worker_that_dies_is_started_again_but_not_for_ever() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    talk.teach();
    assert!(talk.state.worker_lost(0.0));
    let problem = talk.state.problem_at(Place::Desk).expect("a sentence").to_owned();
    assert!(problem.contains("not learned"), "{problem}");
    talk.expect(Phase::Loading, NextAction::Wait);

    let again = talk.ask(open());
    talk.answer(
        again,
        Event::Opened {
            model: model(),
            memory: Memory::default(),
            keeping: Keeping::Kept,
        },
    );
    assert_eq!(
        talk.state.problem_at(Place::Desk),
        Some(problem.as_str()),
        "still there to be read"
    );

    assert!(talk.state.worker_lost(1_000.0));
    assert!(talk.state.worker_lost(2_000.0));
    assert!(talk.state.worker_lost(65_000.0), "slow deaths are not counted together");
    assert!(talk.state.worker_lost(66_000.0));
    assert!(
        !talk.state.worker_lost(67_000.0),
        "three within a minute, none of which opened a model"
    );
    talk.expect(Phase::Error, NextAction::Wait);
}

#[test]
fn forgetting_leaves_the_model_alone() {
    let mut talk = Talk::with(vec![rated(1, 4, 0)]);
    let request = talk.ask(Command::Forget);
    talk.answer(request, Event::Forgotten);
    talk.expect(Phase::Ready, NextAction::Write);
    assert!(talk.state.model.is_some() && talk.state.posts.is_empty());
}

#[test]
fn teach_says_what_is_missing() {
    let mut talk = Talk::with(vec![]);
    assert_eq!(
        words::why_not_teach(&talk.state).as_deref(),
        Some("There is no post to teach from yet: write one first.")
    );
    talk.write(&[1]);
    assert_eq!(words::lesson_hint(&talk.state), "Rate the post on all four.");
    talk.rate(Metric::Relevance, 3);
    talk.rate(Metric::Originality, 3);
    assert_eq!(
        words::why_not_teach(&talk.state).as_deref(),
        Some("Rate Clarity and Engagement first.")
    );
    talk.rate(Metric::Clarity, 3);
    talk.rate(Metric::Engagement, 3);
    assert_eq!(words::why_not_teach(&talk.state), None);
}

#[test]
fn digits_move_down_the_list_and_back_to_what_was_left_out() {
    let mut ratings = PartialRatings::default();
    ratings.set(Metric::Clarity, star(3));
    assert_eq!(next_metric(Metric::Clarity, &ratings), Some(Metric::Originality));
    ratings.set(Metric::Engagement, star(3));
    assert_eq!(next_metric(Metric::Engagement, &ratings), Some(Metric::Relevance));
    let all = Ratings::all(star(3)).into();
    assert_eq!(next_metric(Metric::Engagement, &all), None);
}

#[test]
fn the_curve_and_its_sentence() {
    let weights = Weights::default();
    assert_eq!(
        curve::sentence(ContentType::Post, &[]),
        "Every post that you rate becomes a dot here."
    );
    let posts = [rated(1, 1, 0), post(2), rated(3, 3, 0), rated(4, 5, 1)];
    let points = curve::points(&posts, &weights);
    assert_eq!(points.iter().map(|point| point.post).collect::<Vec<_>>(), [1, 3, 4]);
    assert_eq!(
        points.iter().map(|point| point.reward).collect::<Vec<_>>(),
        [0.0, 0.5, 1.0]
    );
    assert_eq!(
        points.iter().map(|point| point.running_mean).collect::<Vec<_>>(),
        [0.0, 0.25, 0.5]
    );
    assert_eq!(curve::untaught_mean(&points), Some(0.25));
    assert_eq!(
        curve::sentence(ContentType::Post, &points),
        "3 posts are rated, 0.50 on average. Before any lesson 0.25 (2), after lessons 1.00 (1)."
    );
}

#[test]
fn numbers_become_words() {
    assert_eq!(
        words::loading(9_120_000, Some(13_800_000)),
        "Reading the model: 9.1 of 13.8 MB"
    );
    assert_eq!(words::size(&model()), "13.8 million weights");
    let lesson = |change: fn(&mut Taught)| {
        let mut lesson = test_lesson(&[1]);
        change(&mut lesson.posts[0]);
        lesson
    };
    assert_eq!(
        words::verdict(&lesson(|_| ())),
        "0.75 is better than your usual 0.50: more of this."
    );
    let worse = lesson(|taught| (taught.coefficient, taught.reward) = (-0.1, Some(0.25)));
    assert_eq!(
        words::verdict(&worse),
        "0.25 is worse than your usual 0.50: less of this."
    );
    let same = lesson(|taught| taught.log_prob_after = -3.0);
    assert_eq!(words::likelier_words(&same.posts[0]), "about as likely as before");
}

#[test]
fn a_blind_test_counts_for_whom_it_was_and_proves_nothing_too_early() {
    let mut talk = Talk::taught();
    let tally = |talk: &Talk| talk.state.last_lesson().expect("a lesson").lesson.tally;
    for (taught_first, better) in [(true, Some(0)), (false, Some(1)), (true, None), (false, Some(0))] {
        let request = talk.ask(Command::Pair { seed: 1 });
        let pair = Pair {
            node: 1,
            prompt: "Managing risk".into(),
            texts: ["One.".into(), "Two.".into()],
            taught_first,
        };
        talk.answer(request, Event::Paired { pair });
        let judging = talk.state.judging(better).expect("a pair");
        let Command::Judge { verdict, .. } = &judging else {
            panic!("{judging:?}")
        };
        let next = tally(&talk).with(*verdict);
        let request = talk.ask(judging);
        assert_eq!(talk.state.judging(better), None, "one verdict on each pair");
        talk.answer(request, Event::Judged { node: 1, tally: next });
    }
    let Tally { taught, untaught, ties } = tally(&talk);
    assert_eq!((taught, untaught, ties), (2, 1, 1));
    assert!(
        words::proof(tally(&talk)).contains("Not proven yet"),
        "{}",
        words::proof(tally(&talk))
    );
    let tally = |taught, untaught| {
        words::proof(Tally {
            taught,
            untaught,
            ties: 0,
        })
    };
    assert!(tally(6, 0).contains("It is better, proven"));
    assert!(tally(0, 6).contains("It is worse, proven"));
    assert!(tally(3, 3).contains("Not proven: "));
}

#[test]
fn a_file_is_looked_at_before_it_is_taken_in() {
    let mut talk = Talk::taught();
    let before = talk.state.clone();
    let request = talk.ask(Command::Inspect);
    assert!(!talk.state.is_idle(), "one file at a time");
    let taste = TasteInfo {
        base: "Seedling".into(),
        texts: 3,
        ratings: 2,
        made_at: Some(1_795_892_994_000.0),
        ..TasteInfo::default()
    };
    talk.answer(request, Event::Inspected { taste });
    assert_eq!(
        (&talk.state.posts, &talk.state.timeline),
        (&before.posts, &before.timeline)
    );
    let facts = words::taste(talk.state.offer.as_ref().expect("an offer"));
    assert_eq!(
        facts,
        [
            ("Taught to", "Seedling".to_owned()),
            ("Ratings", "2 of 3 texts".to_owned()),
            ("Adapter", "none, ratings alone".to_owned()),
            ("Packed", "2026-11-28".to_owned()),
        ]
    );

    let request = talk.ask(Command::Import);
    assert_eq!(talk.state.offer, None);
    let mut timeline = talk.state.timeline.clone();
    let mut lesson = test_lesson(&[7]);
    lesson.kind = LessonKind::Imported;
    let id = timeline.learn(lesson, 10);
    let node = timeline.node(id).cloned();
    talk.answer(
        request,
        Event::Imported {
            posts: vec![rated(7, 5, 0)],
            new: 1,
            node,
        },
    );
    assert_eq!(
        talk.state.status,
        "Taken in: 1 post new here, and what was taught, as lesson 2. Undo takes the lesson back."
    );
    assert_eq!((talk.state.timeline.at(), talk.state.undo()), (2, Some(1)));
    assert!(talk.state.posts.iter().any(|post| post.id == 7));
    assert_eq!(
        words::taught_from(ContentType::Post, &talk.state.last_lesson().expect("a lesson").lesson),
        "from a file with 1 post"
    );
}

#[test]
fn a_file_that_is_refused_changes_nothing_and_says_so_beside_the_buttons() {
    let mut talk = Talk::taught();
    let before = talk.state.clone();
    let request = talk.ask(Command::Inspect);
    talk.fail(request, false);
    assert_eq!(talk.state.problem_at(Place::Travel), Some("It broke."));
    assert_eq!(talk.state.offer, None);
    assert!(talk.state.is_idle());
    assert_eq!((talk.state.posts, talk.state.timeline), (before.posts, before.timeline));
}

#[test]
fn there_is_something_to_export_once_something_is_said() {
    assert!(Talk::taught().state.can_export());
    assert!(Talk::with(vec![rated(1, 3, 0)]).state.can_export());
    let mut talk = Talk::with(vec![post(1)]);
    assert!(!talk.state.can_export(), "nobody has said anything");
    talk.rate(Metric::Clarity, 3);
    assert!(talk.state.can_export());
    let request = talk.ask(Command::Export {
        ratings: true,
        weights: Weights::default(),
    });
    let name = "seedling-post-2026-11-28.zip".to_owned();
    talk.answer(request, Event::Exported { name, bytes: 1_234_567 });
    assert_eq!(
        talk.state.status,
        "“seedling-post-2026-11-28.zip” is packed, 1.2 MB. Your browser saves it."
    );
}

#[test]
fn a_link_is_shown_until_something_else_is_in_force() {
    let mut talk = Talk::taught();
    assert_eq!(words::why_no_link(&talk.state), None);
    let request = talk.ask(Command::Link);
    assert!(!talk.state.is_idle(), "it takes a moment");
    let link = Link {
        fragment: "taste=1.post.0123456789abcdef.AAAA".into(),
        carried: 0.9396,
    };
    talk.answer(request, Event::Linked { link: link.clone() });
    assert_eq!(talk.state.link, Some(link));
    assert_eq!(
        talk.state.status,
        "The link is made. It carries 93 % of what you taught."
    );

    let to = ROOT;
    let request = talk.ask(Command::Go { to });
    talk.answer(request, Event::Went { to });
    assert_eq!(talk.state.link, None);
    let why_not = words::why_no_link(&talk.state).expect("a reason");
    assert!(why_not.contains("nothing to put into a link"), "{why_not}");
}

#[test]
fn a_link_that_is_refused_changes_nothing_and_says_so_beside_the_buttons() {
    let mut talk = Talk::taught();
    let before = talk.state.clone();
    let fragment = "taste=".to_owned();
    let request = talk.ask(Command::InspectLink { fragment });
    assert_eq!(talk.state.status, "Looking at the link …");
    talk.fail(request, false);
    assert_eq!(talk.state.problem_at(Place::Travel), Some("It broke."));
    assert!(talk.state.is_idle() && talk.state.offer.is_none());
    assert_eq!((talk.state.posts, talk.state.timeline), (before.posts, before.timeline));
}
