//! Promise: whatever format a GPT-2 comes in, the same numbers come out. The files are written by transformers and by the
//! `gguf` package (`tests/fixtures/formats.py`); what they must compute is what transformers makes of their values.

use candle_core::{DType, Device, Tensor};
use fledge::engine::weights::WeightFile;
use fledge::engine::{Model, ModelFiles};
use safetensors::SafeTensors;

use crate::fixtures::{assert_within, file, files, model};

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
    Model::load(files).expect("a model")
}

fn gguf(name: &str) -> Model {
    let files = ModelFiles::from_gguf(weight_file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Model::load(files).unwrap_or_else(|error| panic!("{name}: {error}"))
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
    let ids = Tensor::new(ids, &Device::Cpu)
        .and_then(|ids| ids.unsqueeze(0))
        .expect("ids");
    let hidden = model
        .gpt2()
        .hidden(&ids, None, None)
        .and_then(|hidden| hidden.squeeze(0));
    let found = model.gpt2().logits(&hidden.expect("hidden")).expect("logits");
    assert_within(name, &found, &expected.expect("a tensor"), TOLERANCE);
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
    let Err(error) = Model::load(ModelFiles {
        weights: shards().skip(1).collect(),
        ..files("tiny-gpt2")
    }) else {
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
