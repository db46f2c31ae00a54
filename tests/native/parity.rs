//! Promise: the engine computes what transformers computes. Logits within 1e-4, the same greedy text with and without the
//! cache, the same distributions after every filter.

use candle_core::{Device, Tensor};
use fledge::engine::kernels::float::argmax;
use fledge::engine::sampler::Sampler;
use fledge::engine::weights::Weights;
use fledge::engine::{Cache, Config, Gpt2};
use fledge::settings::{Precision, Sampling};

use crate::fixtures::{Reference, assert_within, greedy, logits, model, values, weights, write};
use crate::formula;

const TOLERANCE: f32 = 1e-4;
/// Enough to tell 1 % from 2 %.
const DRAWS: usize = 4000;

/// `count` greedy tokens after `ids`, end-of-text ignored: read one by one, or everything anew for each.
pub fn continuation(gpt2: &Gpt2, ids: &[u32], count: usize, cached: bool) -> Vec<u32> {
    let mut cache = Cache::new(gpt2.config(), gpt2.precision(), 1, ids.len() + count);
    let mut all = ids.to_vec();
    for _ in 0..count {
        let next = if cached {
            let logits = gpt2.read(&all[cache.lens()[0]..], &mut cache, None).expect("logits");
            argmax(logits)
        } else {
            let last = logits(gpt2, &all).get(all.len() - 1).expect("the last position");
            argmax(&values(&last))
        };
        all.push(next as u32);
    }
    all.split_off(ids.len())
}

#[test]
fn logits_of_the_tiny_models_equal_transformers() {
    let reference = Reference::load();
    for (name, folder) in [("tiny", "tiny-gpt2"), ("untied", "tiny-untied")] {
        let found = logits(model(folder).gpt2(), &reference.ids(&format!("{name}/ids")));
        assert_within(name, &found, &reference.tensor(&format!("{name}/logits")), TOLERANCE);
    }
}

#[test]
fn greedy_text_is_transformers_with_and_without_the_cache() {
    let reference = Reference::load();
    for (name, folder) in [("tiny", "tiny-gpt2"), ("untied", "tiny-untied")] {
        let (model, ids) = (model(folder), reference.ids(&format!("{name}/ids")));
        let expected = reference.ids(&format!("{name}/greedy"));
        for cached in [true, false] {
            let found = continuation(model.gpt2(), &ids, expected.len(), cached);
            assert_eq!(found, expected, "{name}, cached: {cached}");
        }
    }
}

#[test]
fn a_model_of_124m_shape_equals_transformers() {
    let reference = Reference::load();
    let gpt2 = big();
    let ids = reference.ids("big/ids");
    let all = logits(&gpt2, &ids); // [40, 50257]
    let found_argmax: Vec<u32> = all.argmax(1).and_then(|t| t.to_vec1()).expect("argmax");
    assert_eq!(found_argmax, reference.ids("big/argmax"));
    let every_97th: Vec<u32> = (0..50257).step_by(97).collect();
    let subset = Tensor::new(every_97th, &Device::Cpu)
        .and_then(|i| all.index_select(&i, 1))
        .expect("subset");
    assert_within("big", &subset, &reference.tensor("big/logits"), TOLERANCE);
    let expected = reference.ids("big/greedy");
    assert_eq!(continuation(&gpt2, &ids, expected.len(), true), expected);
    assert_eq!(continuation(&gpt2, &ids, 8, false), expected[..8]);
}

#[test]
fn distributions_equal_hugging_faces_processors() {
    let reference = Reference::load();
    let plan = &reference.json["sampling"];
    let context = reference.ids("tiny/ids");
    let all = logits(model("tiny-gpt2").gpt2(), &context);
    let factor = plan["factor"].as_f64().expect("factor");
    let last = values(&(all.get(context.len() - 1).expect("last") * factor).expect("scaled"));
    for (i, settings) in plan["settings"].as_array().expect("settings").iter().enumerate() {
        let sampling: Sampling = serde_json::from_value(settings.clone()).expect("sampling");
        let mut sampler = Sampler::new(sampling);
        let found = sampler.distribution(&last, &context);
        let expected = values(&reference.tensor(&format!("tiny/sampling/{i}")));
        for (token, (p, q)) in found.iter().zip(&expected).enumerate() {
            assert!((p - q).abs() < TOLERANCE, "{settings}: token {token} has {p}, not {q}");
            assert_eq!(
                *p == 0.0,
                *q == 0.0,
                "{settings}: token {token} is kept by one of the two only"
            );
        }
    }
}

#[test]
fn draws_follow_the_distribution() {
    let reference = Reference::load();
    let context = reference.ids("tiny/ids");
    let last = logits(model("tiny-gpt2").gpt2(), &context).get(context.len() - 1);
    let last = values(&last.expect("last"));
    let sampling = Sampling {
        temperature: 0.7,
        top_k: 6,
        top_p: 0.95,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(sampling);
    let expected = sampler.distribution(&last, &context).to_vec();
    let mut counts = vec![0usize; expected.len()];
    for _ in 0..DRAWS {
        counts[sampler.draw(&last, &context, None).expect("draw").token as usize] += 1;
    }
    for (count, p) in counts.iter().zip(expected) {
        let found = *count as f32 / DRAWS as f32;
        let deviation = (p * (1.0 - p) / DRAWS as f32).sqrt();
        assert!((found - p).abs() <= 5.0 * deviation, "drawn {found}, expected {p}");
    }
}

#[test]
fn the_tokenizer_gives_pythons_ids() {
    let model = model("tiny-gpt2");
    for case in Reference::load().json["tokenizer"].as_array().expect("cases") {
        let text = case["text"].as_str().expect("text");
        let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).expect("ids");
        assert_eq!(model.tokenizer().encode(text).expect("encoded"), expected, "{text:?}");
    }
}

#[test]
fn a_post_written_greedily_is_the_greedy_continuation() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let prompt = "The first hire is the hardest";
    let ids = model.tokenizer().encode(prompt).expect("ids");
    let post = write(&model, None, prompt, &greedy(20));
    let expected = continuation(model.gpt2(), &ids, post.ids.len(), false);
    assert_eq!(post.prompt_ids, ids);
    assert_eq!(post.ids, expected);
    drop(reference);
}

/// Two layers of GPT-2 124M's shape.
fn big() -> Gpt2 {
    let config = Config::from_json(&formula::config(2)).expect("config");
    let weights = Weights::open(weights(formula::weights(2, 0.08)), &config).expect("weights");
    Gpt2::new(config, &weights, Precision::Exact).expect("gpt2")
}
