//! A frozen linear map, `y = x·W + b`, with a gradient for `x` alone; or with a LoRA pair on it, with gradients for `x` and
//! the pair.
//!
//! candle's own matmul also computes, and keeps, a dense gradient of `W`, although nobody asks for it. Here `W` is hidden
//! inside a custom op whose backward is `dx = dy·Wᵀ`.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};

use super::kernels::{View, float};
use super::lora::Pair;
use super::matrix::{Matrix, gemm};
use super::ops::LayerNorm;
use super::storage;

/// A matrix that never changes, and perhaps a bias. Cloning shares them.
#[derive(Clone, Debug)]
pub struct FrozenLinear {
    weight: Matrix,
    /// `[out]`
    bias: Option<Arc<[f32]>>,
}

impl FrozenLinear {
    /// `bias` is `[out]`.
    #[must_use]
    pub const fn new(weight: Matrix, bias: Option<Arc<[f32]>>) -> Self {
        Self { weight, bias }
    }

    /// Bytes that its matrix takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.weight.bytes()
    }

    /// Width of what comes out.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.weight.outputs()
    }

    /// Width of what goes in.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.weight.inputs()
    }

    /// What a gradient of the result makes of one of the input, between slices: `[m, out]` → `[m, in]`.
    pub fn apply_transposed(&self, dy: &[f32], dx: &mut [f32]) -> Result<()> {
        self.weight.apply_transposed(dy, dx)
    }

    /// Between slices, without a gradient: `[m, in]` → `[m, out]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) -> Result<()> {
        self.weight.apply(x, self.bias.as_deref(), y)
    }

    /// `x` is `[.., in]`, contiguous; the result is `[.., out]`.
    pub fn forward(&self, x: &Tensor, input: Input) -> Result<Tensor> {
        let base = self.clone();
        x.apply_op1(Frozen { base, input })
    }

    /// The same plus `scale · (x·Aᵀ)·Bᵀ`.
    pub fn forward_with(&self, x: &Tensor, input: Input, pair: &Pair, scale: f64) -> Result<Tensor> {
        let op = Adapted {
            base: self.clone(),
            input,
            scale: scale as f32,
        };
        x.apply_op3(&pair.a, &pair.b, op)
    }
}

/// The same shape with another last dimension.
fn with_width(shape: &Shape, width: usize) -> Shape {
    let mut dims = shape.dims().to_vec();
    if let Some(last) = dims.last_mut() {
        *last = width;
    }
    dims.into()
}

/// What is done to the input of a map first. It is part of the map's operation, which computes it once more in its backward:
/// as an operation of its own, it would keep a second table of the same size until the step is over.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing.
    AsIs,
    /// Layer norm.
    Norm(LayerNorm),
    /// GELU in the tanh form that GPT-2 was trained with (Hendrycks & Gimpel 2016, arXiv 1606.08415).
    Gelu,
}

impl Input {
    fn apply<'x>(&self, x: &'x [f32]) -> Cow<'x, [f32]> {
        match self {
            Self::AsIs => Cow::Borrowed(x),
            Self::Norm(norm) => {
                let mut y = vec![0.0; x.len()];
                norm.apply(x, &mut y);
                Cow::Owned(y)
            }
            Self::Gelu => {
                let mut y = x.to_vec();
                float::gelu_all(&mut y);
                Cow::Owned(y)
            }
        }
    }

    /// What a gradient of what was made of `x` makes of one of `x`.
    fn gradient(&self, x: &[f32], dy: Vec<f32>) -> Vec<f32> {
        let filled = |backward: &dyn Fn(&mut [f32])| {
            let mut dx = vec![0.0; dy.len()];
            backward(&mut dx);
            dx
        };
        match self {
            Self::AsIs => dy,
            Self::Norm(norm) => filled(&|dx| norm.backward(x, &dy, dx)),
            Self::Gelu => filled(&|dx| float::gelu_backward(x, &dy, dx)),
        }
    }
}

