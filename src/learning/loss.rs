//! `c · CE + β · KL` over a post's tokens, as one candle operation from the logits on: its dozen intermediate tables of
//! `[m, v]` numbers never come to be.
//!
//! With `π` the policy and `π₀` the untaught model at the post's `m` positions, and `y` the post's tokens:
//!
//! ```text
//! CE = mean(−log π(y))                        KL = mean(Σ π · (log π − log π₀))
//! ∂CE/∂logits = (π − onehot(y)) / m           ∂KL/∂logits = π · (log π − log π₀ − KL of the row) / m
//! ```

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::engine::kernels::{float, pool};
use crate::engine::storage::with_f32;

/// The untaught model's log-probabilities at a post's positions.
#[derive(Clone, Debug)]
pub struct Reference(Arc<[f32]>);

impl Reference {
    /// From its logits, `[m, v]`.
    pub fn new(logits: &Tensor) -> Result<Self> {
        let (_, v) = logits.dims2()?;
        with_f32(logits, |logits| {
            let mut log_probs = logits.to_vec();
            pool::chunks(&mut log_probs, v, |_, row| {
                let normaliser = normaliser(row);
                for logit in row {
                    *logit -= normaliser;
                }
            });
            Self(log_probs.into())
        })
    }

    fn row(&self, at: usize, v: usize) -> &[f32] {
        &self.0[at * v..][..v]
    }
}

/// What is known of a row of logits.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Logarithm of the sum that divides the exponentials.
    normaliser: f32,
    /// KL from the reference, in nats; zero without one.
    divergence: f32,
}

/// What a policy says of a post.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The post's tokens.
    targets: Arc<[u32]>,
    /// One for each of them.
    rows: Vec<Row>,
    /// Mean of `log π(y)`, in nats.
    pub log_prob: f64,
}

impl Evaluation {
    /// Of logits `[m, v]` for `m` tokens.
    ///
    /// # Errors
    /// If there are not as many rows as tokens, or a token is not in the vocabulary.
    pub fn new(logits: &Tensor, targets: &Arc<[u32]>, reference: Option<&Reference>) -> Result<Self> {
        let (m, v) = logits.dims2()?;
        if m != targets.len() || targets.iter().any(|target| *target as usize >= v) {
            bail!("{} tokens do not fit logits of {m} rows and {v} columns", targets.len());
        }
        with_f32(logits, |logits| {
            let mut rows = vec![Row::default(); m];
            pool::chunks(&mut rows, 1, |at, rows| {
                let logits = &logits[at * v..][..v];
                let normaliser = normaliser(logits);
                let divergence =
                    reference.map_or(0.0, |reference| divergence(logits, normaliser, reference.row(at, v)));
                rows[0] = Row { normaliser, divergence };
            });
            let chosen = rows.iter().zip(&**targets).zip(logits.chunks_exact(v));
            let log_prob = chosen.map(|((row, target), logits)| f64::from(logits[*target as usize] - row.normaliser));
            Self {
                targets: Arc::clone(targets),
                log_prob: log_prob.sum::<f64>() / m as f64,
                rows,
            }
        })
    }

    /// Mean KL from the reference, in nats.
    #[must_use]
    pub fn kl(&self) -> f64 {
        self.rows.iter().map(|row| f64::from(row.divergence)).sum::<f64>() / self.rows.len() as f64
    }

    /// `c · CE + β · KL`, through which gradients flow to `logits`, from which this evaluation was made.
    pub fn loss(self, logits: &Tensor, reference: &Reference, c: f64, beta: f64) -> Result<Tensor> {
        logits.apply_op1(Loss {
            value: beta.mul_add(self.kl(), -c * self.log_prob),
            evaluation: self,
            reference: reference.clone(),
            c,
            beta,
        })
    }
}

/// Logarithm of the sum of exponentials.
fn normaliser(logits: &[f32]) -> f32 {
    let (most, sum) = float::sum_exp(logits);
    most + sum.ln()
}

/// `Σ π · (log π − log π₀)`
fn divergence(logits: &[f32], normaliser: f32, reference: &[f32]) -> f32 {
    let terms = logits.iter().zip(reference).map(|(logit, reference)| {
        let log_prob = logit - normaliser;
        float::exp(log_prob) * (log_prob - reference)
    });
    terms.map(f64::from).sum::<f64>() as f32
}

struct Loss {
    evaluation: Evaluation,
    reference: Reference,
    c: f64,
    beta: f64,
    value: f64,
}

impl CustomOp1 for Loss {
    fn name(&self) -> &'static str {
        "policy-loss"
    }

    fn cpu_fwd(&self, _logits: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![self.value as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _loss: &Tensor, dloss: &Tensor) -> Result<Option<Tensor>> {
        let (m, v) = logits.dims2()?;
        let scale = dloss.to_scalar::<f32>()? / m as f32;
        let (c, beta) = (scale * self.c as f32, scale * self.beta as f32);
        let evaluation = &self.evaluation;
        let mut gradient = vec![0.0; m * v];
        with_f32(logits, |logits| {
            pool::chunks(&mut gradient, v, |at, gradient| {
                let Row { normaliser, divergence } = evaluation.rows[at];
                let rows = logits[at * v..].iter().zip(self.reference.row(at, v));
                for (gradient, (logit, reference)) in gradient.iter_mut().zip(rows) {
                    let log_prob = logit - normaliser;
                    *gradient = float::exp(log_prob) * (c + beta * (log_prob - reference - divergence));
                }
                gradient[evaluation.targets[at] as usize] -= c;
            });
        })?;
        Tensor::from_vec(gradient, (m, v), logits.device()).map(Some)
    }
}
