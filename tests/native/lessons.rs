//! Promise: a rating moves the rated post's likelihood in the rating's direction, gently, and a stopped lesson leaves no
//! trace.

use fledge::engine::{Completion, Model};
use fledge::learning::batch::Batch;
use fledge::learning::lesson::TextOutcome;
use fledge::learning::replay::Past;
use fledge::learning::{Error, Learner, Lesson, Material, StepReport};
use fledge::settings::{Lora, Objective, Sampling, Teaching};

use crate::fixtures::{embedded, model, reward, teach, write, write_several};

fn post(model: &Model, seed: u64) -> Completion {
    let sampling = Sampling {
        seed,
        length: 20,
        repetition_penalty: 1.0,
        ..Sampling::default()
    };
    write(model, None, "A customer who complains", &sampling)
}

fn learner(model: &Model) -> Learner {
    Learner::new(model, Lora::default(), 7).expect("learner")
}

/// Teaches one post alone.
fn rate(
    learner: &mut Learner,
    model: &Model,
    completion: &Completion,
    stars: u8,
    teaching: &Teaching,
) -> (TextOutcome, Vec<StepReport>) {
    let material = Material::Rated(vec![(completion, reward(stars))]);
    let (outcome, reports) = teach(learner, model, &material, teaching);
    (outcome.texts[0], reports)
}

/// A lesson on one good post, not begun.
fn lesson(learner: &Learner, model: &Model, completion: &Completion) -> Result<Lesson, Error> {
    let material = Material::Rated(vec![(completion, reward(5))]);
    Lesson::begin(learner, model, &material, &[], &Teaching::default())
}

