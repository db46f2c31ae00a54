//! Tensors from a safetensors file (<https://github.com/huggingface/safetensors>): a JSON header, then the data.
//!
//! Besides f32, f16 and bf16 there is this project's 8-bit form: an I8 tensor `X` beside an f32 tensor `X.scale` that
//! broadcasts against it, `value = q · scale`.

use std::io::SeekFrom;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::{Each, Fingerprint, Source, TensorFile};
use crate::engine::Error;

/// The length of the header, as a little-endian u64, stands before it.
const PREFIX: u64 = 8;
/// The format's own bound on the header.
const LONGEST_HEADER: u64 = 100_000_000;

/// So many bytes are read at a time; a multiple of every number's size.
const PIECE: usize = 1 << 20;

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

    /// Hands the bytes of a tensor over, in pieces of at most [`PIECE`] bytes.
    fn pieces(&mut self, info: &TensorInfo, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let (start, end) = info.data_offsets;
        self.source
            .seek(SeekFrom::Start(self.data + start as u64))
            .map_err(|error| Error::weights(&self.name, error))?;
        let mut piece = vec![0; PIECE.min(end - start)];
        for at in (start..end).step_by(PIECE) {
            let piece = &mut piece[..PIECE.min(end - at)];
            self.source
                .read_exact(piece)
                .map_err(|error| Error::weights(&self.name, error))?;
            each(piece)?;
        }
        Ok(())
    }

    /// The scales of an 8-bit tensor, which must broadcast against it.
    fn scales(&mut self, name: &str, shape: &[usize]) -> Result<Scales, Error> {
        let name = format!("{name}.scale");
        let info = self.header.info(&name).cloned();
        let info = info.ok_or_else(|| Error::MissingTensor(name.clone()))?;
        let number = Number::of(&name, info.dtype)?;
        let mut values = Vec::new();
        self.pieces(&info, |bytes| {
            number.append(bytes, &mut values);
            Ok(())
        })?;
        Scales::new(values, &info.shape, shape).ok_or_else(|| Error::WrongShape {
            name,
            expected: shape.to_vec(),
            found: info.shape,
        })
    }
}

impl TensorFile for File {
    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.header.info(name).map(|info| info.shape.clone())
    }

    fn read(&mut self, name: &str, each: &mut Each) -> Result<Fingerprint, Error> {
        let info = self.header.info(name).cloned();
        let info = info.ok_or_else(|| Error::MissingTensor(name.to_owned()))?;
        let form = if info.dtype == Dtype::I8 {
            Form::Scaled(self.scales(name, &info.shape)?)
        } else {
            Form::Plain(Number::of(name, info.dtype)?)
        };
        let size = info.data_offsets.1 - info.data_offsets.0;
        let mut digest = Fingerprint::of_tensor(&format!("{:?}", info.dtype), &info.shape);
        let (mut at, mut values) = (0, Vec::new());
        self.pieces(&info, |bytes| {
            digest.sample(bytes, at, size);
            values.clear();
            match &form {
                Form::Scaled(scales) => {
                    let value = |(byte, at): (&u8, usize)| f32::from(byte.cast_signed()) * scales.of(at);
                    values.extend(bytes.iter().zip(at..).map(value));
                }
                Form::Plain(number) => number.append(bytes, &mut values),
            }
            at += bytes.len();
            each(&values)
        })?;
        Ok(digest)
    }
}

/// How a tensor's values are written.
enum Form {
    Plain(Number),
    Scaled(Scales),
}

/// The scales of an 8-bit tensor: one for all, for each row, for each column, or for each value.
struct Scales {
    values: Vec<f32>,
    /// The tensor's.
    columns: usize,
    /// What a row and a column count for among the values.
    steps: [usize; 2],
}

impl Scales {
    /// As numpy broadcasts: dimensions are compared from the last on, and must be 1 or equal. The tensor is a matrix or a
    /// vector.
    fn new(values: Vec<f32>, scales: &[usize], shape: &[usize]) -> Option<Self> {
        let matrix = |shape: &[usize]| match *shape {
            [] => Some([1, 1]),
            [columns] => Some([1, columns]),
            [rows, columns] => Some([rows, columns]),
            _ => None,
        };
        let ([scale_rows, scale_columns], [rows, columns]) = (matrix(scales)?, matrix(shape)?);
        let fits = |scales: usize, size: usize| scales == 1 || scales == size;
        let row_step = if scale_rows == 1 { 0 } else { scale_columns };
        (scales.len() <= shape.len() && fits(scale_rows, rows) && fits(scale_columns, columns)).then(|| Self {
            values,
            columns: columns.max(1),
            steps: [row_step, usize::from(scale_columns != 1)],
        })
    }

    /// The scale of a value.
    fn of(&self, at: usize) -> f32 {
        let [row_step, column_step] = self.steps;
        self.values[at / self.columns * row_step + at % self.columns * column_step]
    }
}

/// The number types that weights come in.
#[derive(Clone, Copy)]
enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "safetensors knows two dozen number types; three of them hold weights"
    )]
    fn of(name: &str, dtype: Dtype) -> Result<Self, Error> {
        match dtype {
            Dtype::F32 => Ok(Self::F32),
            Dtype::F16 => Ok(Self::F16),
            Dtype::BF16 => Ok(Self::Bf16),
            other => Err(Error::WrongDtype {
                name: name.to_owned(),
                dtype: format!("{other:?}"),
            }),
        }
    }

    /// Adds what these little-endian bytes stand for.
    fn append(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::F32 => values.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
            Self::F16 => values.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| f16::from_le_bytes(*bytes).to_f32()),
            ),
            Self::Bf16 => values.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|bytes| bf16::from_le_bytes(*bytes).to_f32()),
            ),
        }
    }
}
