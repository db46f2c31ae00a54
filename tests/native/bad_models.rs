//! Promise: a model that can't be used is refused with a sentence that names what is wrong.

use std::collections::HashMap;

use fledge::engine::{Model, ModelFiles};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::fixtures::{file, files, model};

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The tiny model with its tensors changed.
fn with_tensors(change: impl FnOnce(&mut Tensors)) -> ModelFiles {
    let mut files = files("tiny-gpt2");
    let parsed = SafeTensors::deserialize(&files.weights).expect("safetensors");
    let mut tensors: Tensors = parsed
        .iter()
        .map(|(name, view)| {
            (
                name.to_owned(),
                (view.dtype(), view.shape().to_vec(), view.data().to_vec()),
            )
        })
        .collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).expect("view")));
    files.weights = safetensors::serialize(views, None).expect("safetensors");
    files
}

#[track_caller]
fn expect_refusal(files: &ModelFiles, words: &[&str]) {
    let Err(error) = Model::load(files) else {
        panic!("accepted, although {words:?}")
    };
    let sentence = error.to_string();
    for word in words {
        assert!(sentence.contains(word), "{sentence:?} does not say {word:?}");
    }
}

const MATRIX: &str = "transformer.h.1.mlp.c_fc.weight";

#[test]
fn a_missing_tensor() {
    expect_refusal(&with_tensors(|t| drop(t.remove(MATRIX))), &["lacks", MATRIX]);
}

#[test]
fn a_wrong_shape() {
    let transposed = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").1.reverse());
    expect_refusal(&transposed, &[MATRIX, "[128, 32]", "[32, 128]"]);
}

#[test]
fn nan_and_infinity() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let files =
            with_tensors(|t| t.get_mut(MATRIX).expect("matrix").2[40..44].copy_from_slice(&value.to_le_bytes()));
        expect_refusal(&files, &[MATRIX, "not numbers"]);
    }
}

#[test]
fn a_number_type_that_is_no_weight() {
    let files = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").0 = Dtype::I32);
    expect_refusal(&files, &[MATRIX, "I32"]);
}

#[test]
fn eight_bits_without_a_scale() {
    let files = with_tensors(|t| {
        let (dtype, shape, data) = t.get_mut(MATRIX).expect("matrix");
        *dtype = Dtype::I8;
        data.truncate(shape.iter().product());
    });
    expect_refusal(&files, &["lacks", "c_fc.weight.scale"]);
}

#[test]
fn truncated_weights() {
    let mut files = files("tiny-gpt2");
    let whole = files.weights.clone();
    for keep in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        files.weights = whole[..keep].to_vec();
        expect_refusal(&files, &["model.safetensors", "damaged or incomplete"]);
    }
}

#[test]
fn a_page_instead_of_a_file() {
    let page = || b"<!doctype html><title>Not found</title>".to_vec();
    expect_refusal(
        &ModelFiles {
            config: page(),
            ..files("tiny-gpt2")
        },
        &["config.json"],
    );
    expect_refusal(
        &ModelFiles {
            tokenizer: page(),
            ..files("tiny-gpt2")
        },
        &["tokenizer.json"],
    );
    expect_refusal(
        &ModelFiles {
            weights: page(),
            ..files("tiny-gpt2")
        },
        &["model.safetensors"],
    );
    let mut with_bad_card = files("tiny-gpt2");
    with_bad_card.card = Some(br#"{"prompt_format":"no place"}"#.to_vec());
    expect_refusal(&with_bad_card, &["fledge.json", "{prompt}"]);
}

#[test]
fn a_tokenizer_of_another_model() {
    let mut larger_model = files("tiny-gpt2");
    let config = String::from_utf8(larger_model.config).expect("utf-8");
    larger_model.config = config
        .replace("\"vocab_size\": 300", "\"vocab_size\": 200")
        .into_bytes();
    expect_refusal(&larger_model, &["tokenizer", "300", "200"]);
    larger_model.config = config
        .replace("\"vocab_size\": 300", "\"vocab_size\": 8192")
        .into_bytes();
    expect_refusal(&larger_model, &["tokenizer", "300", "8192"]);
}

#[test]
fn more_or_fewer_layers_than_the_config_says() {
    let mut files = files("tiny-gpt2");
    let config = String::from_utf8(files.config).expect("utf-8");
    files.config = config.replace("\"n_layer\": 2", "\"n_layer\": 1").into_bytes();
    expect_refusal(&files, &["fewer layers"]);
    files.config = config.replace("\"n_layer\": 2", "\"n_layer\": 3").into_bytes();
    expect_refusal(&files, &["lacks", "h.2."]);
}

#[test]
fn another_architecture() {
    let mut files = files("tiny-gpt2");
    let config = String::from_utf8(files.config).expect("utf-8");
    files.config = config
        .replace("\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"")
        .into_bytes();
    expect_refusal(&files, &["llama"]);
}

#[test]
fn models_have_names_of_their_own() {
    let tiny = model("tiny-gpt2");
    assert_ne!(tiny.id(), model("tiny-untied").id());
    assert_eq!(tiny.id(), model("tiny-gpt2").id());
    let nudged = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").2[3] ^= 1);
    assert_ne!(Model::load(&nudged).expect("still a model").id(), tiny.id());
    assert!(!file("tiny-gpt2/config.json").is_empty());
}
