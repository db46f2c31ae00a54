//! One lesson: a few optimiser steps on one rated post, pulled one at a time.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use candle_nn::Optimizer;

use super::loss::{self, Evaluation, Reference};
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
    /// The untaught model at the post's positions.
    reference: Reference,
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
        let reference = Reference::new(&post.hidden(model, None)?)?;
        let log_prob_before = post.log_prob(model, learner.adapter())?;
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
        let hidden = self.post.hidden(model, Some(learner.trainable()))?; // [m, n]
        let evaluation = self.post.evaluate(model, &hidden, Some(&self.reference))?;
        let kl = evaluation.kl;
        let ratio = (evaluation.log_prob - self.log_prob_written).exp();
        let c = coefficient(self.teaching.objective, self.reward, self.baseline, ratio);
        let loss = evaluation.loss(&hidden, c, self.teaching.kl_weight)?;
        let report = |gradient_norm| -> Result<StepReport, Error> {
            Ok(StepReport {
                loss: f64::from(loss.to_scalar::<f32>()?),
                gradient_norm,
                kl,
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
        Ok(LessonOutcome {
            baseline: self.baseline,
            coefficient: self.coefficient,
            log_prob_before: self.log_prob_before,
            log_prob_after: self.post.log_prob(model, learner.adapter())?,
        })
    }
}

/// A post laid out for teaching: its tokens are predicted from prompt and post, the prompt's own are not.
pub struct TeachingPost {
    /// Prompt and post without the last token, `[1, t]`.
    inputs: Tensor,
    /// The post's tokens, `m` of them.
    targets: Arc<[u32]>,
    /// Position in `inputs` that predicts the first of them.
    start: usize,
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
            targets: ids.as_slice().into(),
            start: prompt_ids.len() - 1,
        })
    }

    /// Hidden states at each position that predicts a token of the post, `[m, n]`.
    pub fn hidden(&self, model: &Model, adapter: Option<&Adapter>) -> Result<Tensor, Error> {
        let hidden = model.gpt2().hidden(&self.inputs, adapter)?; // [1, t, n]
        Ok(hidden.squeeze(0)?.narrow(0, self.start, self.targets.len())?)
    }

    /// What they say of the post.
    pub fn evaluate(&self, model: &Model, hidden: &Tensor, reference: Option<&Reference>) -> Result<Evaluation, Error> {
        Ok(Evaluation::new(model.gpt2().head(), hidden, &self.targets, reference)?)
    }

    /// Mean log-probability per token of the post, in nats.
    fn log_prob(&self, model: &Model, adapter: &Adapter) -> Result<f64, Error> {
        let hidden = self.hidden(model, Some(adapter))?;
        Ok(loss::log_prob(model.gpt2().head(), &hidden, &self.targets)?)
    }
}
