//! A checkpoint of GPT-2 124M's shape whose every weight is a formula, so that nobody has to ship it: `tests/fixtures/make.py`
//! states the formula and lets transformers compute with the same weights.

use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;

/// Entries of the vocabulary, as in GPT-2.
pub const VOCABULARY: usize = 50257;
const WIDTH: usize = 768;
const POSITIONS: usize = 1024;

/// `config.json`
pub fn config(layers: usize) -> Vec<u8> {
    json!({
        "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": WIDTH, "n_head": 12, "n_layer": layers,
        "n_positions": POSITIONS, "vocab_size": VOCABULARY, "layer_norm_epsilon": 1e-5,
        "bos_token_id": VOCABULARY - 1, "eos_token_id": VOCABULARY - 1,
    })
    .to_string()
    .into_bytes()
}

/// `model.safetensors`, f32; the blocks' matrices lie within half of `block_scale` on both sides of 0.
pub fn weights(layers: usize, block_scale: f32) -> Vec<u8> {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes(layers)
        .into_iter()
        .map(|(name, shape)| {
            let data = values(&name, shape.iter().product(), block_scale);
            (name, shape, data)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).expect("view")));
    safetensors::serialize(views, None).expect("safetensors")
}

fn shapes(layers: usize) -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("wte.weight".to_owned(), vec![VOCABULARY, WIDTH]),
        ("wpe.weight".to_owned(), vec![POSITIONS, WIDTH]),
        ("ln_f.weight".to_owned(), vec![WIDTH]),
        ("ln_f.bias".to_owned(), vec![WIDTH]),
    ];
    for layer in 0..layers {
        for norm in ["ln_1", "ln_2"] {
            shapes.push((format!("h.{layer}.{norm}.weight"), vec![WIDTH]));
            shapes.push((format!("h.{layer}.{norm}.bias"), vec![WIDTH]));
        }
        for (name, fan_in, fan_out) in [
            ("attn.c_attn", WIDTH, 3 * WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ] {
            shapes.push((format!("h.{layer}.{name}.weight"), vec![fan_in, fan_out]));
            shapes.push((format!("h.{layer}.{name}.bias"), vec![fan_out]));
        }
    }
    shapes
}

/// The little-endian f32 values of a tensor.
fn values(name: &str, count: usize, block_scale: f32) -> Vec<u8> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let (layer, kind) = name.rsplit_once('.').expect("a dotted name");
    let (centre, scale) = match name {
        _ if kind == "bias" => (0.0, 0.04),
        _ if layer.contains("ln_") => (1.0, 0.2),
        "wpe.weight" => (0.0, 0.02),
        "wte.weight" => (0.0, 0.08),
        _ => (0.0, block_scale),
    };
    let mut bytes = Vec::with_capacity(4 * count);
    for i in 0..count as u64 {
        let u = (splitmix64(seed.wrapping_add(i)) >> 40) as f32 / 16_777_216.0 - 0.5;
        bytes.extend_from_slice(&(centre + u * scale).to_le_bytes());
    }
    bytes
}

fn splitmix64(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A byte-level `tokenizer.json` of GPT-2's size without its merges: the bytes in GPT-2's order, then ` w256`, ` w257` …, so
/// that a text says which tokens it is made of. `like` is any other byte-level tokenizer.
pub fn tokenizer(like: &[u8]) -> Vec<u8> {
    let mut tokenizer: serde_json::Value = serde_json::from_slice(like).expect("JSON");
    let vocabulary = tokenizer["model"]["vocab"].as_object().expect("a vocabulary");
    let mut bytes: Vec<&String> = vocabulary.keys().filter(|token| token.chars().count() == 1).collect();
    bytes.sort();
    assert_eq!(bytes.len(), 256, "every byte has a letter");
    let end_of_text = VOCABULARY - 1;
    let words = (256..end_of_text).map(|id| format!("Ġw{id}"));
    let entries = bytes.into_iter().cloned().chain(words).zip(0..);
    let mut entries: serde_json::Map<String, serde_json::Value> =
        entries.map(|(token, id): (String, usize)| (token, id.into())).collect();
    entries.insert("<|endoftext|>".into(), end_of_text.into());
    tokenizer["model"]["vocab"] = entries.into();
    tokenizer["model"]["merges"] = json!([]);
    tokenizer["added_tokens"][0]["id"] = end_of_text.into();
    tokenizer.to_string().into_bytes()
}