struct Frozen {
    base: FrozenLinear,
    input: Input,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = with_width(layout.shape(), self.base.outputs());
        let mut y = vec![0.0; shape.elem_count()];
        let x = self.input.apply(storage::f32_slice(x, layout)?);
        self.base.apply(&x, &mut y)?;
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        let dx = storage::with_f32s([x, dy], |[x, dy]| {
            self.base.weight.apply_transposed(dy, &mut dx)?;
            Ok(self.input.gradient(x, dx))
        })
        .flatten()?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

/// `x·W + b + scale · (x·Aᵀ)·Bᵀ`, with `A` `[rank, in]` and `B` `[out, rank]`.
struct Adapted {
    base: FrozenLinear,
    input: Input,
    scale: f32,
}

impl Adapted {
    /// `scale · x·Aᵀ`: `[m, in]` → `[m, rank]`
    fn low(&self, x: &[f32], a: &[f32], (m, fan_in, rank): (usize, usize, usize)) -> Vec<f32> {
        let mut low = vec![0.0; m * rank];
        gemm(View::new(x, m, fan_in), View::new(a, rank, fan_in).t(), &mut low);
        for value in &mut low {
            *value *= self.scale;
        }
        low
    }
}

impl CustomOp3 for Adapted {
    fn name(&self) -> &'static str {
        "adapted-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (fan_in, (fan_out, rank)) = (self.base.inputs(), b_layout.shape().dims2()?);
        let x = &*self.input.apply(storage::f32_slice(x, x_layout)?);
        let m = x.len() / fan_in;
        let (a, b) = (storage::f32_slice(a, a_layout)?, storage::f32_slice(b, b_layout)?);
        let mut y = vec![0.0; m * fan_out];
        self.base.apply(x, &mut y)?;
        let low = self.low(x, a, (m, fan_in, rank));
        gemm(View::new(&low, m, rank), View::new(b, fan_out, rank).t(), &mut y);
        Ok((CpuStorage::F32(y), with_width(x_layout.shape(), fan_out)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (fan_in, (fan_out, rank)) = (self.base.inputs(), b.dims2()?);
        let m = x.elem_count() / fan_in;
        // The input of the first block has no gradient to give.
        let mut dx = vec![0.0; if x.track_op() { m * fan_in } else { 0 }];
        let (mut da, mut db) = (vec![0.0; rank * fan_in], vec![0.0; fan_out * rank]);
        let dx = storage::with_f32s([x, a, b, dy], |[before, a, b, dy]| {
            let x = &*self.input.apply(before);
            let low = self.low(x, a, (m, fan_in, rank));
            let dy_view = View::new(dy, m, fan_out);
            gemm(dy_view.t(), View::new(&low, m, rank), &mut db);
            let mut dlow = vec![0.0; m * rank]; // scale · dy·B
            gemm(dy_view, View::new(b, fan_out, rank), &mut dlow);
            for value in &mut dlow {
                *value *= self.scale;
            }
            let dlow = View::new(&dlow, m, rank);
            gemm(dlow.t(), View::new(x, m, fan_in), &mut da);
            if !dx.is_empty() {
                self.base.weight.apply_transposed(dy, &mut dx)?;
                gemm(dlow, View::new(a, rank, fan_in), &mut dx);
                dx = self.input.gradient(before, dx);
            }
            Ok(dx)
        })
        .flatten()?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        let dx = x.track_op().then(|| tensor(dx, x)).transpose()?;
        Ok((dx, Some(tensor(da, a)?), Some(tensor(db, b)?)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::engine::matrix::Orientation;

    /// A map of 3 inputs and 2 outputs, whose matrix lies in memory like this, and the matrix, `[in, out]`.
    fn map(orientation: Orientation) -> (FrozenLinear, Tensor) {
        let weight = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).expect("w");
        let stored = match orientation {
            Orientation::InOut => weight.clone(),
            Orientation::OutIn => weight.t().and_then(|weight| weight.contiguous()).expect("contiguous"),
        };
        let matrix = Matrix::exact(stored, orientation).expect("a matrix");
        (FrozenLinear::new(matrix, Some([0.5, -0.5].into())), weight)
    }

    fn var<const N: usize>(rows: [[f32; 3]; N]) -> Var {
        Var::new(&rows, &Device::Cpu).expect("var")
    }

    fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
        tensor.to_vec2().expect("rows")
    }

    /// A result, and what the sum of its squares makes of these.
    fn with_gradients(y: Result<Tensor>, of: &[&Var]) -> Vec<Vec<Vec<f32>>> {
        let y = y.expect("y");
        let loss = y.sqr().and_then(|y| y.sum_all()).expect("a loss");
        let grads = loss.backward().expect("gradients");
        let gradients = of.iter().map(|var| rows(grads.get(var).expect("a gradient")));
        std::iter::once(rows(&y)).chain(gradients).collect()
    }

    #[track_caller]
    fn assert_near(found: &[Vec<Vec<f32>>], expected: &[Vec<Vec<f32>>]) {
        let numbers = |tables: &[Vec<Vec<f32>>]| tables.concat().concat();
        for (found, expected) in numbers(found).iter().zip(numbers(expected)) {
            assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
        }
    }

    #[test]
    fn the_gradient_reaches_the_input_and_not_the_weight() {
        for orientation in [Orientation::InOut, Orientation::OutIn] {
            let (linear, weight) = map(orientation);
            let x = var([[1.0, -2.0, 0.5]]);
            let y = linear.forward(&x, Input::AsIs).expect("forward");
            assert_eq!(rows(&y), [[-2.0, -3.5]]);
            let grads = y.sum_all().expect("sum").backward().expect("backward");
            assert_eq!(rows(grads.get(&x).expect("x has a gradient")), [[3.0, 7.0, 11.0]]);
            assert!(grads.get(&weight).is_none());
        }
    }

    /// What is done first, as part of a map, is the same as an operation of its own before it.
    #[track_caller]
    fn assert_part_of_the_map(input: &Input, alone: impl Fn(&Tensor) -> Result<Tensor>) {
        let (linear, _) = map(Orientation::InOut);
        let x = var([[1.0, -2.0, 0.5], [0.1, -0.7, 3.0]]);
        let a = var([[0.3, -0.1, 0.2]]);
        let b = Var::new(&[[0.5f32], [-0.4]], &Device::Cpu).expect("b");
        let pair = Pair {
            a: a.as_tensor().clone(),
            b: b.as_tensor().clone(),
        };
        let apart = alone(&x).expect("an operation of its own");
        let together = linear.forward(&x, input.clone());
        let one_by_one = linear.forward(&apart, Input::AsIs);
        assert_near(&with_gradients(together, &[&x]), &with_gradients(one_by_one, &[&x]));
        let together = linear.forward_with(&x, input.clone(), &pair, 2.0);
        let one_by_one = linear.forward_with(&apart, Input::AsIs, &pair, 2.0);
        let all = [&x, &a, &b];
        assert_near(&with_gradients(together, &all), &with_gradients(one_by_one, &all));
    }

    #[test]
    fn gelu_before_a_map_is_candle_s_gelu_and_the_map() {
        assert_part_of_the_map(&Input::Gelu, Tensor::gelu);
    }

    #[test]
    fn layer_norm_before_a_map_is_layer_norm_and_the_map() {
        let norm = LayerNorm {
            weight: [1.0, -0.5, 2.0].into(),
            bias: [0.1, 0.2, -0.3].into(),
            epsilon: 1e-5,
        };
        assert_part_of_the_map(&Input::Norm(norm.clone()), |x| norm.forward(x));
    }
}
