//! GPT-2's tensors, read from a safetensors file and checked before anything is built from them.
//!
//! Names come with and without the prefix `transformer.`; `attn.bias` and `attn.masked_bias` are mask buffers, not weights.
//! Number types: f32, f16, bf16, and this project's 8-bit form: an I8 tensor `X` beside an f32 tensor `X.scale` that
//! broadcasts against it, `value = q · scale`.

use std::collections::HashSet;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{Config, Error, storage};

/// A parsed safetensors file. Tensors are converted to f32 one at a time, as they are asked for.
pub struct Weights<'a> {
    file: SafeTensors<'a>,
    names: HashSet<String>,
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    /// Parses the header and checks it against the config's number of layers.
    pub fn parse(bytes: &'a [u8], config: &Config) -> Result<Self, Error> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| Error::Weights(e.to_string()))?;
        let names: HashSet<String> = file.names().into_iter().map(ToOwned::to_owned).collect();
        let prefix = if names.contains("wte.weight") {
            ""
        } else {
            "transformer."
        };
        let beyond = format!("{prefix}h.{}.", config.n_layer);
        if let Some(extra) = names.iter().filter(|n| n.starts_with(&beyond)).min() {
            return Err(Error::ExtraLayer(extra.clone()));
        }
        Ok(Self { file, names, prefix })
    }

    /// A tensor that must be there, in f32, with this shape and finite values. `name` is without prefix.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.read(&format!("{}{name}", self.prefix), shape)
    }

    /// The head's own weight, `[vocab_size, n_embd]`, where it is not tied to the embedding.
    pub fn untied_head(&self, shape: &[usize]) -> Result<Option<Tensor>, Error> {
        let name = "lm_head.weight";
        self.names.contains(name).then(|| self.read(name, shape)).transpose()
    }

    /// Hashes every tensor's name, type, shape and a sample of its bytes.
    pub fn fingerprint(&self, hash: &mut Fingerprint) {
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort();
        for name in names {
            let Ok(view) = self.file.tensor(name) else { continue };
            hash.add(name.as_bytes());
            hash.add(format!("{:?}{:?}", view.dtype(), view.shape()).as_bytes());
            let data = view.data();
            let stride = (data.len() / 64).max(1);
            for chunk in data.chunks(stride) {
                hash.add(&chunk[..chunk.len().min(16)]);
            }
        }
    }

    fn read(&self, name: &str, expected: &[usize]) -> Result<Tensor, Error> {
        let view = self
            .file
            .tensor(name)
            .map_err(|_e| Error::MissingTensor(name.to_owned()))?;
        if view.shape() != expected {
            return Err(Error::WrongShape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found: view.shape().to_vec(),
            });
        }
        let tensor = if view.dtype() == Dtype::I8 {
            self.dequantise(name, &view)?
        } else {
            to_f32(name, &view)?
        };
        all_finite(name, &tensor)?;
        Ok(tensor)
    }

    /// `q · scale`
    fn dequantise(&self, name: &str, view: &TensorView) -> Result<Tensor, Error> {
        let scale_name = format!("{name}.scale");
        let scale = self
            .file
            .tensor(&scale_name)
            .map_err(|_e| Error::MissingTensor(scale_name.clone()))?;
        let scale_f32 = to_f32(&scale_name, &scale)?;
        let q: Vec<f32> = view.data().iter().map(|byte| f32::from(byte.cast_signed())).collect();
        let q = Tensor::from_vec(q, view.shape(), &Device::Cpu)?;
        let wrong_shape = || Error::WrongShape {
            name: scale_name.clone(),
            expected: view.shape().to_vec(),
            found: scale.shape().to_vec(),
        };
        let value = q.broadcast_mul(&scale_f32).map_err(|_e| wrong_shape())?;
        if value.dims() == view.shape() {
            Ok(value)
        } else {
            Err(wrong_shape())
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "safetensors knows two dozen number types; three of them hold weights"
)]
fn to_f32(name: &str, view: &TensorView) -> Result<Tensor, Error> {
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => {
            return Err(Error::WrongDtype {
                name: name.to_owned(),
                dtype: format!("{other:?}"),
            });
        }
    };
    let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
    Ok(tensor.to_dtype(DType::F32)?)
}

fn all_finite(name: &str, tensor: &Tensor) -> Result<(), Error> {
    let finite = storage::with_f32(tensor, |values| values.iter().all(|value| value.is_finite()))?;
    if finite {
        Ok(())
    } else {
        Err(Error::NotFinite(name.to_owned()))
    }
}

/// FNV-1a, 64 bits: names a model, protects nothing.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// As 16 hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}
