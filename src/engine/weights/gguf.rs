//! Tensors, config and tokenizer from a GGUF file of architecture `gpt2`, as llama.cpp's converter writes it
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>). candle reads the container and the block formats.
//!
//! llama.cpp keeps a block's matrices as `[out, in]`; here they become Hugging Face's `[in, out]`.

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use serde_json::{Value as Json, json};

use super::{Each, Fingerprint, Source, TensorFile, WeightFile};
use crate::engine::tokenizer::{END_OF_TEXT, tokenizer_json};
use crate::engine::{Error, ModelFiles, storage};

/// How a GGUF file begins.
pub const MAGIC: &[u8; 4] = b"GGUF";

/// llama.cpp's names of a block's parts, and Hugging Face's.
const PARTS: [(&str, &str); 6] = [
    ("attn_norm", "ln_1"),
    ("attn_qkv", "attn.c_attn"),
    ("attn_output", "attn.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
    ("ffn_down", "mlp.c_proj"),
];
/// The same for what stands outside the blocks.
const WHOLE: [(&str, &str); 5] = [
    ("token_embd.weight", "wte.weight"),
    ("position_embd.weight", "wpe.weight"),
    ("output_norm.weight", "ln_f.weight"),
    ("output_norm.bias", "ln_f.bias"),
    ("output.weight", "lm_head.weight"),
];

/// llama.cpp's mark of a token that is no text (`LLAMA_TOKEN_TYPE_CONTROL`).
const CONTROL: i32 = 3;

/// A GGUF file whose header is read.
pub struct File {
    name: String,
    source: Box<dyn Source>,
    content: Content,
}

impl File {
    /// Reads and checks the header.
    pub fn open(name: &str, mut source: Box<dyn Source>) -> Result<Self, Error> {
        let content = Content::read(&mut source).map_err(|error| Error::weights(name, error))?;
        let architecture = text(&content, "general.architecture").unwrap_or_default();
        if architecture != "gpt2" {
            return Err(Error::Architecture(architecture.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            source,
            content,
        })
    }

    /// `config.json`, as Hugging Face would have it.
    fn config(&self) -> Json {
        let number = |key: &str| {
            let value = self.content.metadata.get(&format!("gpt2.{key}"));
            value.and_then(|value| value.to_u64().ok().or_else(|| value.to_u32().ok().map(u64::from)))
        };
        let epsilon = self.content.metadata.get("gpt2.attention.layer_norm_epsilon");
        let rows = self
            .content
            .tensor_infos
            .get("token_embd.weight")
            .map(|info| info.shape.dims().to_vec());
        json!({
            "model_type": "gpt2",
            "n_layer": number("block_count"),
            "n_head": number("attention.head_count"),
            "n_embd": number("embedding_length"),
            "n_inner": number("feed_forward_length"),
            "n_positions": number("context_length"),
            "vocab_size": rows.and_then(|dims| dims.first().copied()),
            "layer_norm_epsilon": epsilon.and_then(|value| value.to_f32().ok()),
            "eos_token_id": self.content.metadata.get("tokenizer.ggml.eos_token_id").and_then(|id| id.to_u32().ok()),
        })
    }

    /// `tokenizer.json`, as Hugging Face would have it.
    fn tokenizer(&self) -> Result<Json, Error> {
        let missing = |key: &str| Error::Tokenizer(format!("the GGUF file has no tokenizer.ggml.{key}"));
        let model = text(&self.content, "tokenizer.ggml.model").unwrap_or_default();
        if model != "gpt2" {
            return Err(Error::Tokenizer(format!(
                "the GGUF file's tokenizer is “{model}”, not gpt2"
            )));
        }
        let strings = |key: &'static str| {
            let list = self.content.metadata.get(&format!("tokenizer.ggml.{key}"));
            let list = list.and_then(|list| list.to_vec().ok()).ok_or_else(|| missing(key))?;
            let strings = list.iter().map(|item| item.to_string().ok().map(String::as_str));
            strings.collect::<Option<Vec<_>>>().ok_or_else(|| missing(key))
        };
        let tokens = strings("tokens")?;
        let types = self.content.metadata.get("tokenizer.ggml.token_type");
        let types = types.and_then(|types| types.to_vec().ok().cloned()).unwrap_or_default();
        let control = |id: usize| types.get(id).is_some_and(|kind| matches!(kind, Value::I32(CONTROL)));
        let special: Vec<&str> = tokens
            .iter()
            .enumerate()
            .filter(|(id, token)| control(*id) || **token == END_OF_TEXT)
            .map(|(_, token)| *token)
            .collect();
        Ok(tokenizer_json(
            tokens.iter().copied().zip(0..),
            &strings("merges")?,
            &special,
        ))
    }
}

impl TensorFile for File {
    fn names(&self) -> Vec<String> {
        let names = self.content.tensor_infos.keys();
        names.map(|name| hugging_face(name)).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let info = self.content.tensor_infos.get(&llama(name)?)?;
        let mut shape = info.shape.dims().to_vec();
        if is_transposed(name) {
            shape.reverse();
        }
        Some(shape)
    }

    fn read(&mut self, name: &str, each: &mut Each) -> Result<Fingerprint, Error> {
        let missing = || Error::MissingTensor(name.to_owned());
        let key = llama(name).ok_or_else(missing)?;
        let info = self.content.tensor_infos.get(&key).ok_or_else(missing)?;
        let blocks = info
            .read(&mut self.source, self.content.tensor_data_offset, &Device::Cpu)
            .map_err(|error| Error::weights(&self.name, error))?;
        let mut digest = Fingerprint::of_tensor(&format!("{:?}", info.ggml_dtype), info.shape.dims());
        let data = blocks.data()?;
        digest.sample(&data, 0, data.len());
        drop(data);
        let mut tensor = blocks.dequantize(&Device::Cpu)?;
        if is_transposed(name) {
            tensor = tensor.t()?.contiguous()?;
        }
        drop(blocks);
        storage::with_f32(&tensor, each)??;
        Ok(digest)
    }
}

/// Config, tokenizer and name out of a GGUF file, which then holds the weights.
pub fn model_files(file: WeightFile) -> Result<ModelFiles, Error> {
    let File { name, source, content } = File::open(&file.name, file.source)?;
    let file = File { name, source, content };
    let bytes = |json: Json| json.to_string().into_bytes();
    let config = bytes(file.config());
    let tokenizer = bytes(file.tokenizer()?);
    let card = text(&file.content, "general.name").map(|name| bytes(json!({ "name": name })));
    Ok(ModelFiles {
        config,
        tokenizer,
        card,
        weights: vec![WeightFile {
            name: file.name,
            source: file.source,
        }],
        name: None,
    })
}

fn text<'a>(content: &'a Content, key: &str) -> Option<&'a str> {
    content.metadata.get(key)?.to_string().ok().map(String::as_str)
}

