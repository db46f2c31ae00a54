//! One lesson: a few optimiser steps on one rated post, pulled one at a time.

use candle_core::{D, Device, Tensor};
use candle_nn::{Optimizer, ops};

use super::objective::coefficient;
use super::{Error, Learner};
use crate::engine::{Adapter, Completion, Model};
use crate::feedback::Reward;
use crate::settings::Teaching;

/// The gradient's L2 norm is clipped to this.
const CLIP: f64 = 1.0;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The objective's value before the step.
    pub loss: f64,
    /// L2 norm of the gradient, before clipping.
    pub gradient_norm: f64,
    /// Mean KL from the untaught model per token, in nats, before the step.
    pub kl: f64,
}

/// What a whole lesson did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LessonOutcome {
    /// The running mean of rewards that this one was compared with.
    pub baseline: f64,
    /// The factor on the cross-entropy at the first step.
    pub coefficient: f64,
    /// Mean log-probability per token of the post before the lesson, in nats.
    pub log_prob_before: f64,
    /// The same after it.
    pub log_prob_after: f64,
}

/// A lesson in progress. To stop it, drop it and restore the learner's snapshot from before [`Lesson::begin`].
pub struct Lesson {
    post: TeachingPost,
    /// Log-probabilities of the untaught model at the post's positions, `[m, v]`.
    reference: Tensor,
    reward: Reward,
    teaching: Teaching,
    baseline: f64,
    coefficient: f64,
    log_prob_written: f64,
    log_prob_before: f64,
    steps_done: usize,
}

impl Lesson {
    /// Prepares a lesson: evaluates the post under the untaught model and under the learner's.
    pub fn begin(
        learner: &Learner,
        model: &Model,
        completion: &Completion,
        reward: Reward,
        teaching: &Teaching,
    ) -> Result<Self, Error> {
        let post = TeachingPost::new(completion, model.config().n_positions)?;
        let reference = post.log_probs(model, None)?;
        let log_prob_before = post.mean_log_prob(&post.log_probs(model, Some(learner.adapter()))?)?;
        let log_prob_written = match completion.log_probs.len() {
            0 => log_prob_before,
            n => completion.log_probs.iter().map(|p| f64::from(*p)).sum::<f64>() / n as f64,
        };
        let baseline = learner.baseline().mean();
        let ratio = (log_prob_before - log_prob_written).exp();
        Ok(Self {
            post,
            reference,
            reward,
            teaching: *teaching,
            baseline,
            coefficient: coefficient(teaching.objective, reward, baseline, ratio),
            log_prob_written,
            log_prob_before,
            steps_done: 0,
        })
    }

    /// Whether all steps are done.
    #[must_use]
    pub const fn done(&self) -> bool {
        self.steps_done >= self.teaching.steps
    }

    /// One optimiser step on `c · CE + β · KL`.
    ///
    /// # Errors
    /// [`Error::NotFinite`] before anything is changed, if the loss or its gradient is not a number.
    pub fn step(&mut self, learner: &mut Learner, model: &Model) -> Result<StepReport, Error> {
        let log_probs = self.post.log_probs(model, Some(learner.trainable()))?; // [m, v]
        let ce = self.post.cross_entropy(&log_probs)?;
        let kl = divergence(&log_probs, &self.reference)?;
        let log_prob = -f64::from(ce.to_scalar::<f32>()?);
        let ratio = (log_prob - self.log_prob_written).exp();
        let c = coefficient(self.teaching.objective, self.reward, self.baseline, ratio);
        let loss = ((ce * c)? + (&kl * self.teaching.kl_weight)?)?;
        let report = |gradient_norm| -> Result<StepReport, Error> {
            Ok(StepReport {
                loss: f64::from(loss.to_scalar::<f32>()?),
                gradient_norm,
                kl: f64::from(kl.to_scalar::<f32>()?),
            })
        };
        if !report(0.0)?.loss.is_finite() {
            return Err(Error::NotFinite("loss"));
        }
        let grads = loss.backward()?;
        let optimizer = learner.optimizer_mut();
        let norm = optimizer.gradient_norm(&grads)?;
        if !norm.is_finite() {
            return Err(Error::NotFinite("gradient"));
        }
        optimizer.set_learning_rate(self.teaching.learning_rate);
        optimizer.scaled_step(&grads, if norm > CLIP { CLIP / norm } else { 1.0 })?;
        self.steps_done += 1;
        report(norm)
    }

    /// Ends the lesson: the reward joins the running baseline, the post is evaluated once more.
    pub fn finish(self, learner: &mut Learner, model: &Model) -> Result<LessonOutcome, Error> {
        learner.baseline_mut().add(self.reward);
        let log_probs = self.post.log_probs(model, Some(learner.adapter()))?;
        Ok(LessonOutcome {
            baseline: self.baseline,
            coefficient: self.coefficient,
            log_prob_before: self.log_prob_before,
            log_prob_after: self.post.mean_log_prob(&log_probs)?,
        })
    }
}

/// A post laid out for teaching: its tokens are predicted from prompt and post, the prompt's own are not.
pub struct TeachingPost {
    /// Prompt and post without the last token, `[1, t]`.
    inputs: Tensor,
    /// The post's tokens, `[m, 1]`.
    targets: Tensor,
    /// Position in `inputs` that predicts the first of them.
    start: usize,
    /// How many there are.
    m: usize,
}

impl TeachingPost {
    /// Lays a completion out.
    pub fn new(completion: &Completion, n_positions: usize) -> Result<Self, Error> {
        let Completion { prompt_ids, ids, .. } = completion;
        if ids.is_empty() || prompt_ids.is_empty() {
            return Err(Error::EmptyPost);
        }
        let all = [prompt_ids.as_slice(), ids].concat();
        let inputs = &all[..all.len() - 1];
        if inputs.len() > n_positions {
            return Err(Error::TooLong(n_positions));
        }
        Ok(Self {
            inputs: Tensor::new(inputs, &Device::Cpu)?.unsqueeze(0)?,
            targets: Tensor::new(ids.as_slice(), &Device::Cpu)?.unsqueeze(1)?,
            start: prompt_ids.len() - 1,
            m: ids.len(),
        })
    }

    /// Log-probabilities over the vocabulary at each position that predicts a token of the post, `[m, v]`.
    pub fn log_probs(&self, model: &Model, adapter: Option<&Adapter>) -> Result<Tensor, Error> {
        let hidden = model.gpt2().hidden(&self.inputs, None, adapter)?; // [1, t, n]
        let hidden = hidden.squeeze(0)?.narrow(0, self.start, self.m)?; // [m, n]
        let logits = model.gpt2().logits(&hidden)?; // [m, v]
        Ok(ops::log_softmax(&logits, D::Minus1)?)
    }

    /// Mean of `−log π(token)` over the post's tokens, a scalar.
    pub fn cross_entropy(&self, log_probs: &Tensor) -> Result<Tensor, Error> {
        Ok(log_probs.gather(&self.targets, 1)?.mean_all()?.neg()?)
    }

    fn mean_log_prob(&self, log_probs: &Tensor) -> Result<f64, Error> {
        Ok(-f64::from(self.cross_entropy(log_probs)?.to_scalar::<f32>()?))
    }
}

/// `KL(π ‖ π₀) = Σ π · (log π − log π₀)`, mean over positions, from two `[m, v]` tables of log-probabilities.
pub fn divergence(log_probs: &Tensor, reference: &Tensor) -> Result<Tensor, Error> {
    let difference = (log_probs - reference)?;
    Ok((log_probs.exp()? * difference)?.sum(D::Minus1)?.mean_all()?)
}
