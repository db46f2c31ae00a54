//! Promise: a model that can't be used is refused with a sentence that names what is wrong.

use std::collections::HashMap;

use fledge::content::ContentType;
use fledge::engine::weights::WeightFile;
use fledge::engine::{Error, Generation, Model, ModelFiles};
use fledge::settings::{Precision, Sampling};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::damage::damage;
use crate::fixtures::{file, files, model, weights};

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The tiny model with its tensors changed.
fn with_tensors(change: impl FnOnce(&mut Tensors)) -> ModelFiles {
    let mut files = files("tiny-gpt2");
    let bytes = file("tiny-gpt2/model.safetensors");
    let parsed = SafeTensors::deserialize(&bytes).expect("safetensors");
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
    files.weights = weights(safetensors::serialize(views, None).expect("safetensors"));
    files
}

/// The tiny model with a word of its config changed.
fn with_config(from: &str, to: &str) -> ModelFiles {
    let mut files = files("tiny-gpt2");
    let config = String::from_utf8(files.config).expect("utf-8");
    assert!(config.contains(from), "{config}");
    files.config = config.replace(from, to).into_bytes();
    files
}

#[track_caller]
fn expect_refusal(files: ModelFiles, words: &[&str]) {
    let Err(error) = Model::load(files, Precision::Exact) else {
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
    expect_refusal(with_tensors(|t| drop(t.remove(MATRIX))), &["lack", MATRIX]);
}

#[test]
fn a_wrong_shape() {
    let transposed = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").1.reverse());
    expect_refusal(transposed, &[MATRIX, "[128, 32]", "[32, 128]"]);
}

#[test]
fn nan_and_infinity() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let files =
            with_tensors(|t| t.get_mut(MATRIX).expect("matrix").2[40..44].copy_from_slice(&value.to_le_bytes()));
        expect_refusal(files, &[MATRIX, "not numbers"]);
    }
}

#[test]
fn a_number_type_that_is_no_weight() {
    let files = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").0 = Dtype::I32);
    expect_refusal(files, &[MATRIX, "I32"]);
}

#[test]
fn eight_bits_without_a_scale() {
    let files = with_tensors(|t| {
        let (dtype, shape, data) = t.get_mut(MATRIX).expect("matrix");
        *dtype = Dtype::I8;
        data.truncate(shape.iter().product());
    });
    expect_refusal(files, &["lack", "c_fc.weight.scale"]);
}

#[test]
fn truncated_weights() {
    let whole = file("tiny-gpt2/model.safetensors");
    for keep in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        let files = ModelFiles {
            weights: weights(whole[..keep].to_vec()),
            ..files("tiny-gpt2")
        };
        expect_refusal(files, &["model.safetensors", "damaged or incomplete"]);
    }
}

#[test]
fn a_page_instead_of_a_file() {
    let page = || b"<!doctype html><title>Not found</title>".to_vec();
    expect_refusal(
        ModelFiles {
            config: page(),
            ..files("tiny-gpt2")
        },
        &["config.json"],
    );
    expect_refusal(
        ModelFiles {
            tokenizer: page(),
            ..files("tiny-gpt2")
        },
        &["tokenizer.json"],
    );
    expect_refusal(
        ModelFiles {
            weights: weights(page()),
            ..files("tiny-gpt2")
        },
        &["model.safetensors"],
    );
    let mut with_bad_card = files("tiny-gpt2");
    with_bad_card.card = Some(br#"{"prompt_format":"no place"}"#.to_vec());
    expect_refusal(with_bad_card, &["fledge.json", "{prompt}"]);
}

#[test]
fn a_tokenizer_of_another_model() {
    for rows in ["200", "8192"] {
        let files = with_config("\"vocab_size\": 300", &format!("\"vocab_size\": {rows}"));
        expect_refusal(files, &["tokenizer", "300", rows]);
    }
}

#[test]
fn more_or_fewer_layers_than_the_config_says() {
    expect_refusal(with_config("\"n_layer\": 2", "\"n_layer\": 1"), &["fewer layers"]);
    expect_refusal(with_config("\"n_layer\": 2", "\"n_layer\": 3"), &["lack", "h.2."]);
}

#[test]
fn a_model_that_no_tab_can_hold() {
    let files = with_config("\"n_embd\": 32", "\"n_embd\": 16384");
    expect_refusal(files, &["MB of memory", "3000 MB"]);
}

#[test]
fn another_architecture() {
    expect_refusal(
        with_config("\"model_type\": \"gpt2\"", "\"model_type\": \"llama\""),
        &["llama"],
    );
}

#[test]
fn models_have_names_of_their_own() {
    let tiny = model("tiny-gpt2");
    assert_ne!(tiny.id(), model("tiny-untied").id());
    assert_eq!(tiny.id(), model("tiny-gpt2").id());
    let nudged = with_tensors(|t| t.get_mut(MATRIX).expect("matrix").2[3] ^= 1);
    assert_ne!(
        Model::load(nudged, Precision::Exact).expect("still a model").id(),
        tiny.id()
    );
    assert!(!file("tiny-gpt2/config.json").is_empty());
}

#[test]
fn two_hundred_damaged_files() {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut refused, mut harmless) = (0, 0);
    for turn in 0..240 {
        let good = files("tiny-gpt2");
        let loaded = match turn % 6 {
            0 => Model::load(
                ModelFiles {
                    config: damage(&good.config, &mut rng, usize::MAX),
                    ..good
                },
                Precision::Exact,
            ),
            1 => Model::load(
                ModelFiles {
                    tokenizer: damage(&good.tokenizer, &mut rng, usize::MAX),
                    ..good
                },
                Precision::Exact,
            ),
            2 | 3 => {
                let bytes = damage(&file("tiny-gpt2/model.safetensors"), &mut rng, 3500);
                Model::load(
                    ModelFiles {
                        weights: weights(bytes),
                        ..good
                    },
                    Precision::Exact,
                )
            }
            _ => {
                let name = ["f16.gguf", "q8_0.gguf", "q4_0.gguf", "k.gguf"][turn / 6 % 4];
                let bytes = damage(&file(&format!("formats/{name}")), &mut rng, 8000);
                ModelFiles::from_gguf(WeightFile::from_bytes(name, bytes))
                    .and_then(|files| Model::load(files, Precision::Exact))
            }
        };
        match loaded {
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.len() > 20 && sentence.contains(' '), "{sentence}");
                refused += 1;
            }
            // A changed letter in a vocabulary, a changed weight: another model, but a whole one.
            Ok(model) => {
                let length = Sampling {
                    length: 2,
                    ..Sampling::default()
                };
                let generation = Generation::new(&model, ContentType::Post, "The price", &length, 1);
                let next = generation.and_then(|mut generation| generation.next(&model, None));
                assert!(
                    next.is_ok() || matches!(next, Err(Error::BadLogits)),
                    "{:?}",
                    next.err()
                );
                harmless += 1;
            }
        }
    }
    assert!(refused >= 150, "{refused} refused, {harmless} harmless");
}