/// The blocks' matrices lie the other way round.
fn is_transposed(name: &str) -> bool {
    name.starts_with("h.") && name.ends_with(".weight") && !name.contains(".ln_")
}

/// `blk.3.attn_qkv.weight` → `h.3.attn.c_attn.weight`; what is unknown keeps its name.
fn hugging_face(name: &str) -> String {
    let block = || {
        let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, kind) = rest.split_once('.')?;
        let (_, part) = PARTS.iter().find(|(llama, _)| *llama == part)?;
        Some(format!("h.{layer}.{part}.{kind}"))
    };
    let whole = || {
        WHOLE
            .iter()
            .find(|(llama, _)| *llama == name)
            .map(|(_, face)| (*face).to_owned())
    };
    whole().or_else(block).unwrap_or_else(|| name.to_owned())
}

/// `h.3.attn.c_attn.weight` → `blk.3.attn_qkv.weight`
#[must_use]
pub fn llama(name: &str) -> Option<String> {
    if let Some((llama, _)) = WHOLE.iter().find(|(_, face)| *face == name) {
        return Some((*llama).to_owned());
    }
    let (layer, rest) = name.strip_prefix("h.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (llama, _) = PARTS.iter().find(|(_, face)| *face == part)?;
    Some(format!("blk.{layer}.{llama}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in [
            "h.11.attn.c_attn.weight",
            "h.0.ln_2.bias",
            "h.3.mlp.c_proj.weight",
            "wte.weight",
            "lm_head.weight",
        ] {
            let llama = llama(name).expect("a name");
            assert!(!llama.starts_with("h."), "{llama}");
            assert_eq!(hugging_face(&llama), name);
        }
        assert_eq!(llama("h.0.nonsense.weight"), None);
        assert_eq!(hugging_face("rope_freqs.weight"), "rope_freqs.weight");
    }
}
