//! The automatic rater on the page: what it fills in, what it asks, its rounds, and what it measures.

use super::{Talk, post, rated, star};
use crate::feedback::{Metric, PartialRatings, Ratings, Weights};
use crate::insight::{Check, Guess, Insight};
use crate::protocol::{Command, Event, Judgement, LessonKind, Material, Measured, PostId, test_lesson};
use crate::rails::Breach;
use crate::settings::Teaching;
use crate::timeline::Node;
use crate::view::{NextAction, Phase, words};

/// A rater that knows so many ratings, and was right about all of them.
fn insight(ratings: u8) -> Insight {
    let check = |at: u8| Check {
        given: Ratings::all(star(at % 5 + 1)),
        guessed: [f64::from(at % 5 + 1); 4],
    };
    Insight {
        checks: (0..ratings).map(check).collect(),
    }
}

const fn guess(stars: f64, doubt: f64) -> Guess {
    Guess {
        stars: [stars; 4],
        doubt,
    }
}

impl Talk {
    fn know(&mut self, ratings: u8, guesses: &[(PostId, Guess)]) {
        self.state.fill_in = true;
        let event = Event::Known {
            insight: insight(ratings),
            guesses: guesses.to_vec(),
        };
        let request = self.last;
        self.answer(request, event);
    }

    fn automatic(&mut self, request: u64, posts: &[PostId]) {
        let mut lesson = test_lesson(posts);
        lesson.kind = LessonKind::Automatic;
        let node = Node {
            id: self.state.timeline.next(),
            parent: self.state.timeline.at(),
            name: String::new(),
            lesson,
            bytes: 10,
        };
        let posts = posts.iter().map(|id| post(*id)).collect();
        self.answer(request, Event::Learned { posts, node });
    }
}

#[test]
fn it_says_nothing_until_it_is_honest() {
    let mut talk = Talk::default();
    talk.know(11, &[]);
    assert!(words::insight(&talk.state).contains("11 of the 12"));
    let mut talk = Talk::with(vec![]);
    talk.write(&[1]);
    talk.know(11, &[(1, guess(4.0, 0.5))]);
    talk.expect(Phase::Ready, NextAction::Rate);
    assert_eq!(talk.state.shown(&post(1)), PartialRatings::default());
}

#[test]
fn what_it_fills_in_can_be_taught_corrected_and_stays_its_own() {
    let mut talk = Talk::with(vec![]);
    talk.write(&[1]);
    talk.know(12, &[(1, guess(3.6, 0.5))]);
    talk.expect(Phase::Ready, NextAction::Teach);
    assert_eq!(
        words::lesson_hint(&talk.state),
        "Filled in as you would rate it. Correct it, or teach."
    );
    talk.rate(Metric::Clarity, 1);
    let mut own = PartialRatings::default();
    own.set(Metric::Clarity, star(1));
    let filled_in = PartialRatings::from(Ratings::all(star(4))).without(&own);
    let expected = Judgement {
        post: 1,
        ratings: own,
        filled_in,
    };
    assert_eq!(talk.state.teachable(), Some(Material::Rated(vec![expected])));

    talk.state.fill_in = false;
    assert_eq!(
        talk.state.teachable(),
        None,
        "it fills nothing in against the person's wish"
    );
}

#[test]
fn of_what_it_is_not_sure_it_asks() {
    let mut talk = Talk::with(vec![]);
    talk.write(&[1, 2]);
    talk.know(20, &[(1, guess(2.0, 0.5)), (2, guess(4.0, 1.5))]);
    assert_eq!(talk.state.unsure_of(), Some(2));
    let post = |id| talk.state.posts.iter().find(|post| post.id == id).expect("there");
    assert!(talk.state.shown(post(2)).is_empty() && !talk.state.shown(post(1)).is_empty());
    assert!(words::insight(&talk.state).contains("not sure of post 2"));
}

#[test]
fn of_several_candidates_it_has_a_favourite() {
    let mut talk = Talk::with(vec![]);
    talk.write(&[1, 2, 3]);
    assert_eq!(talk.state.current().map(|post| post.id), Some(1));
    talk.know(12, &[(1, guess(2.0, 0.5)), (2, guess(4.0, 0.5)), (3, guess(3.0, 0.5))]);
    assert_eq!(talk.state.current().map(|post| post.id), Some(2));
    talk.state.chosen = Some(3);
    assert_eq!(
        talk.state.current().map(|post| post.id),
        Some(3),
        "the person's choice counts more"
    );
}

#[test]
fn its_rounds_are_one_piece_of_work() {
    let mut talk = Talk::with(vec![]);
    talk.know(12, &[]);
    let request = talk.ask(Command::TeachItself {
        rounds: 2,
        weights: Weights::default(),
        teaching: Teaching::default(),
    });
    for number in 1..=2 {
        let prompt = "Coffee".to_owned();
        talk.answer(request, Event::Round { number, of: 2, prompt });
        talk.answer(
            request,
            Event::Written {
                posts: vec![post(number as PostId)],
            },
        );
        talk.expect(Phase::Teaching, NextAction::Wait);
        talk.automatic(request, &[number as PostId]);
        talk.expect(Phase::Teaching, NextAction::Wait);
        let breach = (number == 2).then_some((Breach::Distinct, 1));
        let node = number as u32;
        talk.answer(request, Event::Watched { node, breach });
    }
    talk.answer(request, Event::Rounded { rounds: 1 });
    talk.expect(Phase::Ready, NextAction::Rate);
    assert_eq!(
        talk.state.status,
        "1 round learned; the last one was taken back, and it stopped there."
    );
    assert_eq!(talk.state.timeline.at(), 1);
}

#[test]
fn what_it_measures_is_said_with_its_doubts() {
    let mut talk = Talk::taught();
    let request = talk.ask(Command::Measure {
        weights: Weights::default(),
    });
    talk.answer(request, Event::Measuring { done: 3, of: 24 });
    assert_eq!(talk.state.measuring, Some((3, 24)));
    let measured = Measured {
        untaught: 0.4,
        taught: 0.5,
        low: 0.12,
        high: 0.38,
        texts: 24,
        correlation: 0.55,
    };
    talk.answer(request, Event::Measured { node: 1, measured });
    assert_eq!(talk.state.measuring, None);
    assert_eq!(
        talk.state.last_lesson().and_then(|node| node.lesson.measured),
        Some(measured)
    );
    assert!(
        talk.state.status.contains("+25 % (95 %: +12 % to +38 %), better"),
        "{}",
        talk.state.status
    );
    let luck = Measured { low: -0.1, ..measured };
    assert!(words::measured(&luck).contains("not proven"));
}

#[test]
fn other_weights_offer_to_teach_again_what_they_change() {
    let mut talk = Talk::taught();
    assert_eq!(
        talk.state.reweighted(),
        0,
        "four stars on all are 0.75 under any weights"
    );
    let mut uneven = rated(1, 4, 0);
    uneven.ratings.set(Metric::Clarity, star(1));
    talk.state.posts = vec![uneven];
    talk.state.weights = Weights::from([0.0, 1.0, 0.0, 0.0]);
    assert_eq!(talk.state.reweighted(), 1);
    assert!(words::reweighted(talk.state.content, 1).starts_with("1 post was taught"));
}
