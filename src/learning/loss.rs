//! `mean(c · −log π(y)) + β · KL` over a post's tokens, as one candle operation from the hidden states on: of the logits,
//! `[m, v]`, which would be the largest tables of a lesson, there are never more than a few rows at a time.
//!
//! With `π` the policy and `π₀` the untaught model at the post's `m` positions, and `y` the post's tokens:
//!
//! ```text
//! CE = mean(c · −log π(y))                    KL = mean(Σ π · (log π − log π₀))
//! ∂CE/∂logits = c · (π − onehot(y)) / m       ∂KL/∂logits = π · (log π − log π₀ − KL of the row) / m
//! ```
//!
//! The gradients go through the head at once, while the rows are there, as Liger Kernel does it (Hsu et al. 2024,
//! arXiv 2410.10989); `c` and `β` may be chosen afterwards.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::engine::kernels::{float, pool};
use crate::engine::linear::FrozenLinear;
use crate::engine::storage::with_f32;
use crate::statistics::mean;

/// Rows of logits that are computed at a time. With fewer, the head's gradient would take longer.
const ROWS: usize = 32;

/// The untaught model at a post's positions: its hidden states, `[m, n]`.
#[derive(Clone, Debug)]
pub struct Reference(Arc<[f32]>);

impl Reference {
    /// From hidden states, `[m, n]`.
    pub fn new(hidden: &Tensor) -> Result<Self> {
        with_f32(hidden, |hidden| Self(hidden.into()))
    }

    /// The hidden state at each position, `[n]`.
    pub fn rows(&self, n: usize) -> std::slice::ChunksExact<'_, f32> {
        self.0.chunks_exact(n)
    }

    /// The mean hidden state of a text whose hidden states are `n` wide: `[m, n]` → `[n]`.
    #[must_use]
    pub fn mean(&self, n: usize) -> Vec<f64> {
        let mut sums = vec![0.0; n];
        for row in self.0.chunks_exact(n) {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let count = (self.0.len() / n).max(1) as f64;
        sums.into_iter().map(|sum| sum / count).collect()
    }
}

/// What a policy says of a post.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// `log π(y)` of each token, in nats.
    log_probs: Vec<f64>,
    /// Mean KL from the reference, in nats; zero without one.
    pub kl: f64,
    /// `∂CE/∂hidden` where every `c` is 1, `[m, n]`
    cross_entropy: Vec<f32>,
    /// `∂KL/∂hidden`, `[m, n]`; empty without a reference.
    divergence: Vec<f32>,
}

impl Evaluation {
    /// Of hidden states `[m, n]` for `m` tokens.
    ///
    /// # Errors
    /// If there are not as many rows as tokens, or a token is not in the vocabulary.
    pub fn new(head: &FrozenLinear, hidden: &Tensor, targets: &[u32], reference: Option<&Reference>) -> Result<Self> {
        let (m, n) = checked(head, hidden, targets)?;
        let v = head.outputs();
        let share = 1.0 / m as f32;
        let mut of_tokens = Vec::with_capacity(m);
        let mut kl = 0.0;
        let mut cross_entropy = vec![0.0; m * n];
        let mut divergence = vec![0.0; if reference.is_some() { m * n } else { 0 }];
        let (mut policy, mut untaught) = (Vec::new(), Vec::new()); // [rows, v]
        with_f32(hidden, |hidden| {
            for rows in chunks(m) {
                let span = rows.start * n..rows.end * n;
                let targets = &targets[rows];
                log_probs(head, &hidden[span.clone()], &mut policy)?;
                of_tokens.extend(chosen(&policy, v, targets));
                if let Some(Reference(reference)) = reference {
                    log_probs(head, &reference[span.clone()], &mut untaught)?;
                    let mut of_rows = vec![0.0; targets.len()];
                    pool::chunks(&mut of_rows, 1, |row, kl| {
                        kl[0] = divergence_of(&policy[row * v..][..v], &untaught[row * v..][..v]);
                    });
                    kl += of_rows.iter().map(|row| f64::from(*row)).sum::<f64>();
                    pool::chunks(&mut untaught, v, |row, untaught| {
                        for (value, log_prob) in untaught.iter_mut().zip(&policy[row * v..]) {
                            *value = share * float::exp(*log_prob) * (log_prob - *value - of_rows[row]);
                        }
                    });
                    head.apply_transposed(&untaught, &mut divergence[span.clone()])?;
                }
                pool::chunks(&mut policy, v, |row, policy| {
                    for value in &mut *policy {
                        *value = share * float::exp(*value);
                    }
                    policy[targets[row] as usize] -= share;
                });
                head.apply_transposed(&policy, &mut cross_entropy[span])?;
            }
            Ok(())
        })
        .flatten()?;
        Ok(Self {
            log_probs: of_tokens,
            kl: kl / m as f64,
            cross_entropy,
            divergence,
        })
    }

    /// Mean of `log π(y)`, in nats.
    #[must_use]
    pub fn log_prob(&self) -> f64 {
        mean(&self.log_probs)
    }

