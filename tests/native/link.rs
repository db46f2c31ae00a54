//! Promise: what a person taught fits into a link, comes out of it as what it was, near enough, and a stranger's link does no harm.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fledge::content::ContentType;
use fledge::engine::lora::FIRST_SEED;
use fledge::engine::{Adapter, Completion, Model};
use fledge::exchange::Error;
use fledge::exchange::link::{MOST_CHARACTERS, read, write};
use fledge::learning::batch::Batch;
use fledge::learning::{Learner, Material};
use fledge::settings::{Lora, Sampling, Targets, Teaching};

use crate::fixtures::{embedded, model, reward, teach, values, write_several};

const CONTENT: ContentType = ContentType::Post;
const LESSONS: u32 = 3;

/// Prompts that are taught, and one that is not.
const PROMPTS: [&str; LESSONS as usize] = ["Selling online", "Building a brand", "Hiring the first employee"];
const ANOTHER: &str = "Managing risk";

/// The embedded model, and what somebody taught it who likes long texts.
struct Taught {
    model: Model,
    adapter: Adapter,
    fragment: String,
}

fn candidates(model: &Model, adapter: Option<&Adapter>, prompt: &str, seed: u64) -> Vec<Completion> {
    let sampling = Sampling {
        seed,
        ..Sampling::default()
    };
    write_several(model, adapter, prompt, &sampling, 4)
}

fn taught() -> &'static Taught {
    static TAUGHT: OnceLock<Taught> = OnceLock::new();
    TAUGHT.get_or_init(|| {
        let model = embedded();
        let mut learner = Learner::new(&model, Lora::default(), 0).expect("a learner");
        for (prompt, seed) in PROMPTS.into_iter().zip(1..) {
            let texts = candidates(&model, Some(learner.adapter()), prompt, 10 * seed);
            let mut rated: Vec<&Completion> = texts.iter().collect();
            rated.sort_by_key(|text| text.text.len());
            let rated = rated
                .into_iter()
                .zip([1, 2, 4, 5])
                .map(|(text, stars)| (text, reward(stars)));
            teach(
                &mut learner,
                &model,
                &Material::Rated(rated.collect()),
                &Teaching::default(),
            );
        }
        let adapter = learner.adapter().clone();
        let fragment = write(&adapter, &model, CONTENT, LESSONS).expect("a link");
        Taught {
            model,
            adapter,
            fragment,
        }
    })
}

/// The mean divergence of the taught model from another one on what it writes, in nats a token.
fn divergence(taught: &Taught, other: Option<&Adapter>) -> f64 {
    let texts = candidates(&taught.model, Some(&taught.adapter), ANOTHER, 1);
    let batch = Batch::new(&texts, taught.model.config().n_positions).expect("texts");
    let divergences = batch
        .divergences(&taught.model, &taught.adapter, other)
        .expect("divergences");
    divergences.iter().sum::<f64>() / divergences.len() as f64
}

#[test]
fn what_was_taught_comes_out_of_a_link_near_enough() {
    let taught = taught();
    assert!(taught.fragment.len() <= MOST_CHARACTERS, "{}", taught.fragment.len());
    let taste = read(&format!("#{}", taught.fragment), &taught.model, CONTENT).expect("a taste");
    assert_eq!(taste.info.lora, Some(Lora::default()));
    assert_eq!((taste.info.lessons, taste.info.content), (LESSONS, Some(CONTENT)));
    let copy = taste.adapter.expect("an adapter");
    let (change, lost) = (divergence(taught, None), divergence(taught, Some(&copy)));
    println!("{lost:.5} of {change:.5} nats a token are lost");
    assert!(lost < 0.2 * change, "{lost} of {change} are lost");
}

#[test]
fn one_adapter_makes_one_link_also_after_it_went_through_one() {
    let taught = taught();
    let again = write(&taught.adapter, &taught.model, CONTENT, LESSONS).expect("a link");
    assert_eq!(again, taught.fragment);
    let copy = read(&again, &taught.model, CONTENT).expect("a taste").adapter;
    let handed_on = write(&copy.expect("an adapter"), &taught.model, CONTENT, LESSONS).expect("a link");
    let copy = read(&handed_on, &taught.model, CONTENT).expect("a taste").adapter;
    let (change, lost) = (divergence(taught, None), divergence(taught, copy.as_ref()));
    assert!(lost < 0.25 * change, "{lost} of {change} are lost");
}

#[test]
fn an_adapter_that_changes_nothing_makes_a_short_link_that_changes_nothing() {
    let model = model("tiny-gpt2");
    let lora = Lora {
        rank: 3,
        alpha: 7.0,
        targets: Targets {
            mlp_in: false,
            ..Targets::default()
        },
    };
    let fresh = Adapter::fresh(model.config(), lora, 1).expect("an adapter");
    let fragment = write(&fresh, &model, CONTENT, 70_000).expect("a link");
    assert!(fragment.len() < 80, "{fragment}");
    let taste = read(&fragment, &model, CONTENT).expect("a taste");
    assert_eq!((taste.info.lora, taste.info.lessons), (Some(lora), u32::from(u16::MAX)));
    let copy = taste.adapter.expect("an adapter");
    for (name, tensor) in copy.tensors().filter(|(name, _)| name.contains("lora_B")) {
        assert!(values(tensor).iter().all(|value| *value == 0.0), "{name}");
    }
}

