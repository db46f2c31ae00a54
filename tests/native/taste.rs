//! Promise: what a person rewards becomes more frequent, on prompts that were never taught. A simulated rater who likes
//! posts with a question mark and nothing else teaches the embedded model twenty times.

use std::collections::HashSet;

use candle_core::{Device, Tensor};
use candle_nn::ops::softmax;
use fledge::content::ContentType;
use fledge::engine::linear::Input;
use fledge::engine::{Adapter, Completion, Model};
use fledge::learning::{Learner, Material};
use fledge::settings::{Lora, Sampling, Teaching};

use crate::fixtures::{embedded, reward, teach, write_several};

const TAUGHT: [&str; 10] = [
    "Advice for entrepreneurs",
    "How to keep customers",
    "Pricing a new product",
    "Hiring the first employee",
    "Cash flow for small shops",
    "Leadership in hard times",
    "Why meetings take so long",
    "Selling online",
    "Building a brand",
    "Working from home",
];

/// Posts that are looked at for each held-out prompt.
const POSTS_EACH: usize = 4;
/// How often each prompt is taught.
const TIMES: u64 = 2;
/// What a single learner learns depends on the posts that it happens to be taught: of eight, the frequency rose by 15 to 250 %.
const LEARNERS: u64 = 2;

fn posts(model: &Model, adapter: Option<&Adapter>, prompt: &str, seed: u64, count: usize) -> Vec<Completion> {
    let sampling = Sampling {
        seed,
        length: 60,
        ..Sampling::default()
    };
    write_several(model, adapter, prompt, &sampling, count)
}

/// Posts on the held-out prompts.
fn held_out(model: &Model, adapter: Option<&Adapter>) -> Vec<Completion> {
    let prompts = ContentType::Post.held_out().iter();
    prompts
        .flat_map(|prompt| posts(model, adapter, prompt, 1000, POSTS_EACH))
        .collect()
}

fn has_the_trait(post: &Completion) -> bool {
    post.text.contains('?')
}

/// Question marks that a model would write in each of these posts, if at every place it could choose the next token once: what it
/// writes itself says the same, but only in thousands of posts.
fn frequency(model: &Model, adapter: Option<&Adapter>, posts: &[Completion]) -> f64 {
    let decode = |id: u32| model.tokenizer().decode(&[id]).unwrap_or_default();
    let marks: Vec<usize> = (0..model.config().vocab_size)
        .filter(|id| decode(*id as u32).contains('?'))
        .collect();
    let in_post = |post: &Completion| -> candle_core::Result<f64> {
        let ids = [&post.prompt_ids[..], &post.ids[..post.ids.len() - 1]].concat();
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        let hidden = model.gpt2().hidden(&ids, adapter)?.squeeze(0)?;
        let logits = model.gpt2().head().forward(&hidden, Input::AsIs)?;
        let probabilities: Vec<Vec<f32>> = softmax(&logits, 1)?.to_vec2()?;
        let of_marks = |row: &Vec<f32>| marks.iter().map(|mark| f64::from(row[*mark])).sum::<f64>();
        Ok(probabilities[post.prompt_ids.len() - 1..].iter().map(of_marks).sum())
    };
    posts
        .iter()
        .map(|post| in_post(post).expect("probabilities"))
        .sum::<f64>()
        / posts.len() as f64
}

/// Teaches: of eight posts on a prompt, the first with the trait is good and the first without it is bad.
fn taught(model: &Model, learner: u64) -> Learner {
    let mut taught = Learner::new(model, Lora::default(), learner).expect("learner");
    let lessons = (0..TIMES).flat_map(|_| TAUGHT);
    for (lesson, prompt) in (1000 * learner..).zip(lessons) {
        let posts = posts(model, Some(taught.adapter()), prompt, 10 * lesson, 8);
        let (with, without): (Vec<_>, Vec<_>) = posts.iter().partition(|post| has_the_trait(post));
        let good = with.first().map(|post| (*post, reward(5)));
        let bad = without.first().map(|post| (*post, reward(1)));
        let material = Material::Rated(good.into_iter().chain(bad).collect());
        teach(&mut taught, model, &material, &Teaching::default());
    }
    taught
}

#[test]
fn twenty_lessons_make_a_rewarded_trait_more_frequent() {
    let model = embedded();
    let untaught = held_out(&model, None);
    let before = frequency(&model, None, &untaught);
    let mut after = 0.0;
    for learner in 1..=LEARNERS {
        let taught = taught(&model, learner);
        after += frequency(&model, Some(taught.adapter()), &untaught) / LEARNERS as f64;
        let posts = held_out(&model, Some(taught.adapter()));
        let distinct: HashSet<&String> = posts.iter().map(|post| &post.text).collect();
        assert!(
            distinct.len() >= posts.len() - 4,
            "the posts have become alike: {} different ones of {}",
            distinct.len(),
            posts.len()
        );
    }
    println!("{before:.2} question marks a post before, {after:.2} after");
    assert!(after > 1.1 * before, "{before} before, {after} after");
}
