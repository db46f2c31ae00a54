//! A GPT-2 in GGUF, as llama.cpp reads it (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>): f32, with the names and the
//! metadata of llama.cpp's own converter, which knows tokenizers by their hash and the embedded model's not.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::export::Tensors;

const VERSION: u32 = 3;
/// Each tensor begins at a multiple of so many bytes.
const ALIGNMENT: usize = 32;
/// `GGML_TYPE_F32`
const F32: u32 = 0;

/// Kinds of tokens.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// Writes a model whose tensors have Hugging Face's names, without `transformer.`.
pub fn write(name: &str, config: &Value, tokenizer: &Value, tensors: &Tensors) -> Result<Vec<u8>> {
    let mut metadata = Metadata::default();
    metadata.text("general.architecture", "gpt2");
    metadata.text("general.name", name);
    describe(config, &mut metadata)?;
    tokens(config, tokenizer, &mut metadata)?;

    let (mut infos, mut data) = (Vec::new(), Vec::new());
    let mut count = 0u64;
    for (name, (shape, values)) in tensors {
        let theirs = name_in_gguf(name).with_context(|| format!("{name} has no name in GGUF"))?;
        let (shape, values) = if is_conv1d(name) {
            turned(shape, values)
        } else {
            (shape.clone(), values.clone())
        };
        put_text(&mut infos, &theirs);
        infos.extend((shape.len() as u32).to_le_bytes());
        // The dimension in which neighbours lie comes first.
        infos.extend(shape.iter().rev().flat_map(|size| (*size as u64).to_le_bytes()));
        infos.extend(F32.to_le_bytes());
        pad(&mut data);
        infos.extend((data.len() as u64).to_le_bytes());
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        count += 1;
    }

    let mut file = b"GGUF".to_vec();
    file.extend(VERSION.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(metadata.count.to_le_bytes());
    file.extend(metadata.bytes);
    file.extend(infos);
    pad(&mut file);
    file.extend(data);
    Ok(file)
}

/// The model's shape.
fn describe(config: &Value, metadata: &mut Metadata) -> Result<()> {
    let number = |key: &str| {
        let number = config[key].as_u64().and_then(|number| u32::try_from(number).ok());
        number.with_context(|| format!("the config has no {key}"))
    };
    let width = number("n_embd")?;
    metadata.number("gpt2.block_count", number("n_layer")?);
    metadata.number("gpt2.context_length", number("n_positions")?);
    metadata.number("gpt2.embedding_length", width);
    metadata.number("gpt2.feed_forward_length", number("n_inner").unwrap_or(4 * width));
    metadata.number("gpt2.attention.head_count", number("n_head")?);
    let epsilon = config["layer_norm_epsilon"].as_f64();
    let epsilon = epsilon.context("the config has no layer_norm_epsilon")?;
    metadata.real("gpt2.attention.layer_norm_epsilon", epsilon as f32);
    Ok(())
}

/// What `tokenizer.json` says.
fn tokens(config: &Value, tokenizer: &Value, metadata: &mut Metadata) -> Result<()> {
    let vocabulary = tokenizer["model"]["vocab"].as_object().context("no vocabulary")?;
    let mut tokens = vec![""; vocabulary.len()];
    for (token, id) in vocabulary {
        let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
        let place = id.and_then(|id| tokens.get_mut(id));
        *place.with_context(|| format!("the token {token} has no place"))? = token;
    }
    let mut kinds = vec![NORMAL; tokens.len()];
    for added in tokenizer["added_tokens"].as_array().into_iter().flatten() {
        let id = added["id"].as_u64().and_then(|id| usize::try_from(id).ok());
        if let Some(kind) = id.and_then(|id| kinds.get_mut(id)) {
            *kind = CONTROL;
        }
    }
    let merges = tokenizer["model"]["merges"].as_array().context("no merges")?;
    // ["a", "b"], or "a b"
    let merge = |merge: &Value| {
        merge.as_array().map_or_else(
            || merge.as_str().unwrap_or_default().to_owned(),
            |parts| parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        )
    };
    let merges: Vec<String> = merges.iter().map(merge).collect();
    metadata.text("tokenizer.ggml.model", "gpt2");
    metadata.text("tokenizer.ggml.pre", "gpt-2");
    metadata.texts("tokenizer.ggml.tokens", &tokens);
    metadata.integers("tokenizer.ggml.token_type", &kinds);
    metadata.texts("tokenizer.ggml.merges", &merges);
    for (theirs, ours) in [("bos", "bos_token_id"), ("eos", "eos_token_id")] {
        let id = config[ours].as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.with_context(|| format!("the config has no {ours}"))?;
        metadata.number(&format!("tokenizer.ggml.{theirs}_token_id"), id);
    }
    Ok(())
}

/// Keys and values in their order.
#[derive(Default)]
struct Metadata {
    count: u64,
    bytes: Vec<u8>,
}

impl Metadata {
    fn key(&mut self, key: &str, kind: u32) {
        self.count += 1;
        put_text(&mut self.bytes, key);
        self.bytes.extend(kind.to_le_bytes());
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn real(&mut self, key: &str, value: f32) {
        self.key(key, 6);
        self.bytes.extend(value.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        put_text(&mut self.bytes, value);
    }

    fn array(&mut self, key: &str, kind: u32, len: usize) {
        self.key(key, 9);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend((len as u64).to_le_bytes());
    }

    fn integers(&mut self, key: &str, values: &[i32]) {
        self.array(key, 5, values.len());
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn texts(&mut self, key: &str, values: &[impl AsRef<str>]) {
        self.array(key, 8, values.len());
        for value in values {
            put_text(&mut self.bytes, value.as_ref());
        }
    }
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    to.extend((text.len() as u64).to_le_bytes());
    to.extend(text.as_bytes());
}

fn pad(to: &mut Vec<u8>) {
    to.resize(to.len().next_multiple_of(ALIGNMENT), 0);
}

/// `h.3.attn.c_attn.weight` → `blk.3.attn_qkv.weight`
fn name_in_gguf(name: &str) -> Option<String> {
    let (block, rest) = match name.strip_prefix("h.") {
        Some(rest) => {
            let (number, rest) = rest.split_once('.')?;
            (format!("blk.{number}."), rest)
        }
        None => (String::new(), name),
    };
    let (place, kind) = rest.rsplit_once('.')?;
    let place = match place {
        "wte" => "token_embd",
        "wpe" => "position_embd",
        "ln_f" => "output_norm",
        "ln_1" => "attn_norm",
        "attn.c_attn" => "attn_qkv",
        "attn.c_proj" => "attn_output",
        "ln_2" => "ffn_norm",
        "mlp.c_fc" => "ffn_up",
        "mlp.c_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("{block}{place}.{kind}"))
}

/// Hugging Face has GPT-2's matrices as `[in, out]`, everybody else as `[out, in]`.
fn is_conv1d(name: &str) -> bool {
    name.ends_with(".weight")
        && [".c_attn.", ".c_proj.", ".c_fc."]
            .iter()
            .any(|part| name.contains(part))
}

fn turned(shape: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
    let &[rows, columns] = shape else {
        return (shape.to_vec(), values.to_vec());
    };
    let column = |column: usize| (0..rows).map(move |row| values[row * columns + column]);
    (vec![columns, rows], (0..columns).flat_map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_llama_cpp() {
        for (ours, theirs) in [
            ("wte.weight", "token_embd.weight"),
            ("h.11.attn.c_proj.bias", "blk.11.attn_output.bias"),
            ("h.0.mlp.c_fc.weight", "blk.0.ffn_up.weight"),
        ] {
            assert_eq!(name_in_gguf(ours).as_deref(), Some(theirs));
        }
        assert_eq!(name_in_gguf("h.0.attn.masked_bias"), None);
    }

    #[test]
    fn a_matrix_is_turned() {
        let (shape, values) = turned(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((shape, values), (vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    }
}
