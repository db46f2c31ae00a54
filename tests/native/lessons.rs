//! Promise: a rating moves the rated post's likelihood in the rating's direction, gently, and a stopped lesson leaves no
//! trace.

use fledge::content::ContentType;
use fledge::engine::{Completion, Generation, Model};
use fledge::feedback::{Ratings, Stars, Weights};
use fledge::learning::{Learner, Lesson, LessonOutcome, StepReport};
use fledge::settings::{Lora, Objective, Sampling, Teaching};

use crate::fixtures::model;

fn post(model: &Model, seed: u64) -> Completion {
    let sampling = Sampling {
        seed,
        length: 20,
        repetition_penalty: 1.0,
        ..Sampling::default()
    };
    let mut generation =
        Generation::new(model, ContentType::Post, "A customer who complains", &sampling).expect("generation");
    while generation.next(model, None).expect("token").is_some() {}
    generation.finish(model).expect("post")
}

fn learner(model: &Model) -> Learner {
    Learner::new(model, Lora::default(), 7).expect("learner")
}

fn teach(
    learner: &mut Learner,
    model: &Model,
    completion: &Completion,
    stars: Stars,
    teaching: &Teaching,
) -> (LessonOutcome, Vec<StepReport>) {
    let reward = Weights::default().reward(&Ratings::all(stars));
    let mut lesson = Lesson::begin(learner, model, completion, reward, teaching).expect("lesson");
    let mut reports = Vec::new();
    while !lesson.done() {
        reports.push(lesson.step(learner, model).expect("step"));
    }
    (lesson.finish(learner, model).expect("finish"), reports)
}

#[test]
fn a_good_post_becomes_likelier_and_a_bad_one_less_likely() {
    let model = model("tiny-gpt2");
    let completion = post(&model, 3);
    for (stars, rises) in [(Stars::FIVE, true), (Stars::ONE, false)] {
        let (outcome, reports) = teach(&mut learner(&model), &model, &completion, stars, &Teaching::default());
        assert_eq!(outcome.log_prob_after > outcome.log_prob_before, rises, "{outcome:?}");
        assert_eq!(reports.len(), Teaching::default().steps);
        assert!(reports.iter().all(|r| r.loss.is_finite() && r.gradient_norm > 0.0));
        assert!(
            reports[0].kl.abs() < 1e-6,
            "the first step starts from the untaught model"
        );
    }
}

#[test]
fn the_original_objective_pushes_even_a_poor_post_up() {
    let model = model("tiny-gpt2");
    let completion = post(&model, 3);
    let two = Stars::new(2).expect("stars");
    let teaching = Teaching {
        objective: Objective::RewardWeighted,
        ..Teaching::default()
    };
    let (original, _) = teach(&mut learner(&model), &model, &completion, two, &teaching);
    let (advantage, _) = teach(&mut learner(&model), &model, &completion, two, &Teaching::default());
    assert!(original.log_prob_after > original.log_prob_before);
    assert!(advantage.log_prob_after < advantage.log_prob_before);
}

#[test]
fn pushing_down_has_a_floor() {
    let model = model("tiny-gpt2");
    let completion = post(&model, 5);
    let mut learner = learner(&model);
    let teaching = Teaching {
        steps: 16,
        ..Teaching::default()
    };
    let mut last = f64::INFINITY;
    for round in 0..8 {
        let (outcome, _) = teach(&mut learner, &model, &completion, Stars::ONE, &teaching);
        assert!(outcome.log_prob_after.is_finite());
        last = outcome.log_prob_before - outcome.log_prob_after;
        assert!(last < 4.0, "round {round} pushed by {last} nats a token");
    }
    assert!(last < 0.5, "after many rounds it still falls by {last} nats a token");
}

#[test]
fn the_prompt_carries_no_loss() {
    let model = model("tiny-gpt2");
    let completion = post(&model, 3);
    let tail = completion.ids.len() - 1;
    let shorter = Completion {
        prompt_ids: [completion.prompt_ids.as_slice(), &completion.ids[..tail]].concat(),
        ids: completion.ids[tail..].to_vec(),
        log_probs: completion.log_probs[tail..].to_vec(),
        ..completion.clone()
    };
    let reward = Weights::default().reward(&Ratings::all(Stars::FIVE));
    let mut learner = learner(&model);
    let lesson = Lesson::begin(&learner, &model, &shorter, reward, &Teaching::default()).expect("lesson");
    let outcome = lesson.finish(&mut learner, &model).expect("outcome");
    let expected = f64::from(completion.log_probs[tail]);
    assert!(
        (outcome.log_prob_before - expected).abs() < 1e-4,
        "{outcome:?}, but the last token has {expected}"
    );
}

#[test]
fn a_stopped_lesson_leaves_no_trace() {
    let model = model("tiny-gpt2");
    let mut learner = learner(&model);
    teach(
        &mut learner,
        &model,
        &post(&model, 1),
        Stars::FIVE,
        &Teaching::default(),
    );
    let before = learner.snapshot().expect("snapshot");
    let reward = Weights::default().reward(&Ratings::all(Stars::FIVE));
    let mut lesson = Lesson::begin(&learner, &model, &post(&model, 2), reward, &Teaching::default()).expect("lesson");
    lesson.step(&mut learner, &model).expect("step");
    assert_ne!(learner.snapshot().expect("snapshot"), before);
    drop(lesson);
    learner.restore(&before).expect("restore");
    assert_eq!(learner.snapshot().expect("snapshot"), before);
}

#[test]
fn an_empty_post_teaches_nothing_and_says_so() {
    let model = model("tiny-gpt2");
    let empty = Completion {
        ids: Vec::new(),
        log_probs: Vec::new(),
        ..post(&model, 1)
    };
    let reward = Weights::default().reward(&Ratings::all(Stars::FIVE));
    let Err(error) = Lesson::begin(&learner(&model), &model, &empty, reward, &Teaching::default()) else {
        panic!("an empty post was accepted");
    };
    assert!(error.to_string().contains("empty"));
}
