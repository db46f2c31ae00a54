//! A frozen linear map: `y = x·W + b`, with a gradient for `x` alone.
//!
//! candle's own matmul also computes, and keeps, a dense gradient of `W`, although nobody asks for it. Here `W` is hidden
//! inside a custom op whose backward is `dx = dy·Wᵀ`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::storage;

/// How the rows of a weight lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[in, out]`: Hugging Face's Conv1D, all of GPT-2's blocks.
    InOut,
    /// `[out, in]`: PyTorch's Linear; the head, which is the embedding table.
    OutIn,
}

/// A weight that never changes, and perhaps a bias.
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: Tensor,
    bias: Option<Tensor>,
    orientation: Orientation,
}

impl FrozenLinear {
    /// `weight` is `[in, out]` or `[out, in]`, `bias` is `[out]`.
    #[must_use]
    pub const fn new(weight: Tensor, bias: Option<Tensor>, orientation: Orientation) -> Self {
        Self {
            weight,
            bias,
            orientation,
        }
    }

    /// `x` is `[n, in]`, contiguous; the result is `[n, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = if x.track_op() {
            x.apply_op1(FrozenMatmul {
                weight: self.weight.clone(),
                orientation: self.orientation,
            })?
        } else {
            x.matmul(&in_out(&self.weight, self.orientation)?)?
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// The weight as an `[in, out]` view.
fn in_out(weight: &Tensor, orientation: Orientation) -> Result<Tensor> {
    match orientation {
        Orientation::InOut => Ok(weight.clone()),
        Orientation::OutIn => weight.t(),
    }
}

struct FrozenMatmul {
    weight: Tensor,
    orientation: Orientation,
}

impl CustomOp1 for FrozenMatmul {
    fn name(&self) -> &'static str {
        "frozen-matmul"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = Tensor::from_slice(storage::f32_slice(x, layout)?, layout.shape(), self.weight.device())?;
        storage::into_cpu(&x.matmul(&in_out(&self.weight, self.orientation)?)?)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = dy.contiguous()?.matmul(&in_out(&self.weight, self.orientation)?.t()?)?;
        Ok(Some(dx))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

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
            let linear = FrozenLinear::new(stored, Some(bias.clone()), orientation);
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