#[test]
fn a_good_post_becomes_likelier_and_a_bad_one_less_likely() {
    let model = model("tiny-gpt2");
    let completion = post(&model, 3);
    for (stars, rises) in [(5, true), (1, false)] {
        let (outcome, reports) = rate(&mut learner(&model), &model, &completion, stars, &Teaching::default());
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
    let teaching = Teaching {
        objective: Objective::RewardWeighted,
        ..Teaching::default()
    };
    let (original, _) = rate(&mut learner(&model), &model, &completion, 2, &teaching);
    let (advantage, _) = rate(&mut learner(&model), &model, &completion, 2, &Teaching::default());
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
        let (outcome, _) = rate(&mut learner, &model, &completion, 1, &teaching);
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
    let mut learner = learner(&model);
    let lesson = lesson(&learner, &model, &shorter).expect("lesson");
    let outcome = lesson.finish(&mut learner, &model).expect("outcome").texts[0];
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
    rate(&mut learner, &model, &post(&model, 1), 5, &Teaching::default());
    let before = learner.snapshot().expect("snapshot");
    let mut lesson = lesson(&learner, &model, &post(&model, 2)).expect("lesson");
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
    let Err(error) = lesson(&learner(&model), &model, &empty) else {
        panic!("an empty post was accepted");
    };
    assert!(error.to_string().contains("empty"));
}

#[test]
fn of_candidates_the_better_gain_on_the_others() {
    let model = model("tiny-gpt2");
    let sampling = Sampling {
        length: 20,
        ..Sampling::default()
    };
    let texts = write_several(&model, None, "A customer who complains", &sampling, 3);
    // All are above the usual; what counts is how they compare.
    let material = Material::Rated(
        texts
            .iter()
            .zip([5, 4, 4])
            .map(|(text, stars)| (text, reward(stars)))
            .collect(),
    );
    let (outcome, _) = teach(&mut learner(&model), &model, &material, &Teaching::default());
    let [best, second, third] = [0, 1, 2].map(|at| outcome.texts[at]);
    assert!(
        best.coefficient > 0.0 && second.coefficient < 0.0 && third.coefficient < 0.0,
        "{outcome:?}"
    );
    let gain = |text: TextOutcome| text.log_prob_after - text.log_prob_before;
    assert!(gain(best) > gain(second) && gain(best) > gain(third), "{outcome:?}");
}

#[test]
fn a_preference_moves_two_posts_apart() {
    let model = model("tiny-gpt2");
    let (chosen, rejected) = (post(&model, 3), post(&model, 4));
    let material = Material::Preferred {
        chosen: &chosen,
        rejected: vec![&rejected],
    };
    let (outcome, _) = teach(&mut learner(&model), &model, &material, &Teaching::default());
    let [chosen, rejected] = [0, 1].map(|at| outcome.texts[at].log_prob_after - outcome.texts[at].log_prob_before);
    assert!(chosen > rejected, "{outcome:?}");
    assert!(
        (outcome.texts[0].coefficient - 0.5).abs() < 1e-6,
        "nothing is preferred before the first step"
    );
}

#[test]
fn an_edit_is_a_good_example_and_better_than_what_it_replaces() {
    let model = model("tiny-gpt2");
    let (edit, replaced) = (post(&model, 3), post(&model, 4));
    // A person's own words were drawn by no model.
    let edit = Completion {
        log_probs: Vec::new(),
        ..edit
    };
    let material = Material::Demonstrated {
        edit: &edit,
        replaced: &replaced,
    };
    let (outcome, _) = teach(&mut learner(&model), &model, &material, &Teaching::default());
    let [edit, replaced] = [0, 1].map(|at| outcome.texts[at].log_prob_after - outcome.texts[at].log_prob_before);
    assert!(edit > 0.0 && edit > replaced, "{outcome:?}");
}

#[test]
fn what_is_replayed_is_taught_along() {
    let model = model("tiny-gpt2");
    let (new, old) = (post(&model, 3), post(&model, 4));
    let past = [Past {
        completion: &old,
        reward: reward(5),
        age: 1,
    }];
    let material = Material::Rated(vec![(&new, reward(5))]);
    let log_prob = |learner: &Learner| {
        let lesson = lesson(learner, &model, &old).expect("lesson");
        lesson
            .finish(
                &mut Learner::from_snapshot(&learner.snapshot().expect("a snapshot"), &model).expect("a copy"),
                &model,
            )
            .expect("outcome")
            .texts[0]
            .log_prob_before
    };
    let after = |past: &[Past]| {
        let mut learner = learner(&model);
        let mut lesson = Lesson::begin(&learner, &model, &material, past, &Teaching::default()).expect("lesson");
        while !lesson.done() {
            lesson.step(&mut learner, &model).expect("step");
        }
        let outcome = lesson.finish(&mut learner, &model).expect("outcome");
        assert_eq!((outcome.texts.len(), outcome.replayed), (1, past.len()));
        log_prob(&learner)
    };
    assert!(after(&past) > after(&[]));
}

/// How far one lesson may move a text that has nothing to do with it, in nats a token.
const UNRELATED: f64 = 0.1;

#[test]
fn one_rating_moves_its_post_and_leaves_other_prompts_alone() {
    let model = embedded();
    let post = write(&model, None, "Advice for entrepreneurs", &Sampling::default());
    let others = ["Window cleaning", "How to negotiate", "A quiet week"]
        .map(|prompt| write(&model, None, prompt, &Sampling::default()));
    for (stars, rises) in [(5, true), (1, false)] {
        let mut learner = learner(&model);
        let log_probs = |learner: &Learner| -> Vec<f64> {
            let batch = Batch::new(&others, model.config().n_positions).expect("a batch");
            let references = batch.references(&model).expect("references");
            let readings = batch
                .read(&model, Some(learner.adapter()), &references)
                .expect("readings");
            readings.iter().map(|reading| reading.log_prob).collect()
        };
        let before = log_probs(&learner);
        let (outcome, _) = rate(&mut learner, &model, &post, stars, &Teaching::default());
        assert_eq!(outcome.log_prob_after > outcome.log_prob_before, rises, "{outcome:?}");
        for (before, after) in before.iter().zip(log_probs(&learner)) {
            let moved = (after - before).abs();
            println!(
                "{stars} stars: the post by {:.3}, another by {moved:.3}",
                outcome.log_prob_after - outcome.log_prob_before
            );
            assert!(moved < UNRELATED, "{moved}");
        }
    }
}
