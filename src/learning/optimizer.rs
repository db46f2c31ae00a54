//! AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101), step for step like PyTorch's.
//!
//! candle-nn has one too, but its moments are private, and a lesson that can be undone or continued after a reload needs
//! them back. This one implements candle-nn's [`Optimizer`] over its [`ParamsAdamW`] and shows its moments.
//!
//! ```text
//! θ ← θ · (1 − lr · λ)
//! m ← β₁ · m + (1 − β₁) · g          v ← β₂ · v + (1 − β₂) · g²
//! θ ← θ − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
//! ```

use candle_core::{Result, Tensor, Var, backprop::GradStore};
use candle_nn::{Optimizer, ParamsAdamW};

use crate::engine::storage::with_f32s;

/// AdamW over a fixed list of variables.
#[derive(Debug)]
pub struct AdamW {
    params: ParamsAdamW,
    step: usize,
    slots: Vec<Slot>,
}

/// A variable and its two moments.
#[derive(Debug)]
pub struct Slot {
    /// What is optimised.
    pub var: Var,
    /// Running mean of the gradient.
    pub m: Tensor,
    /// Running mean of the squared gradient.
    pub v: Tensor,
}

impl AdamW {
    /// Steps taken so far.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.step
    }

    /// Says how many steps were taken before.
    pub const fn set_steps(&mut self, step: usize) {
        self.step = step;
    }

    /// The variables with their moments, in the order in which they were given.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The same, to put moments back.
    pub fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }

    /// L2 norm of the gradient over all variables.
    pub fn gradient_norm(&self, grads: &GradStore) -> Result<f64> {
        let mut sum = 0.0;
        for grad in self.slots.iter().filter_map(|slot| grads.get(&slot.var)) {
            sum += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }

    /// One step with every gradient multiplied by `scale`: 1, or less where the gradient is clipped.
    pub fn scaled_step(&mut self, grads: &GradStore, scale: f64) -> Result<()> {
        self.step += 1;
        let ParamsAdamW {
            lr,
            beta1,
            beta2,
            eps,
            weight_decay,
        } = self.params;
        let corrections = [beta1, beta2].map(|beta| 1.0 / (1.0 - beta.powi(self.step as i32)));
        let [m_correction, v_correction, scale] = [corrections[0], corrections[1], scale].map(|factor| factor as f32);
        let [m_keeps, m_takes] = [beta1, 1.0 - beta1].map(|factor| factor as f32);
        let [v_keeps, v_takes] = [beta2, 1.0 - beta2].map(|factor| factor as f32);
        let [lr, eps, theta_keeps] = [lr, eps, 1.0 - lr * weight_decay].map(|factor| factor as f32);
        for slot in &mut self.slots {
            let Some(grad) = grads.get(&slot.var) else { continue };
            // In one pass over the numbers: a dozen of candle's operations would each read and write them all.
            let [theta, m, v] = with_f32s([slot.var.as_tensor(), &slot.m, &slot.v, grad], |[theta, m, v, grad]| {
                let moments = m.iter().zip(v).zip(grad).map(|((m, v), grad)| {
                    let grad = grad * scale;
                    (m_keeps * m + m_takes * grad, v_keeps * v + v_takes * (grad * grad))
                });
                let (m, v): (Vec<f32>, Vec<f32>) = moments.unzip();
                let thetas = theta.iter().zip(&m).zip(&v).map(|((theta, m), v)| {
                    theta_keeps * theta - lr * (m * m_correction / ((v * v_correction).sqrt() + eps))
                });
                [thetas.collect(), m, v]
            })?;
            let tensor = |values| Tensor::from_vec(values, slot.var.shape(), slot.var.device());
            (slot.m, slot.v) = (tensor(m)?, tensor(v)?);
            slot.var.set(&tensor(theta)?)?;
        }
        Ok(())
    }
}

impl Optimizer for AdamW {
    type Config = ParamsAdamW;

    fn new(vars: Vec<Var>, params: ParamsAdamW) -> Result<Self> {
        let slots = vars
            .into_iter()
            .map(|var| {
                Ok(Slot {
                    m: var.zeros_like()?.detach(),
                    v: var.zeros_like()?.detach(),
                    var,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { params, step: 0, slots })
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.scaled_step(grads, 1.0)
    }

    fn learning_rate(&self) -> f64 {
        self.params.lr
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.params.lr = lr;
    }
}
