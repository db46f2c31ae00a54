//! Promise: where the automatic rater knows a person's taste, what the model practises are the very words that make it, and it
//! writes more of them.

use fledge::content::ContentType;
use fledge::engine::{Completion, Model};
use fledge::feedback::{Ratings, Stars, Weights};
use fledge::learning::batch::Batch;
use fledge::learning::rater::{Rated, Rater};
use fledge::learning::{Course, Learner, Material, Practice, credit, features};
use fledge::settings::{Lora, Sampling, Teaching};

use crate::fixtures::{embedded, reward, write_several};

/// What this person likes: to be spoken to.
fn to_the_reader(text: &str) -> usize {
    text.split(|c: char| !c.is_alphabetic())
        .filter(|word| ["you", "your"].contains(&word.to_lowercase().as_str()))
        .count()
}

/// Texts of which none was seen.
fn texts(model: &Model, learner: Option<&Learner>, prompts: &[&str], seed: u64, each: usize) -> Vec<Vec<Completion>> {
    let sampling = Sampling {
        seed,
        ..Sampling::default()
    };
    let write = |prompt: &&str| write_several(model, learner.map(Learner::adapter), prompt, &sampling, each);
    prompts.iter().map(write).collect()
}

/// A rater fitted on what the person gave some texts.
fn rater(model: &Model) -> Rater {
    let prompts = [
        "Selling online",
        "Working from home",
        "A good business plan",
        "Making decisions",
    ];
    let mut rated = Vec::new();
    for (prompt, texts) in prompts.iter().zip(texts(model, None, &prompts, 11, 6)) {
        let features = features::of(model, prompt, &texts).expect("features");
        for (text, features) in texts.iter().zip(features) {
            let stars = Stars::new(1 + to_the_reader(&text.text).min(4) as u8).expect("1 to 5");
            let ratings = Ratings::all(stars);
            rated.push(Rated { features, ratings });
        }
    }
    Rater::fit(&rated, &features::parts(model)).expect("a rater")
}

#[test]
fn the_words_that_a_person_likes_get_the_credit() {
    let model = embedded();
    let rater = rater(&model);
    let prompt = "Finding a mentor";
    let texts = texts(&model, None, &[prompt], 50, 8).remove(0);
    let batch = Batch::new(&texts, model.config().n_positions).expect("a batch");
    let references = batch.references(&model).expect("references");
    let judge = (&rater, &Weights::default());
    let pairs = &mut credit::Pairs::default();
    let advantages = credit::of_tokens(&model, judge, prompt, &texts, &references, pairs).expect("advantages");
    let (mut liked, mut others) = (Vec::new(), Vec::new());
    for (text, advantages) in texts.iter().zip(&advantages) {
        assert_eq!(text.ids.len(), advantages.len());
        for (id, advantage) in text.ids.iter().zip(advantages) {
            let token = model.tokenizer().decode(&[*id]).expect("a token");
            let of = if to_the_reader(&token) > 0 {
                &mut liked
            } else {
                &mut others
            };
            of.push(*advantage);
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(liked.len() > 3, "{}", liked.len());
    assert!(
        mean(&liked) > 0.3 && mean(&others).abs() < 0.1,
        "{} {}",
        mean(&liked),
        mean(&others)
    );
}

#[test]
fn practice_makes_the_model_write_more_of_what_the_person_likes() {
    let model = embedded();
    let mut learner = Learner::new(&model, Lora::default(), 7).expect("a learner");
    let prompts = ["Hiring the first employee", "Raising your prices", "Growing too fast"];
    let post = texts(&model, None, &prompts[..1], 90, 1).concat().remove(0);
    for lesson in 0..3 {
        let practice = Practice {
            rater: rater(&model),
            weights: Weights::default(),
            content: ContentType::Post,
            prompts: prompts.map(str::to_owned).to_vec(),
            seed: 1_000 * lesson,
        };
        assert!(practice.rater.insight().is_honest(&Weights::default()));
        let material = Material::Rated(vec![(&post, reward(3))]);
        let teaching = Teaching::default();
        let mut course = Course::begin(&learner, &model, &material, &[], &teaching, Some(practice)).expect("a course");
        while !course.done() {
            course.step(&mut learner, &model).expect("a step");
        }
        let outcome = course.finish(&mut learner, &model).expect("an outcome");
        assert!(outcome.practised > 0);
    }
    let unseen = ["Planning the year", "Talking about money", "Trust between partners"];
    let count = |learner: Option<&Learner>| -> usize {
        let texts = texts(&model, learner, &unseen, 300, 8).concat();
        texts.iter().map(|text| to_the_reader(&text.text)).sum()
    };
    let (untaught, taught) = (count(None), count(Some(&learner)));
    assert!(taught as f64 > 1.3 * untaught as f64, "{untaught} → {taught}");
}
