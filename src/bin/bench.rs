//! The engine alone, for `cargo xtask bench`: it writes and learns without a page, a database or a sampler around it.
//!
//! It is built with the feature `bench`, is never published, and runs in a worker of its own, where
//! `benches/peers/pages/fledge_worker.js` calls [`Bench`]. Times are measured inside, by the worker's clock.

use candle_core::{D, Device, Tensor};
use candle_nn::{Optimizer as _, ops};
use fledge::engine::weights::WeightFile;
use fledge::engine::{Cache, Model, ModelFiles};
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

/// The instruction set that this build may use.
#[must_use]
#[wasm_bindgen]
pub fn kernels() -> String {
    let name = if cfg!(target_feature = "relaxed-simd") {
        "relaxed-simd"
    } else {
        "simd128"
    };
    name.to_owned()
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
        let model = Model::load(files, None)?;
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
        let mut cache = Cache::new(self.model.config(), candidates, prompt.len() + count)?;
        let mut next = |ids: &Tensor| -> candle_core::Result<Tensor> {
            let hidden = gpt2.hidden(ids, Some(&mut cache), None)?; // [c, t, n]
            let last = hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?; // [c, n]
            gpt2.logits(&last)?.argmax(D::Minus1)?.unsqueeze(1) // [c, 1]
        };
        let prompt = Tensor::new(prompt, &Device::Cpu)?.unsqueeze(0)?;
        let mut ids = next(&prompt.repeat((candidates, 1))?)?;
        let first = now();
        for _ in 1..count {
            ids = next(&ids)?;
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
    /// Any tokens, and those that follow them: `[b, t]` and `[b * t, 1]`.
    fn sequences(&self, batch: usize, tokens: usize) -> candle_core::Result<(Tensor, Tensor)> {
        let vocabulary = self.model.config().vocab_size as u32;
        // Knuth's multiplicative hash: neighbours lie far apart.
        let ids = (0..=(batch * tokens) as u32).map(|i| i.wrapping_mul(2_654_435_761) % vocabulary);
        let ids = Tensor::from_iter(ids, &Device::Cpu)?;
        let inputs = ids.narrow(0, 0, batch * tokens)?.reshape((batch, tokens))?;
        let targets = ids.narrow(0, 1, batch * tokens)?.unsqueeze(1)?.contiguous()?;
        Ok((inputs, targets))
    }

    /// Cross-entropy, backward, AdamW: a lesson's step without its comparison with the untaught model, which the other
    /// engines do not make either.
    fn step(&self, learner: &mut Learner, inputs: &Tensor, targets: &Tensor) -> Result<(), learning::Error> {
        let gpt2 = self.model.gpt2();
        let hidden = gpt2.hidden(inputs, None, Some(learner.trainable()))?.flatten_to(1)?; // [b * t, n]
        let log_probs = ops::log_softmax(&gpt2.logits(&hidden)?, D::Minus1)?; // [b * t, v]
        let loss = log_probs.gather(targets, 1)?.mean_all()?.neg()?;
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
