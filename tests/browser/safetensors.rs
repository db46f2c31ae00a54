//! Weights with a fault, made from good ones.

use serde_json::{Map, Value};

/// A safetensors file, taken apart: eight bytes of length, a JSON header, the numbers.
pub struct Weights {
    header: Map<String, Value>,
    numbers: Vec<u8>,
}

impl Weights {
    pub fn read(file: &[u8]) -> Self {
        let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        let header = serde_json::from_slice(&file[8..8 + length]).expect("a header");
        Self {
            header,
            numbers: file[8 + length..].to_vec(),
        }
    }

    pub fn write(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).expect("JSON");
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], &header, &self.numbers].concat()
    }

    /// Calls a tensor something else.
    pub fn rename(mut self, tensor: &str, to: &str) -> Self {
        let entry = self
            .header
            .remove(tensor)
            .unwrap_or_else(|| panic!("no tensor {tensor}"));
        self.header.insert(to.into(), entry);
        self
    }

    /// Claims another shape of as many numbers: a vector becomes a matrix of one column.
    pub fn stand_upright(mut self, vector: &str) -> Self {
        let shape = self.header[vector]["shape"].as_array_mut().expect("a shape");
        shape.push(1.into());
        self
    }

    /// Makes the first number (F32) of a tensor none.
    pub fn poison(mut self, tensor: &str) -> Self {
        assert_eq!(self.header[tensor]["dtype"], "F32");
        let begin = self.header[tensor]["data_offsets"][0].as_u64().expect("an offset") as usize;
        self.numbers[begin..begin + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        self
    }
}
