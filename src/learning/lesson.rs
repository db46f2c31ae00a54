//! One lesson: a few optimiser steps on what a person said of some texts, pulled one at a time.

use candle_core::Tensor;
use candle_nn::Optimizer;

use super::batch::Batch;
use super::loss::{Evaluation, Reading, Reference};
use super::objective::{coefficient, damped, leave_one_out, pace, restraint, unlearned};
use super::replay::Past;
use super::{Error, Learner};
use crate::engine::{Completion, Model};
use crate::feedback::Reward;
use crate::settings::{Objective, Teaching};
use crate::statistics::mean;

/// The gradient's L2 norm is clipped to this.
const CLIP: f64 = 1.0;

/// What a person said.
#[derive(Clone, Debug)]
pub enum Material<'a> {
    /// How good some texts for one prompt are. The settings say by which objective they are taught.
    Rated(Vec<(&'a Completion, Reward)>),
    /// How good each token of some texts is, as far as is known without the person. Their running mean does not hear of it.
    Judged(Vec<(&'a Completion, Vec<f64>)>),
    /// Of some texts for one prompt one is the best.
    Preferred {
        /// This one …
        chosen: &'a Completion,
        /// … over these.
        rejected: Vec<&'a Completion>,
    },
    /// The text as the person would have written it.
    Demonstrated {
        /// Theirs.
        edit: &'a Completion,
        /// What it replaces.
        replaced: &'a Completion,
    },
}

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

/// What a lesson did to one of its texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextOutcome {
    /// What its reward was compared with.
    pub baseline: f64,
    /// The factor on its cross-entropy at the first step; of its tokens, the mean.
    pub coefficient: f64,
    /// Its mean log-probability per token before the lesson, in nats.
    pub log_prob_before: f64,
    /// The same after it.
    pub log_prob_after: f64,
}

/// What a whole lesson did.
#[derive(Clone, Debug, PartialEq)]
pub struct LessonOutcome {
    /// The texts of the material, in its order.
    pub texts: Vec<TextOutcome>,
    /// Texts of earlier lessons that were taught along.
    pub replayed: usize,
    /// Mean KL from the untaught model per token of all texts after the lesson, in nats.
    pub kl: f64,
}

/// What a text is there for.
#[derive(Clone)]
enum Role {
    /// By the person.
    Rated {
        reward: Reward,
        baseline: f64,
    },
    /// Without the person: the advantage of each token.
    Judged(Vec<f64>),
    /// Better than so many texts after it.
    Chosen {
        over: usize,
    },
    /// Worse than the first text, one of so many.
    Rejected {
        of: usize,
    },
    Demonstrated,
}

/// A text of the lesson.
struct Text {
    role: Role,
    tokens: usize,
    /// Mean log-probability per token when it was written, in nats; untaught, if a person wrote it.
    log_prob_written: f64,
    /// Under the untaught model.
    log_prob_untaught: f64,
    before: Option<Before>,
}

/// A text at the first step.
#[derive(Clone, Copy)]
struct Before {
    log_prob: f64,
    coefficient: f64,
}

/// A lesson in progress. To stop it, drop it and restore the learner's snapshot from before [`Lesson::begin`].
pub struct Lesson {
    batch: Batch,
    /// The untaught model at each text's positions.
    references: Vec<Reference>,
    /// Those of the material first, then those that are replayed.
    texts: Vec<Text>,
    /// How many the material has.
    new: usize,
    teaching: Teaching,
    steps_done: usize,
}

impl Lesson {
    /// Prepares a lesson: evaluates all texts under the untaught model.
    pub fn begin(
        learner: &Learner,
        model: &Model,
        material: &Material,
        replayed: &[Past],
        teaching: &Teaching,
    ) -> Result<Self, Error> {
        let usual = learner.baseline().mean();
        let mut cast = roles(material, usual);
        let new = cast.len();
        cast.extend(replayed.iter().map(|past| {
            let role = Role::Rated {
                reward: past.reward,
                baseline: usual,
            };
            (past.completion, role)
        }));
        let texts = cast.iter().map(|(completion, _)| *completion);
        let batch = Batch::new(texts, model.config().n_positions)?;
        let references = batch.references(model)?;
        Self::of(model, cast, new, (batch, references), teaching)
    }

    /// Prepares a lesson from judged texts that the untaught model has read already.
    pub(super) fn practised(
        learner: &Learner,
        model: &Model,
        judged: Vec<(&Completion, Vec<f64>)>,
        read: (Batch, Vec<Reference>),
        teaching: &Teaching,
    ) -> Result<Self, Error> {
        let cast = roles(&Material::Judged(judged), learner.baseline().mean());
        let new = cast.len();
        Self::of(model, cast, new, read, teaching)
    }

    fn of(
        model: &Model,
        cast: Vec<(&Completion, Role)>,
        new: usize,
        (batch, references): (Batch, Vec<Reference>),
        teaching: &Teaching,
    ) -> Result<Self, Error> {
        // Only preferences, and what nobody drew, are held against what the untaught model would say.
        let is_compared = |(completion, role): &(&Completion, Role)| match role {
            Role::Rated { .. } | Role::Judged(_) => completion.log_probs.is_empty(),
            Role::Chosen { .. } | Role::Rejected { .. } | Role::Demonstrated => true,
        };
        let untaught = if cast.iter().any(is_compared) {
            batch.read(model, None, &[])?
        } else {
            vec![Reading::default(); cast.len()]
        };
        let texts = cast
            .into_iter()
            .zip(&untaught)
            .map(|((completion, role), untaught)| Text {
                role,
                tokens: completion.ids.len(),
                log_prob_written: match completion.log_probs.len() {
                    0 => untaught.log_prob,
                    n => completion.log_probs.iter().map(|p| f64::from(*p)).sum::<f64>() / n as f64,
                },
                log_prob_untaught: untaught.log_prob,
                before: None,
            });
        Ok(Self {
            texts: texts.collect(),
            batch,
            references,
            new,
            teaching: *teaching,
            steps_done: 0,
        })
    }

    /// Whether all steps are done.
    #[must_use]
    pub const fn done(&self) -> bool {
        self.steps_done >= self.teaching.steps
    }

    /// The factor on each token's cross-entropy, for each text, when the texts have these mean log-probabilities.
    fn coefficients(&self, log_probs: &[f64]) -> Vec<Vec<f64>> {
        let gain = |at: usize| log_probs[at] - self.texts[at].log_prob_untaught;
        let texts = self.texts.iter().enumerate();
        let of_text = |(at, text): (usize, &Text)| {
            let ratio = (log_probs[at] - text.log_prob_written).exp();
            let all_alike = |c: f64| vec![c; text.tokens];
            match &text.role {
                Role::Judged(advantages) => advantages.iter().map(|advantage| damped(*advantage, ratio)).collect(),
                Role::Rated { reward, baseline } => {
                    all_alike(coefficient(self.teaching.objective, *reward, *baseline, ratio))
                }
                Role::Chosen { over } => {
                    let left = (1..=*over).map(|other| unlearned(gain(at), gain(at + other)));
                    all_alike(left.sum::<f64>() / *over as f64)
                }
                Role::Rejected { of } => all_alike(-unlearned(gain(0), gain(at)) / *of as f64),
                Role::Demonstrated => all_alike(1.0),
            }
        };
        texts.map(of_text).collect()
    }

    /// One optimiser step on the mean of `c · CE + β · KL` over the texts.
    ///
    /// # Errors
    /// [`Error::NotFinite`] before anything is changed, if the loss or its gradient is not a number.
    pub fn step(&mut self, learner: &mut Learner, model: &Model) -> Result<StepReport, Error> {
        let hidden = self.batch.hidden(model, Some(learner.trainable()))?; // [m, n] each
        let evaluations = self.batch.evaluate(model, &hidden, &self.references)?;
        let log_probs: Vec<f64> = evaluations.iter().map(Evaluation::log_prob).collect();
        let kl = evaluations.iter().map(|evaluation| evaluation.kl).sum::<f64>() / evaluations.len() as f64;
        let coefficients = self.coefficients(&log_probs);
        for (text, (log_prob, coefficient)) in self.texts.iter_mut().zip(log_probs.into_iter().zip(&coefficients)) {
            text.before.get_or_insert(Before {
                log_prob,
                coefficient: mean(coefficient),
            });
        }
        let loss = self.loss(evaluations, &hidden, &coefficients, kl)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        if !value.is_finite() {
            return Err(Error::NotFinite("loss"));
        }
        let grads = loss.backward()?;
        let optimizer = learner.optimizer_mut();
        let norm = optimizer.gradient_norm(&grads)?;
        if !norm.is_finite() {
            return Err(Error::NotFinite("gradient"));
        }
        let pace = match self.teaching.objective {
            Objective::RewardWeighted => 1.0,
            Objective::Advantage => pace(&coefficients.concat()),
        };
        optimizer.set_learning_rate(pace * self.teaching.learning_rate);
        optimizer.scaled_step(&grads, if norm > CLIP { CLIP / norm } else { 1.0 })?;
        self.steps_done += 1;
        Ok(StepReport {
            loss: value,
            gradient_norm: norm,
            kl,
        })
    }

    fn loss(
        &self,
        evaluations: Vec<Evaluation>,
        hidden: &[Tensor],
        coefficients: &[Vec<f64>],
        kl: f64,
    ) -> Result<Tensor, Error> {
        let Teaching {
            kl_weight, kl_target, ..
        } = self.teaching;
        let is_practice = self.texts.iter().all(|text| matches!(text.role, Role::Judged(_)));
        let restraint = restraint(kl_weight, kl, kl_target);
        let kl_weight = match self.teaching.objective {
            Objective::RewardWeighted => kl_weight,
            Objective::Advantage if is_practice => restraint,
            Objective::Advantage => restraint.max(kl_weight),
        };
        let shares = self.shares();
        let texts = evaluations.into_iter().zip(hidden).zip(coefficients.iter().zip(shares));
        let losses = texts.map(|((evaluation, hidden), (c, share))| {
            let c: Vec<f64> = c.iter().map(|c| share * c).collect();
            evaluation.loss(hidden, &c, share * kl_weight)
        });
        let losses = losses.collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::stack(&losses, 0)?.sum_all()?)
    }

    /// How much each text counts.
    fn shares(&self) -> Vec<f64> {
        let tokens: usize = self.texts.iter().map(|text| text.tokens).sum();
        self.texts
            .iter()
            .map(|text| text.tokens as f64 / tokens as f64)
            .collect()
    }

    /// Ends the lesson: its rewards join the running baseline, its texts are evaluated once more.
    pub fn finish(self, learner: &mut Learner, model: &Model) -> Result<LessonOutcome, Error> {
        let after = self.batch.read(model, Some(learner.adapter()), &self.references)?;
        let kl = after.iter().map(|reading| reading.kl).sum::<f64>() / after.len() as f64;
        let usual = learner.baseline().mean();
        let texts = self.texts[..self.new].iter().zip(&after);
        let outcome = |(text, after): (&Text, &Reading)| {
            let baseline = match text.role {
                Role::Rated { reward, baseline } => {
                    learner.baseline_mut().add(reward);
                    baseline
                }
                Role::Judged(_) | Role::Chosen { .. } | Role::Rejected { .. } | Role::Demonstrated => usual,
            };
            let before = text.before.unwrap_or(Before {
                log_prob: after.log_prob,
                coefficient: 0.0,
            });
            TextOutcome {
                baseline,
                coefficient: before.coefficient,
                log_prob_before: before.log_prob,
                log_prob_after: after.log_prob,
            }
        };
        Ok(LessonOutcome {
            texts: texts.map(outcome).collect(),
            replayed: self.texts.len() - self.new,
            kl,
        })
    }
}

/// Who plays what. An edit is a demonstration, and preferred over what it replaces.
fn roles<'a>(material: &Material<'a>, usual: f64) -> Vec<(&'a Completion, Role)> {
    match material {
        Material::Rated(texts) => {
            let baselines = leave_one_out(&rewards(texts), usual);
            let rated = texts.iter().zip(baselines);
            let role = |reward, baseline| Role::Rated { reward, baseline };
            rated
                .map(|((text, reward), baseline)| (*text, role(*reward, baseline)))
                .collect()
        }
        Material::Judged(texts) => {
            let judged = texts.iter();
            judged
                .map(|(text, advantages)| (*text, Role::Judged(advantages.clone())))
                .collect()
        }
        Material::Preferred { chosen, rejected } => {
            let of = rejected.len();
            let rejected = rejected.iter().map(|text| (*text, Role::Rejected { of }));
            [(*chosen, Role::Chosen { over: of })]
                .into_iter()
                .chain(rejected)
                .collect()
        }
        Material::Demonstrated { edit, replaced } => {
            vec![(*edit, Role::Demonstrated), (*replaced, Role::Rejected { of: 1 })]
        }
    }
}

fn rewards(texts: &[(&Completion, Reward)]) -> Vec<Reward> {
    texts.iter().map(|(_, reward)| *reward).collect()
}
