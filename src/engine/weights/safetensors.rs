//! Tensors from a safetensors file (<https://github.com/huggingface/safetensors>): a JSON header, then the data.
//!
//! Besides f32, f16 and bf16 there is this project's 8-bit form: an I8 tensor `X` beside an f32 tensor `X.scale` that
//! broadcasts against it, `value = q · scale`.

use std::io::SeekFrom;

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Fingerprint, Found, Source, TensorFile};
use crate::engine::Error;

/// The length of the header, as a little-endian u64, stands before it.
const PREFIX: u64 = 8;
/// The format's own bound on the header.
const LONGEST_HEADER: u64 = 100_000_000;

/// A safetensors file whose header is read.
pub struct File {
    name: String,
    source: Box<dyn Source>,
    header: Metadata,
    /// Where the data begins.
    data: u64,
}

impl File {
    /// Reads and checks the header: the tensors must fill the file exactly.
    pub fn open(name: &str, mut source: Box<dyn Source>) -> Result<Self, Error> {
        let damaged = |why: &str| Error::weights(name, why);
        let io = |error| Error::weights(name, error);
        let size = source.seek(SeekFrom::End(0)).map_err(io)?;
        let mut length = [0; PREFIX as usize];
        source.rewind().map_err(io)?;
        source.read_exact(&mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER.min(size - PREFIX) {
            return Err(damaged("its header is longer than the file"));
        }
        let mut header = vec![0; length as usize];
        source.read_exact(&mut header).map_err(io)?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|error| damaged(&error.to_string()))?;
        let data = PREFIX + length;
        if header.data_len() as u64 != size - data {
            return Err(damaged(&format!(
                "it has {} bytes of data where its header says {}",
                size - data,
                header.data_len()
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            source,
            header,
            data,
        })
    }

    fn bytes(&mut self, info: &TensorInfo) -> Result<Vec<u8>, Error> {
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        self.source
            .seek(SeekFrom::Start(self.data + start as u64))
            .and_then(|_| self.source.read_exact(&mut bytes))
            .map_err(|error| Error::weights(&self.name, error))?;
        Ok(bytes)
    }

    /// `q · scale`
    fn dequantise(&mut self, name: &str, shape: &[usize], q: &[u8]) -> Result<Tensor, Error> {
        let scale_name = format!("{name}.scale");
        let info = self.header.info(&scale_name).cloned();
        let info = info.ok_or_else(|| Error::MissingTensor(scale_name.clone()))?;
        let scale = to_f32(&scale_name, info.dtype, &info.shape, &self.bytes(&info)?)?;
        let q: Vec<f32> = q.iter().map(|byte| f32::from(byte.cast_signed())).collect();
        let value = Tensor::from_vec(q, shape, &Device::Cpu)?.broadcast_mul(&scale);
        match value {
            Ok(value) if value.dims() == shape => Ok(value),
            Ok(_) | Err(_) => Err(Error::WrongShape {
                name: scale_name,
                expected: shape.to_vec(),
                found: info.shape,
            }),
        }
    }
}

impl TensorFile for File {
    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.header.info(name).map(|info| info.shape.clone())
    }

    fn read(&mut self, name: &str) -> Result<Found, Error> {
        let info = self.header.info(name).cloned();
        let info = info.ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        let bytes = self.bytes(&info)?;
        let tensor = if info.dtype == Dtype::I8 {
            self.dequantise(name, &info.shape, &bytes)?
        } else {
            to_f32(name, info.dtype, &info.shape, &bytes)?
        };
        let digest = Fingerprint::of_tensor(&format!("{:?}", info.dtype), &info.shape, &bytes);
        Ok(Found { tensor, digest })
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "safetensors knows two dozen number types; three of them hold weights"
)]
fn to_f32(name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Result<Tensor, Error> {
    let dtype = match dtype {
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
    let tensor = Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu)?;
    Ok(tensor.to_dtype(DType::F32)?)
}