    /// `mean(c · −log π(y)) + β · KL`, with a factor `c` for each token, through which gradients flow to `hidden`, from which
    /// this evaluation was made.
    ///
    /// # Errors
    /// If there are not as many factors as tokens.
    pub fn loss(self, hidden: &Tensor, c: &[f64], beta: f64) -> Result<Tensor> {
        let m = self.log_probs.len();
        if c.len() != m {
            bail!("{} factors for {m} tokens", c.len());
        }
        let mut gradient = self.cross_entropy;
        let n = gradient.len() / m.max(1);
        for (row, c) in gradient.chunks_exact_mut(n.max(1)).zip(c) {
            for value in row {
                *value *= *c as f32;
            }
        }
        float::axpy(beta as f32, &self.divergence, &mut gradient);
        let surprise = self.log_probs.iter().zip(c).map(|(log_prob, c)| -c * log_prob);
        let surprise = mean(&surprise.collect::<Vec<_>>());
        hidden.apply_op1(Loss {
            value: beta.mul_add(self.kl, surprise) as f32,
            gradient,
        })
    }
}

/// What a policy says of a text, without gradients: means per token, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Of `log π(y)`.
    pub log_prob: f64,
    /// Of the distribution's entropy.
    pub entropy: f64,
    /// Of the divergence from the reference; zero without one.
    pub kl: f64,
}

/// Reads hidden states `[m, n]` for `m` tokens.
///
/// # Errors
/// As [`Evaluation::new`].
pub fn read(head: &FrozenLinear, hidden: &Tensor, targets: &[u32], reference: Option<&Reference>) -> Result<Reading> {
    let (m, n) = checked(head, hidden, targets)?;
    let v = head.outputs();
    let mut sum = Reading::default();
    let (mut policy, mut untaught) = (Vec::new(), Vec::new());
    with_f32(hidden, |hidden| {
        for rows in chunks(m) {
            let span = rows.start * n..rows.end * n;
            log_probs(head, &hidden[span.clone()], &mut policy)?;
            sum.log_prob += chosen(&policy, v, &targets[rows]).sum::<f64>();
            let each = |row: &[f32]| row.iter().map(|p| f64::from(-float::exp(*p) * p)).sum::<f64>();
            sum.entropy += policy.chunks_exact(v).map(each).sum::<f64>();
            if let Some(Reference(reference)) = reference {
                log_probs(head, &reference[span], &mut untaught)?;
                let rows = policy.chunks_exact(v).zip(untaught.chunks_exact(v));
                sum.kl += rows
                    .map(|(row, other)| f64::from(divergence_of(row, other)))
                    .sum::<f64>();
            }
        }
        Ok(())
    })
    .flatten()?;
    let mean = |sum: f64| sum / m as f64;
    Ok(Reading {
        log_prob: mean(sum.log_prob),
        entropy: mean(sum.entropy),
        kl: mean(sum.kl),
    })
}

/// `(m, n)`
fn checked(head: &FrozenLinear, hidden: &Tensor, targets: &[u32]) -> Result<(usize, usize)> {
    let (m, n) = hidden.dims2()?;
    let v = head.outputs();
    if m != targets.len() || targets.iter().any(|target| *target as usize >= v) {
        bail!("{} tokens do not fit {m} rows and a vocabulary of {v}", targets.len());
    }
    Ok((m, n))
}

fn chunks(m: usize) -> impl Iterator<Item = Range<usize>> {
    (0..m).step_by(ROWS).map(move |first| first..m.min(first + ROWS))
}

/// Hidden states of some rows → their log-probabilities, `[rows, v]`.
fn log_probs(head: &FrozenLinear, hidden: &[f32], log_probs: &mut Vec<f32>) -> Result<()> {
    let v = head.outputs();
    log_probs.resize(hidden.len() / head.inputs() * v, 0.0);
    head.apply(hidden, log_probs)?;
    pool::chunks(log_probs, v, |_, row| {
        let (most, sum) = float::sum_exp(row);
        let normaliser = most + sum.ln();
        for logit in row {
            *logit -= normaliser;
        }
    });
    Ok(())
}

/// The tokens' log-probabilities.
fn chosen(log_probs: &[f32], v: usize, targets: &[u32]) -> impl Iterator<Item = f64> {
    let rows = log_probs.chunks_exact(v).zip(targets);
    rows.map(|(row, target)| f64::from(row[*target as usize]))
}

/// `Σ π · (log π − log π₀)` of a row.
fn divergence_of(policy: &[f32], untaught: &[f32]) -> f32 {
    let terms = policy.iter().zip(untaught);
    let terms = terms.map(|(policy, untaught)| float::exp(*policy) * (policy - untaught));
    terms.map(f64::from).sum::<f64>() as f32
}

/// A loss whose gradient is known already.
struct Loss {
    value: f32,
    /// `[m, n]`
    gradient: Vec<f32>,
}

impl CustomOp1 for Loss {
    fn name(&self) -> &'static str {
        "policy-loss"
    }

    fn cpu_fwd(&self, _hidden: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![self.value]), Shape::from(())))
    }

    fn bwd(&self, hidden: &Tensor, _loss: &Tensor, dloss: &Tensor) -> Result<Option<Tensor>> {
        let scale = dloss.to_scalar::<f32>()?;
        let gradient = self.gradient.iter().map(|value| scale * value).collect::<Vec<_>>();
        Tensor::from_vec(gradient, hidden.shape(), hidden.device()).map(Some)
    }
}
