//! Promise: a model of the whole size of GPT-2 124M computes what transformers computes, and in 8 bits nearly that.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fledge::engine::weights::WeightFile;
use fledge::engine::{Model, ModelFiles};
use fledge::settings::Precision;
use safetensors::SafeTensors;

use crate::fixtures::{Reference, assert_within, file, logits, values, weights};
use crate::formats::{Agreement, agreement};
use crate::formula;
use crate::parity::continuation;

/// Everything but the weights.
fn files() -> ModelFiles {
    ModelFiles {
        config: formula::config(12),
        tokenizer: formula::tokenizer(&file("tiny-gpt2/tokenizer.json")),
        weights: Vec::new(),
        card: None,
        name: None,
    }
}

fn large(precision: Precision) -> Model {
    let files = ModelFiles {
        weights: weights(formula::weights(12, 0.24)),
        ..files()
    };
    Model::load(files, precision).expect("a model")
}

#[test]
fn gpt2_124m_writes_as_transformers_writes_and_nearly_so_in_8_bits() {
    let reference = Reference::load();
    let (prompt, expected) = (reference.ids("large/ids"), reference.ids("large/greedy"));
    let exact = large(Precision::Exact);
    assert_eq!(exact.tokenizer().encode("Advice").expect("ids"), prompt);
    assert_eq!(continuation(exact.gpt2(), &prompt, expected.len(), true), expected);

    let small = large(Precision::EightBit);
    assert_eq!(
        small.precision(),
        Precision::EightBit,
        "without a wish, a model of this size"
    );
    assert_eq!(small.id(), exact.id());
    let text = [&prompt[..], &expected].concat();
    let Agreement { same, divergence, .. } = agreement(&exact, &small, &text, 1);
    println!(
        "124M random weights in 8 bits: the likeliest token is the same for {:.1} %, KL {divergence:.5} nats",
        100.0 * same
    );
    assert!(same > 0.7 && divergence < 0.05, "{same}, {divergence}");
}

/// Half a gigabyte in six formats is not for every run: `tests/fixtures/large_formats.py` says how.
#[test]
#[ignore = "needs FLEDGE_LARGE, a folder written by tests/fixtures/large_formats.py"]
fn every_format_of_a_124m_checkpoint_holds_the_same_model() {
    let folder = PathBuf::from(std::env::var_os("FLEDGE_LARGE").expect("FLEDGE_LARGE names a folder"));
    let reference = std::fs::read(folder.join("reference.safetensors")).expect("reference.safetensors");
    let reference = SafeTensors::deserialize(&reference).expect("reference.safetensors");
    let weight_file = |path: &Path| WeightFile {
        name: path.display().to_string(),
        source: Box::new(BufReader::new(File::open(path).expect("a file"))),
    };
    let prompt = Reference::load().ids("large/ids");
    let mut exact: Option<Vec<f32>> = None;
    for name in [
        "f32.safetensors",
        "shards",
        "f16.safetensors",
        "bf16.safetensors",
        "f16.gguf",
        "q8_0.gguf",
    ] {
        let path = folder.join(name);
        let files = if path.extension().is_some_and(|extension| extension == "gguf") {
            ModelFiles::from_gguf(weight_file(&path)).expect(name)
        } else {
            let shards = std::fs::read_dir(&path).map(|entries| entries.map(|entry| entry.expect("an entry").path()));
            let shards: Vec<PathBuf> = shards.map_or_else(|_| vec![path.clone()], Iterator::collect);
            ModelFiles {
                weights: shards
                    .iter()
                    .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
                    .map(|path| weight_file(path))
                    .collect(),
                ..files()
            }
        };
        let model = Model::load(files, Precision::Exact).expect(name);
        let all = logits(model.gpt2(), &prompt);
        let found = all.get(prompt.len() - 1).expect("the last position");
        let expected = reference.tensor(name).expect(name);
        let expected = Tensor::from_raw_buffer(expected.data(), DType::F32, expected.shape(), &Device::Cpu);
        assert_within(name, &found, &expected.expect("logits"), 1e-4);
        let found = values(&found);
        let exact = exact.get_or_insert_with(|| found.clone());
        let furthest = exact
            .iter()
            .zip(&found)
            .fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        println!("{name}: logits within 1e-4 of transformers' for its values; {furthest:.1e} from those of f32");
    }
}
