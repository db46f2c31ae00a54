//! Promise: whatever format a GPT-2 comes in, the same numbers come out. The files are written by transformers and by the
//! `gguf` package (`tests/fixtures/formats.py`); what they must compute is what transformers makes of their values.

use candle_core::{DType, Device, Tensor};
use fledge::content::ContentType;
use fledge::engine::kernels::float::sum_exp;
use fledge::engine::linear::Input;
use fledge::engine::weights::WeightFile;
use fledge::engine::{Cache, Model, ModelFiles};
use fledge::learning::Learner;
use fledge::settings::{Lora, Precision};
use safetensors::SafeTensors;

use crate::fixtures::{assert_within, embedded_as, file, files, logits, model, read, values};

const TOLERANCE: f32 = 1e-4;

/// A file of `tests/fixtures/formats`.
fn weight_file(name: &str) -> WeightFile {
    WeightFile::from_bytes(name, file(&format!("formats/{name}")))
}

/// The tiny model with other weights.
fn tiny(weights: Vec<WeightFile>) -> Model {
    let files = ModelFiles {
        weights,
        ..files("tiny-gpt2")
    };
    Model::load(files, Precision::Exact).expect("a model")
}

fn gguf(name: &str) -> Model {
    let files = ModelFiles::from_gguf(weight_file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Model::load(files, Precision::Exact).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn expect_logits(name: &str, model: &Model) {
    let bytes = file("formats/reference.safetensors");
    let reference = SafeTensors::deserialize(&bytes).expect("reference");
    let ids = reference.tensor("ids").expect("ids");
    let ids: Vec<u32> = ids
        .data()
        .chunks_exact(8)
        .map(|id| u32::from(id[0]) + 256 * u32::from(id[1]))
        .collect();
    let expected = reference.tensor(name).expect("logits");
    let expected = Tensor::from_raw_buffer(expected.data(), DType::F32, expected.shape(), &Device::Cpu);
    let found = logits(model.gpt2(), &ids);
    assert_within(name, &found, &expected.expect("a tensor"), TOLERANCE);
}

#[test]
fn the_exported_gguf_is_the_embedded_model() {
    let folder = std::env::temp_dir().join(format!("fledge-export-{}", std::process::id()));
    xtask::export::write(&xtask::export::embedded(), &folder).expect("an export");
    let bytes = std::fs::read(folder.join("base.gguf")).expect("a GGUF file");
    std::fs::remove_dir_all(&folder).expect("the folder");
    let files = ModelFiles::from_gguf(WeightFile::from_bytes("base.gguf", bytes)).expect("a model");
    let found = Model::load(files, Precision::Exact).expect("a model");
    let expected = embedded_as(Precision::Exact);
    let text = "<|post|> Advice for entrepreneurs<|body|> Start small.";
    let ids = expected.tokenizer().encode(text).expect("ids");
    assert_eq!(found.tokenizer().encode(text).expect("ids"), ids);
    let [found, expected] = [&found, &expected].map(|model| logits(model.gpt2(), &ids));
    assert_within("base.gguf", &found, &expected, 0.0);
}

#[test]
fn halves_of_both_kinds() {
    for name in ["f16.safetensors", "bf16.safetensors"] {
        expect_logits(name, &tiny(vec![weight_file(name)]));
    }
}

#[test]
fn shards_are_one_model() {
    let shards = || (1..=3).map(|part| weight_file(&format!("shards/model-0000{part}-of-00003.safetensors")));
    let sharded = tiny(shards().rev().collect());
    expect_logits("shards", &sharded);
    assert_eq!(
        sharded.id(),
        model("tiny-gpt2").id(),
        "how it was cut makes it no other model"
    );
    let Err(error) = Model::load(
        ModelFiles {
            weights: shards().skip(1).collect(),
            ..files("tiny-gpt2")
        },
        Precision::Exact,
    ) else {
        panic!("a shard is missing")
    };
    assert!(error.to_string().contains("lack the tensor"), "{error}");
}

#[test]
fn gguf_in_every_type_that_is_promised() {
    for name in ["f16.gguf", "q8_0.gguf", "q4_0.gguf", "k.gguf"] {
        expect_logits(name, &gguf(name));
    }
}

#[test]
fn a_gguf_brings_its_tokenizer_its_config_and_its_name() {
    let (found, expected) = (gguf("f16.gguf"), model("tiny-gpt2"));
    assert_eq!(found.config(), expected.config());
    assert_eq!(found.card().name, "Tiny");
    assert_eq!(found.tokenizer().end_of_text(), expected.tokenizer().end_of_text());
    for text in [
        "The customer is right.",
        "naïve café, 東京, 🙋🏽\n\n  two",
        "one<|endoftext|>two",
        "",
    ] {
        let ids = found.tokenizer().encode(text).expect("ids");
        assert_eq!(ids, expected.tokenizer().encode(text).expect("ids"), "{text:?}");
        assert_eq!(
            found.tokenizer().decode(&ids).expect("text"),
            expected.tokenizer().decode(&ids).expect("text")
        );
    }
}

#[test]
fn another_architecture_is_named() {
    let mut bytes = file("formats/f16.gguf");
    let at = bytes
        .windows(4)
        .position(|word| word == b"gpt2")
        .expect("the architecture");
    bytes[at..at + 4].copy_from_slice(b"phi2");
    let Err(error) = ModelFiles::from_gguf(WeightFile::from_bytes("model.gguf", bytes)) else {
        panic!("accepted")
    };
    assert!(error.to_string().contains("phi2"), "{error}");
}

/// The embedded model, in f32 and in 8 bits.
fn both_forms() -> (Model, Model) {
    (embedded_as(Precision::Exact), embedded_as(Precision::EightBit))
}

#[test]
fn eight_bits_in_memory_write_almost_the_same() {
    let (exact, small) = both_forms();
    assert_eq!(
        exact.id(),
        small.id(),
        "what was taught to the one belongs to the other"
    );
    assert!(
        small.bytes() * 3 < exact.bytes(),
        "{} of {} bytes",
        small.bytes(),
        exact.bytes()
    );

    // Real text: posts that the model has not been trained on, under their prompts.
    let all: Vec<Agreement> = held_out_posts()
        .into_iter()
        .map(|(prompt, text)| {
            let prompt = exact.encode_prompt(ContentType::Post, &prompt, 100).expect("prompt");
            let text = exact.tokenizer().encode(&text).expect("ids");
            agreement(&exact, &small, &[&prompt.ids[..], &text].concat(), prompt.ids.len())
        })
        .collect();
    let tokens: f64 = all.iter().map(|post| post.tokens).sum();
    let mean = |value: fn(&Agreement) -> f64| all.iter().map(|post| post.tokens * value(post)).sum::<f64>() / tokens;
    let [exact, small] = [mean(|post| post.nats[0]), mean(|post| post.nats[1])].map(f64::exp);
    let (divergence, same) = (mean(|post| post.divergence), mean(|post| post.same));
    println!(
        "8 bits in memory, {tokens} tokens of held-out posts: perplexity {small:.3} (f32 {exact:.3}), KL {divergence:.6} nats \
         a token, the likeliest token is the same for {:.2} %",
        100.0 * same
    );
    assert!(divergence < 0.01 && same > 0.95 && (small / exact - 1.0).abs() < 0.01);
}

/// How far two models agree on a text; means over its tokens.
pub struct Agreement {
    /// How many tokens were looked at.
    pub tokens: f64,
    /// Cross-entropy of the first and of the second, in nats.
    pub nats: [f64; 2],
    /// KL divergence of the second from the first, in nats.
    pub divergence: f64,
    /// How often both have the same likeliest token.
    pub same: f64,
}

/// Compares two models on the tokens of a text from `start` on.
pub fn agreement(first: &Model, second: &Model, ids: &[u32], start: usize) -> Agreement {
    let [p, q] = [first, second].map(|model| log_probabilities(model, ids));
    let (mut nats, mut divergence, mut same) = ([0f64; 2], 0f64, 0f64);
    for at in start..ids.len() {
        let (p, q, next) = (&p[at - 1], &q[at - 1], ids[at] as usize);
        nats[0] -= f64::from(p[next]);
        nats[1] -= f64::from(q[next]);
        divergence += p.iter().zip(q).map(|(p, q)| f64::from(p.exp() * (p - q))).sum::<f64>();
        same += f64::from(u8::from(argmax(p) == argmax(q)));
    }
    let tokens = (ids.len() - start) as f64;
    Agreement {
        tokens,
        nats: nats.map(|nats| nats / tokens),
        divergence: divergence / tokens,
        same: same / tokens,
    }
}

#[test]
fn eight_bits_in_memory_teach_almost_the_same() {
    let (exact, small) = both_forms();
    let [exact, small] = [exact, small].map(|model| {
        let learner = Learner::new(&model, Lora::default(), 0).expect("learner");
        let adapter = learner.trainable();
        let ids = Tensor::new(&[5u32, 700, 41, 3000, 12, 900], &Device::Cpu)
            .and_then(|ids| ids.unsqueeze(0))
            .expect("ids");
        let hidden = model
            .gpt2()
            .hidden(&ids, Some(adapter))
            .and_then(|hidden| hidden.squeeze(0))
            .expect("hidden");
        let loss = model
            .gpt2()
            .head()
            .forward(&hidden, Input::AsIs)
            .and_then(|logits| logits.log_sum_exp(1)?.sum_all())
            .expect("loss");
        let gradients = loss.backward().expect("gradients");
        let found = adapter.tensors().filter_map(|(_, tensor)| gradients.get(tensor));
        found.flat_map(values).collect::<Vec<f32>>()
    });
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let cosine: f64 = dot(&exact, &small) / (dot(&exact, &exact) * dot(&small, &small)).sqrt();
    println!("the gradients of f32 and 8 bits have a cosine of {cosine:.5}");
    assert!(cosine > 0.999, "the gradients point the same way: {cosine}");
}

/// Prompts and texts of posts that no embedded model has been trained on.
fn held_out_posts() -> Vec<(String, String)> {
    let read = |name: &str| String::from_utf8(read(&format!("tools/train/texts/post/{name}"))).expect("utf-8");
    let held = read("held_out.txt").to_lowercase();
    let prompts: Vec<&str> = held.lines().collect();
    let rows = read("varied.jsonl");
    rows.lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON"))
        .map(|row| [&row["prompt"], &row["text"]].map(|value| value.as_str().expect("a text").to_owned()))
        .filter(|[prompt, _]| prompts.contains(&prompt.to_lowercase().as_str()))
        .map(|[prompt, text]| (prompt, text))
        .take(60)
        .collect()
}

/// Natural logarithms of the probabilities of every next token, when the text is read token by token, as in writing.
fn log_probabilities(model: &Model, ids: &[u32]) -> Vec<Vec<f32>> {
    let gpt2 = model.gpt2();
    let mut cache = Cache::new(gpt2.config(), gpt2.precision(), 1, ids.len());
    let after = |id: &u32| {
        let logits = gpt2.read(&[*id], &mut cache, None).expect("logits");
        let (most, sum) = sum_exp(logits);
        logits.iter().map(|logit| logit - (most + sum.ln())).collect()
    };
    ids.iter().map(after).collect()
}

fn argmax(values: &[f32]) -> usize {
    (0..values.len())
        .max_by(|a, b| values[*a].total_cmp(&values[*b]))
        .expect("values")
}
