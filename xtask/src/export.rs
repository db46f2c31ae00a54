//! `cargo xtask export-model DIR`: the embedded model as everybody else's tools read one, a Hugging Face folder in f32.
//!
//! Its own folder, `public/model`, holds 8-bit tensors `X` beside `X.scale`; here each becomes `X · X.scale`, in f32, the very
//! numbers that the page computes with when it keeps a model exact. The other files are copied: `fledge.json` tells what to put
//! around a prompt (`prompt_format`), without which the model writes worse. Beside them lies `base.gguf`, the same for llama.cpp.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::gguf;

/// What is copied as it is. The last two may be missing.
const COPIED: [&str; 3] = ["tokenizer.json", "generation_config.json", "fledge.json"];
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const GGUF: &str = "base.gguf";
const SCALE: &str = ".scale";

/// Shape and values of each tensor, by name.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The embedded model's folder.
#[must_use]
pub fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../public/model")
}

/// Writes the model of a folder to another one, which is made if it is not there.
pub fn write(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from.join(WEIGHTS)).with_context(|| format!("no {WEIGHTS} in {}", from.display()))?;
    let tensors = exact(&bytes)?;
    fs::create_dir_all(to).with_context(|| format!("{} can't be made", to.display()))?;
    for name in COPIED {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).with_context(|| format!("{name} can't be written"))?;
        }
    }
    let config = with_n_ctx(json(from, CONFIG)?)?;
    let weights = safetensors(&tensors)?;
    let name = json(from, "fledge.json").map_or_else(|_none| Value::Null, |card| card["name"].clone());
    let name = name.as_str().unwrap_or("GPT-2");
    let base = gguf::write(name, &config, &json(from, "tokenizer.json")?, &tensors)?;
    for (name, bytes) in [
        (CONFIG, format!("{config:#}\n").as_bytes()),
        (WEIGHTS, &weights),
        (GGUF, &base),
    ] {
        fs::write(to.join(name), bytes).with_context(|| format!("{name} can't be written"))?;
    }
    println!("{}: {} MB of weights", to.display(), weights.len() / 1_000_000);
    Ok(())
}

fn json(folder: &Path, name: &str) -> Result<Value> {
    let text = fs::read(folder.join(name)).with_context(|| format!("no {name} in {}", folder.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{name} is no JSON"))
}

/// The config, with the context's length under its old name too, where llama.cpp's converter looks for it.
fn with_n_ctx(mut config: Value) -> Result<Value> {
    let positions = config.get("n_positions");
    config["n_ctx"] = positions.context("the config has no n_positions")?.clone();
    Ok(config)
}

/// Every tensor of a safetensors file in f32.
fn exact(bytes: &[u8]) -> Result<Tensors> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        if name.ends_with(SCALE) {
            continue;
        }
        let values = if view.dtype() == Dtype::F32 {
            floats(view.data())
        } else {
            ensure!(view.dtype() == Dtype::I8, "{name} is neither F32 nor I8");
            let scale = file
                .tensor(&format!("{name}{SCALE}"))
                .with_context(|| format!("{name} has no scale"))?;
            scaled(view.data(), view.shape(), &floats(scale.data()), scale.shape())
                .with_context(|| format!("the scale of {name} does not fit it"))?
        };
        tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    Ok(tensors)
}

/// A safetensors file with the names that transformers gives a GPT-2 with its head; the head itself is the embedding.
fn safetensors(tensors: &Tensors) -> Result<Vec<u8>> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensors: Vec<(String, &[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| (format!("transformer.{name}"), shape.as_slice(), bytes(values)))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, data)| Ok((name, TensorView::new(Dtype::F32, shape.to_vec(), data)?)));
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(::safetensors::serialize(views, Some(metadata))?)
}

/// `q · scale`, where the scale of a matrix has one row, or one column, or both.
fn scaled(q: &[u8], shape: &[usize], scale: &[f32], scale_shape: &[usize]) -> Result<Vec<f32>> {
    let (&[rows, columns], &[scale_rows, scale_columns]) = (shape, scale_shape) else {
        bail!("both must be matrices");
    };
    ensure!([1, rows].contains(&scale_rows) && [1, columns].contains(&scale_columns));
    let at = |row: usize, column: usize| (row % scale_rows) * scale_columns + column % scale_columns;
    let value = |(index, q): (usize, &u8)| f32::from(q.cast_signed()) * scale[at(index / columns, index % columns)];
    Ok(q.iter().enumerate().map(value).collect())
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_broadcast_along_rows_and_columns() {
        let q = [1, 2, 3, 255, 254, 253];
        let by_column = scaled(&q, &[2, 3], &[1.0, 10.0, 100.0], &[1, 3]).expect("values");
        assert_eq!(by_column, [1.0, 20.0, 300.0, -1.0, -20.0, -300.0]);
        let by_row = scaled(&q, &[2, 3], &[1.0, 10.0], &[2, 1]).expect("values");
        assert_eq!(by_row, [1.0, 2.0, 3.0, -10.0, -20.0, -30.0]);
        assert!(scaled(&q, &[2, 3], &[1.0, 2.0], &[1, 2]).is_err());
    }

    #[test]
    fn the_context_has_both_its_names() {
        let config = with_n_ctx(serde_json::json!({ "n_positions": 256 })).expect("a config");
        assert_eq!(config, serde_json::json!({ "n_positions": 256, "n_ctx": 256 }));
        assert!(with_n_ctx(serde_json::json!({})).is_err());
    }

    #[test]
    fn the_embedded_model_becomes_f32_throughout() {
        let bytes = fs::read(embedded().join(WEIGHTS)).expect("the embedded model");
        let file = safetensors(&exact(&bytes).expect("weights")).expect("a file");
        let file = SafeTensors::deserialize(&file).expect("a file");
        assert!(
            file.iter()
                .all(|(name, view)| view.dtype() == Dtype::F32 && !name.ends_with(SCALE))
        );
        assert_eq!(
            file.tensor("transformer.wte.weight").expect("the embedding").shape(),
            [8192, 384]
        );
    }
}
