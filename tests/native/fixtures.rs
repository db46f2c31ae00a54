//! What the tests are held against: the tiny models and the reference numbers that `tests/fixtures/make.py` wrote.

use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use fledge::content::ContentType;
use fledge::engine::linear::Input;
use fledge::engine::lora::Pair;
use fledge::engine::weights::WeightFile;
use fledge::engine::{Adapter, Completion, Generation, Gpt2, Model, ModelFiles};
use fledge::feedback::{Ratings, Reward, Stars, Weights};
use fledge::learning::{Learner, Lesson, LessonOutcome, Material, StepReport};
use fledge::settings::{Lora, Precision, Sampling, Teaching};
use safetensors::SafeTensors;

/// Reads a file of `tests/fixtures`.
pub fn file(name: &str) -> Vec<u8> {
    read(&format!("tests/fixtures/{name}"))
}

/// Reads a file of the repository.
pub fn read(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The files of a fixture model; both share one tokenizer.
pub fn files(name: &str) -> ModelFiles {
    ModelFiles {
        config: file(&format!("{name}/config.json")),
        tokenizer: file("tiny-gpt2/tokenizer.json"),
        weights: weights(file(&format!("{name}/model.safetensors"))),
        card: None,
        name: None,
    }
}

/// The one file with weights that most models have.
pub fn weights(bytes: Vec<u8>) -> Vec<WeightFile> {
    vec![WeightFile::from_bytes("model.safetensors", bytes)]
}

/// A fixture model.
pub fn model(name: &str) -> Model {
    Model::load(files(name), Precision::Exact).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The model that the page opens with.
pub fn embedded() -> Model {
    embedded_as(Precision::default())
}

/// The same with its matrices in a form of choice.
pub fn embedded_as(precision: Precision) -> Model {
    let file = |name: &str| read(&format!("public/model/{name}"));
    Model::load(
        ModelFiles {
            config: file("config.json"),
            tokenizer: file("tokenizer.json"),
            weights: weights(file("model.safetensors")),
            card: Some(file("fledge.json")),
            name: None,
        },
        precision,
    )
    .expect("the embedded model loads")
}

/// A post, written to its end.
pub fn write(model: &Model, adapter: Option<&Adapter>, prompt: &str, sampling: &Sampling) -> Completion {
    write_several(model, adapter, prompt, sampling, 1).remove(0)
}

/// Several posts for one prompt, written together.
pub fn write_several(
    model: &Model,
    adapter: Option<&Adapter>,
    prompt: &str,
    sampling: &Sampling,
    count: usize,
) -> Vec<Completion> {
    let mut generation = Generation::new(model, ContentType::Post, prompt, sampling, count).expect("generation");
    while generation.next(model, adapter).expect("token") {}
    generation.finish(model).expect("posts")
}

/// What a post with so many stars on everything is worth.
pub fn reward(stars: u8) -> Reward {
    Weights::default().reward(&Ratings::all(Stars::new(stars).expect("1 to 5")))
}

/// Teaches a whole lesson.
pub fn teach(
    learner: &mut Learner,
    model: &Model,
    material: &Material,
    teaching: &Teaching,
) -> (LessonOutcome, Vec<StepReport>) {
    let mut lesson = Lesson::begin(learner, model, material, &[], teaching).expect("lesson");
    let mut reports = Vec::new();
    while !lesson.done() {
        reports.push(lesson.step(learner, model).expect("step"));
    }
    (lesson.finish(learner, model).expect("outcome"), reports)
}

/// Logits at every position, `[t, v]`, read at once.
pub fn logits(gpt2: &Gpt2, ids: &[u32]) -> Tensor {
    let ids = Tensor::new(ids, &Device::Cpu)
        .and_then(|t| t.unsqueeze(0))
        .expect("ids");
    let hidden = gpt2.hidden(&ids, None).and_then(|h| h.squeeze(0)).expect("hidden");
    gpt2.head().forward(&hidden, Input::AsIs).expect("logits")
}

/// Greedy, with nothing filtered.
pub fn greedy(length: usize) -> Sampling {
    Sampling {
        temperature: 0.0,
        top_p: 1.0,
        repetition_penalty: 1.0,
        length,
        ..Sampling::default()
    }
}

/// `reference.safetensors` and `reference.json`.
pub struct Reference {
    bytes: Vec<u8>,
    /// The scalars.
    pub json: serde_json::Value,
}

impl Reference {
    pub fn load() -> Self {
        let json = serde_json::from_slice(&file("reference.json")).expect("reference.json");
        Self {
            bytes: file("reference.safetensors"),
            json,
        }
    }

    /// An f32 tensor.
    #[track_caller]
    pub fn tensor(&self, key: &str) -> Tensor {
        let file = SafeTensors::deserialize(&self.bytes).expect("reference.safetensors");
        let view = file.tensor(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        Tensor::from_raw_buffer(view.data(), DType::F32, view.shape(), &Device::Cpu).expect("tensor")
    }

    /// Token ids.
    #[track_caller]
    pub fn ids(&self, key: &str) -> Vec<u32> {
        let file = SafeTensors::deserialize(&self.bytes).expect("reference.safetensors");
        let view = file.tensor(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        let chunks = view.data().chunks_exact(8);
        chunks
            .map(|c| u32::try_from(i64::from_le_bytes(c.try_into().expect("8 bytes"))).expect("an id"))
            .collect()
    }

    /// The adapter whose matrices stand under `{group}/{peft name}`.
    pub fn adapter(&self, model: &Model, group: &str) -> Adapter {
        let lora = Lora {
            rank: 4,
            alpha: 8.0,
            ..Lora::default()
        };
        Adapter::build(model.config(), lora, |layer, site| {
            let get = |m| self.tensor(&format!("{group}/{}", fledge::engine::lora::peft_name(layer, site, m)));
            Ok::<_, std::convert::Infallible>(Pair {
                a: get("lora_A"),
                b: get("lora_B"),
            })
        })
        .expect("infallible")
    }

    /// The training example of a model, as if it had been written.
    pub fn completion(&self, model: &str) -> Completion {
        let ids = self.ids(&format!("{model}/train_ids"));
        let prompt = self.json["training"][model]["prompt"].as_u64().expect("prompt") as usize;
        Completion {
            prompt_ids: ids[..prompt].to_vec(),
            ids: ids[prompt..].to_vec(),
            log_probs: Vec::new(),
            text: String::new(),
            ending: None,
        }
    }
}

/// All values of a tensor.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("f32 values")
}

/// The largest difference is at most `tolerance` times the largest expected value.
#[track_caller]
pub fn assert_close(what: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected));
    let largest = expected.iter().fold(f32::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let difference = found.iter().zip(&expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(
        difference <= tolerance * largest,
        "{what}: differs by {difference} where the largest value is {largest}"
    );
}

/// The largest difference is at most `tolerance`.
#[track_caller]
pub fn assert_within(what: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let difference = values(found)
        .iter()
        .zip(values(expected))
        .fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(difference <= tolerance, "{what}: differs by {difference}");
}
