//! Promise: the engine computes what transformers computes. Logits within 1e-4, the same greedy text with and without the
//! cache, the same distributions after every filter.

use candle_core::{Device, Tensor};
use fledge::content::ContentType;
use fledge::engine::sampler::Sampler;
use fledge::engine::weights::Weights;
use fledge::engine::{Cache, Config, Generation, Gpt2};
use fledge::settings::Sampling;

use crate::fixtures::{Reference, assert_within, file, greedy, logits, model, values};

const TOLERANCE: f32 = 1e-4;
/// Enough to tell 1 % from 2 %.
const DRAWS: usize = 4000;

/// `count` greedy tokens after `ids`, end-of-text ignored.
fn continuation(gpt2: &Gpt2, ids: &[u32], count: usize, cached: bool) -> Vec<u32> {
    let mut cache = Cache::new(gpt2.config(), 1, ids.len() + count).expect("cache");
    let mut all = ids.to_vec();
    for _ in 0..count {
        let new = if cached { &all[cache.len()..] } else { &all[..] };
        let tensor = Tensor::new(new, &Device::Cpu)
            .and_then(|t| t.unsqueeze(0))
            .expect("ids");
        let hidden = gpt2
            .hidden(&tensor, cached.then_some(&mut cache), None)
            .expect("hidden");
        let last = hidden
            .narrow(1, new.len() - 1, 1)
            .and_then(|h| h.squeeze(0))
            .expect("last");
        let next = gpt2
            .logits(&last)
            .and_then(|l| l.squeeze(0)?.argmax(0)?.to_scalar())
            .expect("argmax");
        all.push(next);
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
    let gpt2 = big::gpt2();
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
    let last = (all.get(context.len() - 1).expect("last") * factor).expect("scaled");
    for (i, settings) in plan["settings"].as_array().expect("settings").iter().enumerate() {
        let sampling: Sampling = serde_json::from_value(settings.clone()).expect("sampling");
        let found = Sampler::new(sampling)
            .distribution(&last, &context)
            .expect("distribution");
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
    let last = logits(model("tiny-gpt2").gpt2(), &context)
        .get(context.len() - 1)
        .expect("last");
    let sampling = Sampling {
        temperature: 0.7,
        top_k: 6,
        top_p: 0.95,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(sampling);
    let expected = sampler.distribution(&last, &context).expect("distribution");
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
    let mut generation = Generation::new(&model, ContentType::Post, prompt, &greedy(20)).expect("generation");
    while generation.next(&model, None).expect("token").is_some() {}
    let post = generation.finish(&model).expect("post");
    let expected = continuation(model.gpt2(), &ids, post.ids.len(), false);
    assert_eq!(post.prompt_ids, ids);
    assert_eq!(post.ids, expected);
    drop(reference);
}

/// Two layers of GPT-2 124M's shape whose every weight is a formula; `make.py` states it.
mod big {
    use super::{Config, Gpt2, Weights, file};
    use safetensors::{Dtype, tensor::TensorView};

    const WIDTH: usize = 768;
    const VOCABULARY: usize = 50257;
    const POSITIONS: usize = 1024;

    pub fn gpt2() -> Gpt2 {
        let mut config: serde_json::Value = serde_json::from_slice(&file("tiny-gpt2/config.json")).expect("json");
        for (key, value) in [
            ("n_embd", WIDTH),
            ("n_head", 12),
            ("n_layer", 2),
            ("n_positions", POSITIONS),
            ("vocab_size", VOCABULARY),
        ] {
            config[key] = value.into();
        }
        let config = Config::from_json(config.to_string().as_bytes()).expect("config");
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes()
            .into_iter()
            .map(|(name, shape)| (name.clone(), shape.clone(), bytes(&name, &shape)))
            .collect();
        let views = tensors
            .iter()
            .map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).expect("view")));
        let file = safetensors::serialize(views, None).expect("safetensors");
        drop(tensors);
        let weights = Weights::open(crate::fixtures::weights(file), &config).expect("weights");
        Gpt2::new(config.clone(), &weights, fledge::settings::Precision::Exact).expect("gpt2")
    }

    fn shapes() -> Vec<(String, Vec<usize>)> {
        let mut shapes = vec![
            ("wte.weight".to_owned(), vec![VOCABULARY, WIDTH]),
            ("wpe.weight".to_owned(), vec![POSITIONS, WIDTH]),
            ("ln_f.weight".to_owned(), vec![WIDTH]),
            ("ln_f.bias".to_owned(), vec![WIDTH]),
        ];
        for layer in 0..2 {
            for norm in ["ln_1", "ln_2"] {
                shapes.push((format!("h.{layer}.{norm}.weight"), vec![WIDTH]));
                shapes.push((format!("h.{layer}.{norm}.bias"), vec![WIDTH]));
            }
            for (name, fan_in, fan_out) in [
                ("attn.c_attn", WIDTH, 3 * WIDTH),
                ("attn.c_proj", WIDTH, WIDTH),
                ("mlp.c_fc", WIDTH, 4 * WIDTH),
                ("mlp.c_proj", 4 * WIDTH, WIDTH),
            ] {
                shapes.push((format!("h.{layer}.{name}.weight"), vec![fan_in, fan_out]));
                shapes.push((format!("h.{layer}.{name}.bias"), vec![fan_out]));
            }
        }
        shapes
    }

    fn bytes(name: &str, shape: &[usize]) -> Vec<u8> {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let count: usize = shape.iter().product();
        let (layer, kind) = name.rsplit_once('.').expect("a dotted name");
        let is_norm = layer.contains("ln_");
        (0..count as u64)
            .flat_map(|i| {
                let u = (splitmix64(seed.wrapping_add(i)) >> 40) as f32 / 16_777_216.0 - 0.5;
                let value = match name {
                    _ if kind == "bias" => u * 0.04,
                    _ if is_norm => 1.0 + u * 0.2,
                    "wpe.weight" => u * 0.02,
                    _ => u * 0.08,
                };
                value.to_le_bytes()
            })
            .collect()
    }

    fn splitmix64(x: u64) -> u64 {
        let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