/// A link with these bytes in it, under a checksum that is right.
fn forged(model: &Model, bytes: &[u8]) -> String {
    let about = format!("1.post.{}.", model.id());
    let sum = crc32fast::hash(&[about.as_bytes(), bytes].concat()).to_le_bytes();
    let bytes = URL_SAFE_NO_PAD.encode([sum.as_slice(), bytes].concat());
    format!("taste={about}{bytes}")
}

/// Rank, targets, lessons, alpha.
fn shape(rank: u8, targets: u8, alpha: f32) -> Vec<u8> {
    [[rank, targets, 1, 0], alpha.to_le_bytes()].concat()
}

#[track_caller]
fn refused(fragment: &str, model: &Model) -> Error {
    let error = read(fragment, model, CONTENT).expect_err("it is refused");
    let sentence = error.to_string();
    assert!(!sentence.is_empty() && !sentence.contains('\n'), "{sentence}");
    error
}

#[test]
fn a_link_that_was_cut_or_changed_is_refused() {
    let model = model("tiny-gpt2");
    let adapter = crate::taste_file::adapter(&model, Lora::default());
    let good = write(&adapter, &model, CONTENT, 1).expect("a link");
    read(&good, &model, CONTENT).expect("a taste");
    for len in (0..good.len()).step_by(7).chain([good.len() - 1]) {
        refused(&good[..len], &model);
    }
    for at in (0..good.len()).step_by(5) {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
        refused(&String::from_utf8(changed).expect("ASCII"), &model);
    }
    for more in ["A", "AAAA", "=", "&x=1", "%20", "\u{1f600}", "<b>"] {
        refused(&format!("{good}{more}"), &model);
    }
}

#[test]
fn a_link_for_something_else_says_for_what() {
    let model = model("tiny-gpt2");
    let adapter = crate::taste_file::adapter(&model, Lora::default());
    let email = write(&adapter, &model, ContentType::Email, 1).expect("a link");
    assert!(matches!(refused(&email, &model), Error::Content(ContentType::Email)));
    assert!(matches!(refused(&taught().fragment, &model), Error::Base(_)));
    let newer = email.replacen("=1.", "=2.", 1);
    assert!(refused(&newer, &model).to_string().contains("another version"));
    let long = format!("taste=1.post.{}", "A".repeat(MOST_CHARACTERS));
    assert!(refused(&long, &model).to_string().contains("longer"));
}

#[test]
fn a_forged_link_is_refused_or_harmless() {
    let model = model("tiny-gpt2");
    assert!(matches!(
        refused(&forged(&model, &shape(0, 15, 16.0)), &model),
        Error::Rank(0)
    ));
    assert!(matches!(
        refused(&forged(&model, &shape(65, 15, 16.0)), &model),
        Error::Rank(65)
    ));
    for alpha in [f32::NAN, f32::INFINITY, 0.0, -1.0, 1e9] {
        assert!(matches!(
            refused(&forged(&model, &shape(8, 15, alpha)), &model),
            Error::Alpha
        ));
    }
    for targets in [0, 16, 255] {
        refused(&forged(&model, &shape(8, targets, 16.0)), &model);
    }
    refused(&forged(&model, &[]), &model);
    // What is packed may be anything: nothing in it makes more of it than an adapter of its shape, or a number that is none.
    let mut state = 1u64;
    for length in (0..200).chain([20_000]) {
        let noise = (0..length).map(|at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match length % 4 {
                0 => 0,
                1 => 255,
                2 => (state >> 56) as u8,
                _ => at as u8,
            }
        });
        // An alpha so small would make B so large.
        let alpha = if length % 3 == 0 { 1e-37 } else { 16.0 };
        let bytes: Vec<u8> = shape(64, 15, alpha).into_iter().chain(noise).collect();
        if let Ok(taste) = read(&forged(&model, &bytes), &model, CONTENT) {
            let adapter = taste.adapter.expect("an adapter");
            assert!(
                adapter
                    .tensors()
                    .all(|(_, tensor)| values(tensor).iter().all(|value| value.is_finite()))
            );
        }
    }
}

#[test]
fn every_version_begins_with_the_same_rows() {
    // A link says most of an adapter by the rows that lessons begin with. Whoever changes them raises the link's version.
    let model = embedded();
    let fresh = Adapter::fresh(model.config(), Lora::default(), FIRST_SEED).expect("an adapter");
    let sums: Vec<f32> = fresh
        .tensors()
        .filter(|(name, _)| name.contains("lora_A"))
        .map(|(_, tensor)| values(tensor).iter().sum())
        .collect();
    let first = [1.949_613, -0.600_551, -1.639_747];
    for (found, expected) in sums.iter().zip(first) {
        assert!((found - expected).abs() < 1e-3, "{:?}", &sums[..3]);
    }
}
