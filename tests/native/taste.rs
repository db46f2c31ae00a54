//! Promise: what a person rewards becomes more frequent, on prompts that were never taught. A simulated rater who likes
//! posts with a question mark and nothing else teaches the embedded model ten times.

use fledge::content::ContentType;
use fledge::engine::{Adapter, Completion, Model};
use fledge::learning::{Learner, Material};
use fledge::settings::{Lora, Sampling, Teaching};

use crate::fixtures::{embedded, reward, teach, write};

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

/// Posts written for each held-out prompt, under seeds of their own.
const POSTS_EACH: u64 = 4;

fn post_of(model: &Model, adapter: Option<&Adapter>, prompt: &str, seed: u64) -> Completion {
    let sampling = Sampling {
        seed,
        length: 60,
        ..Sampling::default()
    };
    write(model, adapter, prompt, &sampling)
}

/// Held-out posts with the trait, and how many of them are different texts.
fn frequency(model: &Model, adapter: Option<&Adapter>) -> (usize, usize) {
    let posts: Vec<String> = ContentType::Post
        .held_out()
        .iter()
        .flat_map(|prompt| (0..POSTS_EACH).map(move |seed| post_of(model, adapter, prompt, 1000 + seed).text))
        .collect();
    let distinct: std::collections::HashSet<&String> = posts.iter().collect();
    (posts.iter().filter(|text| text.contains('?')).count(), distinct.len())
}

#[test]
fn ten_lessons_make_a_rewarded_trait_more_frequent() {
    let model = embedded();
    let (before, _) = frequency(&model, None);
    let mut learner = Learner::new(&model, Lora::default(), 1).expect("learner");
    let mut seed = 0;
    for prompt in TAUGHT {
        // A person looks for a post worth teaching: the first with the trait out of eight, or else the eighth.
        let mut post = None;
        for _ in 0..8 {
            seed += 1;
            let written = post_of(&model, Some(learner.adapter()), prompt, seed);
            let worth = written.text.contains('?');
            post = Some(written);
            if worth {
                break;
            }
        }
        let post = post.expect("eight tries");
        let stars = if post.text.contains('?') { 5 } else { 1 };
        let material = Material::Rated(vec![(&post, reward(stars))]);
        teach(&mut learner, &model, &material, &Teaching::default());
    }
    let (after, distinct) = frequency(&model, Some(learner.adapter()));
    let total = POSTS_EACH as usize * ContentType::Post.held_out().len();
    println!("{before} of {total} held-out posts had a question mark, {after} have now");
    assert!(after >= before + 8, "{before} of {total} before, {after} after");
    assert!(
        distinct >= total - 4,
        "the posts have become alike: {distinct} different ones of {total}"
    );
}
