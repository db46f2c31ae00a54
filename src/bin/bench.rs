//! The engine alone, for `cargo xtask bench`: it writes and learns without a page, a database or a sampler around it.
//!
//! It is built with the feature `bench`, is never published, and runs in a worker of its own, where
//! `benches/peers/pages/fledge_worker.js` calls [`Bench`]. Times are measured inside, by the worker's clock.

use candle_core::{Device, Tensor};
use candle_nn::Optimizer as _;
use fledge::engine::kernels::float::argmax;
use fledge::engine::weights::WeightFile;
use fledge::engine::{Cache, Model, ModelFiles};
use fledge::learning::loss::Evaluation;
use fledge::learning::{self, Learner};
use fledge::settings::{Lora, Precision, Teaching};
use fledge::worker::instruments::{BlobReader, Meter, now};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

/// The gradient's norm is measured and clipped to this, as in a lesson.
const CLIP: f64 = 1.0;

fn main() {
    console_error_panic_hook::set_once();
}

/// The instruction set that this build uses.
#[must_use]
#[wasm_bindgen]
pub fn kernels() -> String {
    fledge::engine::kernels::best().name().to_owned()
}

/// Computes on so many threads from now on.
#[wasm_bindgen]
pub fn start_threads(threads: u32) {
    fledge::worker::threads::start(threads);
}

/// Threads that compute now.
#[must_use]
#[wasm_bindgen]
pub fn threads() -> usize {
    fledge::engine::kernels::pool::threads()
}

/// A model that is measured.
#[wasm_bindgen]
pub struct Bench {
    model: Model,
}

/// How long writing took.
#[wasm_bindgen]
pub struct Written {
    /// Milliseconds from the call to the first token.
    pub prefill_ms: f64,
    /// Tokens a second after it, all texts together.
    pub decode_tps: f64,
}

#[wasm_bindgen]
impl Bench {
    /// Reads a model as the page does: one tensor after the other, in the form that a model of its size has by itself.
    #[wasm_bindgen(constructor)]
    pub fn new(config: Vec<u8>, tokenizer: Vec<u8>, weights: Blob) -> Result<Self, JsError> {
        let weights = WeightFile {
            name: "model.safetensors".into(),
            source: Box::new(BlobReader::open(weights, Meter::new(|_| ()))?),
        };
        let files = ModelFiles {
            config,
            tokenizer,
            weights: vec![weights],
            card: None,
            name: None,
        };
        let model = Model::load(files, Precision::default())?;
        Ok(Self { model })
    }

    /// How the matrices lie in memory.
    #[must_use]
    pub fn precision(&self) -> String {
        let name = match self.model.precision() {
            Precision::Exact => "f32",
            Precision::EightBit => "8 bits",
        };
        name.to_owned()
    }

    /// Bytes of weights that a token's forward pass reads: all but the table of positions. The embedding is the head.
    #[must_use]
    pub fn bytes_a_token(&self) -> f64 {
        let config = self.model.config();
        (self.model.bytes() - 4 * config.n_positions * config.n_embd) as f64
    }

    /// Writes `count` tokens after a prompt, the likeliest each time, as so many texts at once.
    pub fn write(&self, prompt: &[u32], count: usize, candidates: usize) -> Result<Written, JsError> {
        let begun = now();
        let gpt2 = self.model.gpt2();
        let capacity = prompt.len() + count;
        let mut cache = Cache::new(self.model.config(), self.model.precision(), 1, capacity);
        let first_token = argmax(gpt2.read(prompt, &mut cache, None)?) as u32;
        if candidates > 1 {
            // The prompt is read once for all of them.
            cache = cache.fork(candidates);
        }
        let vocabulary = self.model.config().vocab_size;
        let likeliest = |logits: &[f32], ids: &mut Vec<u32>| {
            ids.clear();
            ids.extend(logits.chunks_exact(vocabulary).map(|row| argmax(row) as u32));
        };
        let mut ids = vec![first_token; candidates];
        let first = now();
        for _ in 1..count {
            let logits = gpt2.read(&ids, &mut cache, None)?;
            likeliest(logits, &mut ids);
        }
        Ok(Written {
            prefill_ms: first - begun,
            decode_tps: (candidates * (count - 1)) as f64 * 1000.0 / (now() - first),
        })
    }

    /// Takes optimiser steps with an adapter on all four matrices, each token of each sequence predicting the next one.
    /// Milliseconds of each.
    pub fn learn(&self, batch: usize, tokens: usize, rank: usize, steps: usize) -> Result<Vec<f64>, JsError> {
        let lora = Lora {
            rank,
            ..Lora::default()
        };
        let mut learner = Learner::new(&self.model, lora, 1)?;
        learner
            .optimizer_mut()
            .set_learning_rate(Teaching::default().learning_rate);
        let (inputs, targets) = self.sequences(batch, tokens)?;
        let mut times = Vec::with_capacity(steps);
        for _ in 0..steps {
            let begun = now();
            self.step(&mut learner, &inputs, &targets)?;
            times.push(now() - begun);
        }
        Ok(times)
    }
}

impl Bench {
    /// Any tokens `[b, t]`, and those that follow them.
    fn sequences(&self, batch: usize, tokens: usize) -> candle_core::Result<(Tensor, Vec<u32>)> {
        let vocabulary = self.model.config().vocab_size as u32;
        // Knuth's multiplicative hash: neighbours lie far apart.
        let ids: Vec<u32> = (0..=(batch * tokens) as u32)
            .map(|i| i.wrapping_mul(2_654_435_761) % vocabulary)
            .collect();
        let inputs = Tensor::from_slice(&ids[..batch * tokens], (batch, tokens), &Device::Cpu)?;
        Ok((inputs, ids[1..].to_vec()))
    }

    /// Cross-entropy, backward, AdamW. Without a pull towards the untaught model, which the other engines do not have either.
    fn step(&self, learner: &mut Learner, inputs: &Tensor, targets: &[u32]) -> Result<(), learning::Error> {
        let gpt2 = self.model.gpt2();
        let hidden = gpt2.hidden(inputs, Some(learner.trainable()))?.flatten_to(1)?; // [b * t, n]
        let loss =
            Evaluation::new(gpt2.head(), &hidden, targets, None)?.loss(&hidden, &vec![1.0; targets.len()], 0.0)?;
        drop(hidden);
        let grads = loss.backward()?;
        let optimizer = learner.optimizer_mut();
        let norm = optimizer.gradient_norm(&grads)?;
        if !norm.is_finite() {
            return Err(learning::Error::NotFinite("gradient"));
        }
        optimizer.scaled_step(&grads, (CLIP / norm).min(1.0))?;
        Ok(())
    }
}
