//! `cargo xtask export-model DIR`: the embedded model as everybody else's tools read one, a Hugging Face folder in f32.
//!
//! Its own folder, `public/model`, holds 8-bit tensors `X` beside `X.scale`; here each becomes `X · X.scale`, in f32, the very
//! numbers that the page computes with when it keeps a model exact. The other files are copied: `fledge.json` tells what to put
//! around a prompt (`prompt_format`), without which the model writes worse.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// What is copied as it is. The last two may be missing.
const COPIED: [&str; 3] = ["tokenizer.json", "generation_config.json", "fledge.json"];
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const SCALE: &str = ".scale";

/// The embedded model's folder.
#[must_use]
pub fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../public/model")
}

/// Writes the model of a folder to another one, which is made if it is not there.
pub fn write(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from.join(WEIGHTS)).with_context(|| format!("no {WEIGHTS} in {}", from.display()))?;
    let exact = exact(&bytes)?;
    fs::create_dir_all(to).with_context(|| format!("{} can't be made", to.display()))?;
    for name in COPIED {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).with_context(|| format!("{name} can't be written"))?;
        }
    }
    let config = fs::read_to_string(from.join(CONFIG)).with_context(|| format!("no {CONFIG} in {}", from.display()))?;
    fs::write(to.join(CONFIG), for_converters(&config)?).with_context(|| format!("{CONFIG} can't be written"))?;
    fs::write(to.join(WEIGHTS), &exact).with_context(|| format!("{WEIGHTS} can't be written"))?;
    println!("{}: {} MB of weights", to.display(), exact.len() / 1_000_000);
    Ok(())
}

/// The config, with the context's length under its old name too, where llama.cpp's converter looks for it.
fn for_converters(config: &str) -> Result<String> {
    let mut config: serde_json::Value = serde_json::from_str(config).context("the config is no JSON")?;
    let positions = config
        .get("n_positions")
        .context("the config has no n_positions")?
        .clone();
    config["n_ctx"] = positions;
    Ok(format!("{config:#}\n"))
}

/// A safetensors file with every tensor in f32.
fn exact(bytes: &[u8]) -> Result<Vec<u8>> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = BTreeMap::new();
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
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        // The names that transformers gives a GPT-2 with its head; the head itself is the embedding.
        tensors.insert(format!("transformer.{name}"), (view.shape().to_vec(), data));
    }
    let views = tensors
        .iter()
        .map(|(name, (shape, data))| Ok((name, TensorView::new(Dtype::F32, shape.clone(), data)?)));
    let views: Vec<_> = views.collect::<Result<_>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(safetensors::serialize(views, Some(metadata))?)
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
        let config = for_converters(r#"{"n_positions": 256}"#).expect("a config");
        assert!(config.contains(r#""n_ctx": 256"#) && config.contains(r#""n_positions": 256"#));
        assert!(for_converters("{}").is_err());
    }

    #[test]
    fn the_embedded_model_becomes_f32_throughout() {
        let bytes = fs::read(embedded().join(WEIGHTS)).expect("the embedded model");
        let exact = exact(&bytes).expect("weights");
        let file = SafeTensors::deserialize(&exact).expect("a file");
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
