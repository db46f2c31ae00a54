//! The taste file outside of the page: what other programs are held against.
//!
//! ```text
//! cargo run --example taste -- make MODEL OUT      teach the model in a folder two lessons, pack OUT/taste.zip,
//!                                                  write OUT/expected.json
//! cargo run --example taste -- read MODEL FILES…   take in a taste file, or the files of a PEFT adapter, and print the same
//! ```
//!
//! MODEL is a Hugging Face folder, such as `cargo xtask export-model DIR` writes. What is printed is JSON: the ids of a prompt
//! and of the greedy text after it, and the logits at each of their positions. `tools/check/taste.py` compares all that with
//! what transformers, peft and llama.cpp say.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use candle_core::{Device, Tensor};
use fledge::content::ContentType;
use fledge::engine::linear::Input;
use fledge::engine::weights::WeightFile;
use fledge::engine::{Adapter, Completion, Generation, Model, ModelFiles};
use fledge::exchange::{Record, taste};
use fledge::feedback::{PartialRatings, Ratings, Stars, Weights};
use fledge::learning::{Learner, Lesson, Material};
use fledge::protocol::{Ending, Post};
use fledge::settings::{Lora, Precision, Sampling, Teaching};
use fledge::timeline::Timeline;

const PROMPT: &str = "Advice for entrepreneurs";
/// Texts that are written and rated, and the stars that they get.
const STARS: [u8; 4] = [5, 1, 4, 2];
/// Tokens of the greedy text.
const LENGTH: usize = 24;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", folder, out] => make(&open(Path::new(folder))?, Path::new(out)),
        ["read", folder, files @ ..] if !files.is_empty() => {
            let model = open(Path::new(folder))?;
            let picked: Result<Vec<_>> = files.iter().map(|path| picked(Path::new(path))).collect();
            let files = taste::gather(picked?)?;
            let taste = taste::unpack(&files, &model, ContentType::Post)?;
            println!("{}", expected(&model, taste.adapter.as_ref())?);
            Ok(())
        }
        _ => bail!("make MODEL OUT, or read MODEL FILES…"),
    }
}

/// A model with its weights exactly as its files have them.
fn open(folder: &Path) -> Result<Model> {
    let file = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("{name} of {}", folder.display()));
    let files = ModelFiles {
        config: file("config.json")?,
        tokenizer: file("tokenizer.json")?,
        weights: vec![WeightFile::from_bytes("model.safetensors", file("model.safetensors")?)],
        card: file("fledge.json").ok(),
        name: None,
    };
    Ok(Model::load(files, Precision::Exact)?)
}

fn picked(path: &Path) -> Result<(String, Vec<u8>)> {
    let name = path.file_name().and_then(|name| name.to_str()).context("a file name")?;
    Ok((name.to_owned(), std::fs::read(path)?))
}

fn make(model: &Model, out: &Path) -> Result<()> {
    let texts = write(model, None, &Sampling::default(), STARS.len())?;
    let ratings = STARS.map(|stars| Ratings::all(Stars::new(stars).unwrap_or(Stars::ONE)));
    let weights = Weights::default();
    let mut learner = Learner::new(model, Lora::default(), 0)?;
    let rated = texts
        .iter()
        .zip(&ratings)
        .map(|(text, ratings)| (text, weights.reward(ratings)));
    let material = Material::Rated(rated.collect());
    for _ in 0..2 {
        let mut lesson = Lesson::begin(&learner, model, &material, &[], &Teaching::default())?;
        while !lesson.done() {
            lesson.step(&mut learner, model)?;
        }
        lesson.finish(&mut learner, model)?;
    }
    let records: Vec<Record> = texts
        .into_iter()
        .zip(ratings)
        .zip(1..)
        .map(|((completion, ratings), id)| record(completion, ratings, id))
        .collect();
    let zip = taste::pack(&taste::Source {
        model,
        repository: None,
        content: ContentType::Post,
        adapter: Some(learner.adapter()),
        records: &records,
        timeline: &Timeline::default(),
        weights,
        ratings: true,
        made_at: 0.0,
    })?;
    std::fs::create_dir_all(out)?;
    std::fs::write(out.join("taste.zip"), zip)?;
    let path: PathBuf = out.join("expected.json");
    std::fs::write(path, expected(model, Some(learner.adapter()))?.to_string())?;
    Ok(())
}

fn record(completion: Completion, ratings: Ratings, id: u32) -> Record {
    let post = Post {
        id,
        content: ContentType::Post,
        group: 1,
        edit_of: None,
        prompt: PROMPT.into(),
        text: completion.text.clone(),
        tokens: completion.ids.len(),
        sampling: Sampling {
            seed: u64::from(id),
            ..Sampling::default()
        },
        ending: Ending::EndOfText,
        lessons_before: 0,
        written_at: f64::from(id),
        millis: 0.0,
        strength: 1.0,
        ratings: ratings.into(),
        filled_in: PartialRatings::default(),
        chosen_over: Vec::new(),
    };
    Record { post, completion }
}

fn write(model: &Model, adapter: Option<&Adapter>, sampling: &Sampling, count: usize) -> Result<Vec<Completion>> {
    let mut generation = Generation::new(model, ContentType::Post, PROMPT, sampling, count)?;
    while generation.next(model, adapter)? {}
    Ok(generation.finish(model)?)
}

/// What the model says with an adapter: the greedy text, and the logits at every position of prompt and text.
fn expected(model: &Model, adapter: Option<&Adapter>) -> Result<serde_json::Value> {
    let greedy = Sampling {
        temperature: 0.0,
        top_p: 1.0,
        repetition_penalty: 1.0,
        length: LENGTH,
        ..Sampling::default()
    };
    let text = write(model, adapter, &greedy, 1)?.remove(0);
    let ids = [text.prompt_ids.clone(), text.ids.clone()].concat();
    let input = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
    let hidden = model.gpt2().hidden(&input, adapter)?.squeeze(0)?;
    let logits: Vec<Vec<f32>> = model.gpt2().head().forward(&hidden, Input::AsIs)?.to_vec2()?;
    Ok(serde_json::json!({
        "prompt": PROMPT,
        "prompt_ids": text.prompt_ids,
        "greedy_ids": text.ids,
        "greedy": text.text,
        "logits": logits,
    }))
}
