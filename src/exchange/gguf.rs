//! The adapter as llama.cpp reads it with `--lora`: a GGUF file of type `adapter`
//! (<https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.cpp>).
//!
//! Beside each base tensor `X` stand `X.lora_a`, row by row `(rank, in)`, and `X.lora_b`, `(out, rank)`: as in PEFT, and not
//! the other way round as llama.cpp's own converter has them for GPT-2, whose base matrices it turns. The scale is
//! `adapter.lora.alpha / rank`.

use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};

use super::Error;
use crate::engine::Adapter;
use crate::engine::lora::Site;
use crate::engine::weights::gguf_name;

/// The adapter as the bytes of a file.
pub fn write(adapter: &Adapter, layers: usize) -> Result<Vec<u8>, Error> {
    let text = |text: &str| Value::String(text.to_owned());
    let metadata = [
        ("general.type", text("adapter")),
        ("general.architecture", text("gpt2")),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(adapter.lora().alpha as f32)),
    ];
    let mut tensors = Vec::new();
    for layer in 0..layers {
        for site in Site::ALL {
            let base = format!("h.{layer}.{}.weight", site.name());
            if let (Some(pair), Some(name)) = (adapter.pair(layer, site), gguf_name(&base)) {
                for (matrix, suffix) in [(&pair.a, "lora_a"), (&pair.b, "lora_b")] {
                    tensors.push((format!("{name}.{suffix}"), QTensor::quantize(matrix, GgmlDType::F32)?));
                }
            }
        }
    }
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &tensors)?;
    Ok(file.into_inner())
}
