//! A frozen linear map: `y = x·W + b`, with a gradient for `x` alone.
//!
//! candle's own matmul also computes, and keeps, a dense gradient of `W`, although nobody asks for it. Here `W` is hidden
//! inside a custom op whose backward is `dx = dy·Wᵀ`.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::matrix::Matrix;
use super::storage;

/// A matrix that never changes, and perhaps a bias.
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl FrozenLinear {
    /// `bias` is `[out]`.
    #[must_use]
    pub const fn new(weight: Matrix, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// Bytes that its matrix takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// `x` is `[n, in]`, contiguous; the result is `[n, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = if x.track_op() {
            x.apply_op1(FrozenMatmul(self.weight.clone()))?
        } else {
            self.weight.forward(x)?
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

struct FrozenMatmul(Matrix);

impl CustomOp1 for FrozenMatmul {
    fn name(&self) -> &'static str {
        "frozen-matmul"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = Tensor::from_slice(storage::f32_slice(x, layout)?, layout.shape(), &Device::Cpu)?;
        storage::into_cpu(&self.0.forward(&x)?)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.backward(&dy.contiguous()?)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::engine::matrix::Orientation;

    #[test]
    fn the_gradient_reaches_the_input_and_not_the_weight() {
        let device = Device::Cpu;
        let x = Var::from_tensor(&Tensor::new(&[[1f32, -2.0, 0.5]], &device).expect("x")).expect("var");
        let weight = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &device).expect("w");
        let bias = Tensor::new(&[0.5f32, -0.5], &device).expect("b");
        for orientation in [Orientation::InOut, Orientation::OutIn] {
            let stored = match orientation {
                Orientation::InOut => weight.clone(),
                Orientation::OutIn => weight.t().expect("t").contiguous().expect("contiguous"),
            };
            let linear = FrozenLinear::new(Matrix::exact(stored, orientation), Some(bias.clone()));
            let y = linear.forward(x.as_tensor()).expect("forward");
            assert_eq!(y.to_vec2::<f32>().expect("y"), [[-2.0, -3.5]]);
            let grads = y.sum_all().expect("sum").backward().expect("backward");
            let dx = grads
                .get(x.as_tensor())
                .expect("x has a gradient")
                .to_vec2::<f32>()
                .expect("dx");
            assert_eq!(dx, [[3.0, 7.0, 11.0]]);
            assert!(grads.get(&weight).is_none());
        }
    }
}
