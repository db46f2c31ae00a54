//! GPT-2's tensors, read one at a time from the files that hold them, and checked before anything is built from them.
//!
//! The files may lie anywhere that can be read and sought ([`Source`]); never more than one tensor of them is in memory, and
//! of a large one in a safetensors file only a piece at a time.
//! [`safetensors`] files, one or several shards, hold f32, f16, bf16, and this project's 8-bit form; [`gguf`] files hold
//! f32, f16 and llama.cpp's block formats. Names come with and without the prefix `transformer.`; `attn.bias` and
//! `attn.masked_bias` are mask buffers, not weights.

mod gguf;
mod safetensors;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

use candle_core::{Device, Tensor};

pub use self::gguf::{llama as gguf_name, model_files};
use super::{Config, Error};

/// The head's own weight, where it has one; it never has the prefix.
const UNTIED_HEAD: &str = "lm_head.weight";

/// Where a file's bytes come from: memory, a disk, a browser's file handle.
pub trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// A file with weights in it.
pub struct WeightFile {
    /// What it is called, for the sentence that says what is wrong with it.
    pub name: String,
    /// Its bytes.
    pub source: Box<dyn Source>,
}

impl WeightFile {
    /// A file that is in memory.
    #[must_use]
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            source: Box::new(std::io::Cursor::new(bytes)),
        }
    }
}

/// A file whose table of contents is read.
trait TensorFile {
    /// The names of its tensors, as Hugging Face's GPT-2 has them, with or without `transformer.`.
    fn names(&self) -> Vec<String>;

    /// The shape of a tensor that it has.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// Hands a tensor's values over in f32, whatever the file holds, in their order and in pieces of any size. Its shape has
    /// been looked at: it is as large as the model's config says. Returns the hash of its number type, its shape and a sample
    /// of its bytes.
    fn read(&mut self, name: &str, each: &mut Each) -> Result<Fingerprint, Error>;
}

/// Takes the next values of a tensor.
type Each<'a> = dyn FnMut(&[f32]) -> Result<(), Error> + 'a;

/// The tensors of a model.
pub struct Weights {
    files: Vec<RefCell<Box<dyn TensorFile>>>,
    /// In which file each name lies; names without prefix.
    place: HashMap<String, usize>,
    prefix: &'static str,
    /// Of every tensor that was read.
    digests: RefCell<BTreeMap<String, Fingerprint>>,
}

impl Weights {
    /// Reads the tables of contents and checks them against the config's number of layers.
    pub fn open(files: Vec<WeightFile>, config: &Config) -> Result<Self, Error> {
        let files: Vec<Box<dyn TensorFile>> = files.into_iter().map(open).collect::<Result<_, _>>()?;
        let names: Vec<(String, usize)> = files
            .iter()
            .enumerate()
            .flat_map(|(file, tensors)| tensors.names().into_iter().map(move |name| (name, file)))
            .collect();
        let prefix = if names.iter().any(|(name, _)| name == "wte.weight") {
            ""
        } else {
            "transformer."
        };
        let beyond = format!("{prefix}h.{}.", config.n_layer);
        if let Some((extra, _)) = names.iter().filter(|(name, _)| name.starts_with(&beyond)).min() {
            return Err(Error::ExtraLayer(extra.clone()));
        }
        Ok(Self {
            files: files.into_iter().map(RefCell::new).collect(),
            place: names.into_iter().collect(),
            prefix,
            digests: RefCell::default(),
        })
    }

    /// A tensor that must be there, in f32, with this shape and finite values. `name` is without prefix.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.read(&format!("{}{name}", self.prefix), shape)
    }

    /// The same, piece by piece.
    pub fn stream(&self, name: &str, shape: &[usize], each: impl FnMut(&[f32])) -> Result<(), Error> {
        self.pieces(&format!("{}{name}", self.prefix), shape, each)
    }

    /// Whether the head has a weight of its own, and is not tied to the embedding.
    #[must_use]
    pub fn has_untied_head(&self) -> bool {
        self.place.contains_key(UNTIED_HEAD)
    }

    /// The head's own weight, piece by piece.
    pub fn stream_untied_head(&self, shape: &[usize], each: impl FnMut(&[f32])) -> Result<(), Error> {
        self.pieces(UNTIED_HEAD, shape, each)
    }

    /// Hashes the name, number type, shape and a sample of the bytes of every tensor that was read.
    pub fn fingerprint(&self, hash: &mut Fingerprint) {
        for (name, digest) in &*self.digests.borrow() {
            hash.add(name.as_bytes());
            hash.add(digest.hex().as_bytes());
        }
    }

    fn read(&self, name: &str, expected: &[usize]) -> Result<Tensor, Error> {
        let mut all = Vec::new();
        self.pieces(name, expected, |values| all.extend_from_slice(values))?;
        Ok(Tensor::from_vec(all, expected, &Device::Cpu)?)
    }

    /// A tensor that must be there, with this shape and finite values.
    fn pieces(&self, name: &str, expected: &[usize], mut each: impl FnMut(&[f32])) -> Result<(), Error> {
        let missing = || Error::MissingTensor(name.to_owned());
        let file = &self.files[*self.place.get(name).ok_or_else(missing)?];
        let found = file.borrow().shape(name).ok_or_else(missing)?;
        if found != expected {
            return Err(Error::WrongShape {
                name: name.to_owned(),
                expected: expected.to_vec(),
                found,
            });
        }
        let digest = file.borrow_mut().read(name, &mut |values| {
            if !values.iter().all(|value| value.is_finite()) {
                return Err(Error::NotFinite(name.to_owned()));
            }
            each(values);
            Ok(())
        })?;
        let bare = name.strip_prefix(self.prefix).unwrap_or(name);
        self.digests.borrow_mut().insert(bare.to_owned(), digest);
        Ok(())
    }
}

/// Reads a file's table of contents.
fn open(file: WeightFile) -> Result<Box<dyn TensorFile>, Error> {
    let WeightFile { name, mut source } = file;
    let mut magic = [0; 4];
    source
        .rewind()
        .and_then(|()| source.read_exact(&mut magic))
        .and_then(|()| source.rewind())
        .map_err(|error| Error::weights(&name, error))?;
    Ok(if &magic == gguf::MAGIC {
        Box::new(gguf::File::open(&name, source)?)
    } else {
        Box::new(safetensors::File::open(&name, source)?)
    })
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

    /// Of a tensor: its number type and its shape. [`Fingerprint::sample`] adds of its data.
    fn of_tensor(dtype: &str, shape: &[usize]) -> Self {
        let mut hash = Self::new();
        hash.add(format!("{dtype}{shape:?}").as_bytes());
        hash
    }

    /// Adds 16 bytes out of each 64th of `size` bytes, as far as they are among these, which begin at `at`.
    fn sample(&mut self, bytes: &[u8], at: usize, size: usize) {
        let step = (size / 64).max(1);
        let end = at + bytes.len();
        for start in (at / step * step..end).step_by(step) {
            let sample = start.max(at)..(start + step.min(16)).min(end);
            if !sample.is_empty() {
                self.add(&bytes[sample.start - at..sample.end - at]);
            }
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
