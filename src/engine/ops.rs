//! What stands between the matrices when gradients are wanted: layer norm and causal attention, each as one candle
//! operation with its backward. candle's own have none (`layer_norm`, `softmax_last_dim`), or are a dozen operations whose
//! results all stay in memory until the step is over.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::kernels::{self, Scratch, View, float, pool};
use super::storage;

/// `(x − mean) / √(var + ε) · weight + bias` over the last dimension; weight and bias are frozen.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `[n]`
    pub weight: Arc<[f32]>,
    /// `[n]`
    pub bias: Arc<[f32]>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl LayerNorm {
    /// Between slices, without a gradient: `[m, n]` → `[m, n]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        float::layer_norm(x, &self.weight, &self.bias, self.epsilon, y);
    }

    /// What a gradient `dy` of the result makes of one of `x`, between slices: `[m, n]` → `[m, n]`.
    pub fn backward(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        float::layer_norm_backward(x, &self.weight, self.epsilon, dy, dx);
    }

    /// `[.., n]` → `[.., n]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1(self.clone())
    }
}

impl CustomOp1 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::f32_slice(x, layout)?;
        let mut y = vec![0.0; x.len()];
        self.apply(x, &mut y);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        gradient(x, dy, |x, dy, dx| self.backward(x, dy, dx))
    }
}

/// `softmax(q·kᵀ / √d + mask)·v` for each head, with q, k and v side by side: `[b, t, 3n]` → `[b, t, n]`.
///
/// The probabilities are computed once more in the backward instead of being kept (Dao et al. 2022, arXiv 2205.14135).
pub struct CausalAttention {
    /// How many heads `n` is divided into.
    pub heads: usize,
}

impl CausalAttention {
    /// First row and first column, in `[b·t, n]`, of one of all sequences' heads.
    const fn place(&self, at: usize, t: usize, d: usize) -> (usize, usize) {
        (at / self.heads * t, at % self.heads * d)
    }
}

/// One head of one sequence, copied out of `[b·t, 3n]`: q, k and v, each `[t, d]`.
struct Head {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    t: usize,
    d: usize,
}

impl Head {
    fn copy(x: &[f32], n: usize, (row, column): (usize, usize), (t, d): (usize, usize)) -> Self {
        let part = |which: usize| {
            let mut values = Vec::with_capacity(t * d);
            for token in row..row + t {
                values.extend_from_slice(&x[token * 3 * n + which * n + column..][..d]);
            }
            values
        };
        Self {
            q: part(0),
            k: part(1),
            v: part(2),
            t,
            d,
        }
    }

    /// `[t, t]`, zero where a key is later than its query.
    fn probabilities(&self, scratch: &mut Scratch) -> Vec<f32> {
        let Self { q, k, t, d, .. } = self;
        let mut scores = vec![0.0; t * t];
        kernels::best().gemm(View::new(q, *t, *d), View::new(k, *t, *d).t(), &mut scores, scratch);
        let factor = 1.0 / (*d as f32).sqrt();
        for (query, scores) in scores.chunks_exact_mut(*t).enumerate() {
            let (past, future) = scores.split_at_mut(query + 1);
            for score in &mut *past {
                *score *= factor;
            }
            float::softmax(past);
            future.fill(0.0);
        }
        scores
    }

    /// What `dy` `[t, d]` makes of q, k and v, one after the other: `[3, t, d]` of zeros.
    fn gradients(&self, dy: &[f32], gradients: &mut [f32]) {
        let Self { q, k, v, t, d } = self;
        let (t, d, kernels) = (*t, *d, kernels::best());
        let scratch = &mut Scratch::default();
        let p = self.probabilities(scratch);
        let (dq, rest) = gradients.split_at_mut(t * d);
        let (dk, dv) = rest.split_at_mut(t * d);
        kernels.gemm(View::new(&p, t, t).t(), View::new(dy, t, d), dv, scratch);
        let mut ds = vec![0.0; t * t]; // dp, then ds
        kernels.gemm(View::new(dy, t, d), View::new(v, t, d).t(), &mut ds, scratch);
        let factor = 1.0 / (d as f32).sqrt();
        for (p, ds) in p.chunks_exact(t).zip(ds.chunks_exact_mut(t)) {
            let mean = float::dot(p, ds);
            ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - mean) * factor);
        }
        kernels.gemm(View::new(&ds, t, t), View::new(k, t, d), dq, scratch);
        kernels.gemm(View::new(&ds, t, t).t(), View::new(q, t, d), dk, scratch);
    }
}

impl CustomOp1 for CausalAttention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::f32_slice(x, layout)?;
        let (b, t, width) = layout.shape().dims3()?;
        let n = width / 3;
        let d = n / self.heads;
        let mut heads = vec![0.0; b * t * n]; // [b, heads, t, d]
        pool::chunks(&mut heads, t * d, |at, out| {
            let head = Head::copy(x, n, self.place(at, t, d), (t, d));
            let mut scratch = Scratch::default();
            let p = head.probabilities(&mut scratch);
            kernels::best().gemm(View::new(&p, t, t), View::new(&head.v, t, d), out, &mut scratch);
        });
        let mut y = vec![0.0; b * t * n];
        for (at, out) in heads.chunks_exact(t * d).enumerate() {
            let (row, column) = self.place(at, t, d);
            for (token, out) in (row..).zip(out.chunks_exact(d)) {
                y[token * n + column..][..d].copy_from_slice(out);
            }
        }
        Ok((CpuStorage::F32(y), Shape::from((b, t, n))))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (b, t, width) = x.dims3()?;
        let n = width / 3;
        let d = n / self.heads;
        gradient(x, dy, |x, dy, dx| {
            let mut heads = vec![0.0; b * t * width]; // [b, heads, 3, t, d]
            pool::chunks(&mut heads, 3 * t * d, |at, gradients| {
                let (row, column) = self.place(at, t, d);
                let head = Head::copy(x, n, (row, column), (t, d));
                let mut head_dy = Vec::with_capacity(t * d);
                for token in row..row + t {
                    head_dy.extend_from_slice(&dy[token * n + column..][..d]);
                }
                head.gradients(&head_dy, gradients);
            });
            for (at, gradients) in heads.chunks_exact(3 * t * d).enumerate() {
                let (row, column) = self.place(at, t, d);
                for (which, gradient) in gradients.chunks_exact(t * d).enumerate() {
                    for (token, gradient) in (row..).zip(gradient.chunks_exact(d)) {
                        dx[token * 3 * n + which * n + column..][..d].copy_from_slice(gradient);
                    }
                }
            }
        })
    }
}

/// A gradient of the shape of `x`, filled by `compute(x, dy, dx)`.
fn gradient(x: &Tensor, dy: &Tensor, compute: impl FnOnce(&[f32], &[f32], &mut [f32])) -> Result<Option<Tensor>> {
    let mut dx = vec![0.0; x.elem_count()];
    storage::with_f32s([x, dy], |[x, dy]| compute(x, dy, &mut dx))?;
    Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};
    use candle_nn::ops;

    use super::*;

    fn random(shape: (usize, usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &Device::Cpu).expect("values")
    }

    /// An operation and its gradient equal those of candle's differentiable operations.
    #[track_caller]
    fn assert_same(x: &Tensor, ours: impl Fn(&Tensor) -> Result<Tensor>, theirs: impl Fn(&Tensor) -> Result<Tensor>) {
        let var = Var::from_tensor(x).expect("var");
        let [ours, theirs] = [ours(var.as_tensor()), theirs(var.as_tensor())].map(|y| y.expect("y"));
        let direction = Tensor::randn(0f32, 1.0, ours.shape(), &Device::Cpu).expect("values");
        let gradient = |y: &Tensor| {
            let loss = y.mul(&direction).and_then(|loss| loss.sum_all()).expect("a loss");
            loss.backward().expect("gradients").remove(var.as_tensor()).expect("dx")
        };
        for (a, b) in [(&ours, &theirs), (&gradient(&ours), &gradient(&theirs))] {
            let difference = (a - b).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>());
            assert!(difference.expect("a number") < 2e-5);
        }
    }

    #[test]
    fn layer_norm_is_the_formula() {
        let n = 21;
        let numbers = |phase: f32| (0..n).map(|i| 1.0 + (i as f32 + phase).sin()).collect::<Vec<f32>>();
        let (weight, bias) = (numbers(0.0), numbers(1.0));
        let norm = LayerNorm {
            weight: weight.clone().into(),
            bias: bias.clone().into(),
            epsilon: 1e-5,
        };
        let [weight, bias] = [weight, bias].map(|values| Tensor::new(values, &Device::Cpu).expect("values"));
        assert_same(
            &random((2, 3, n)),
            |x| norm.forward(x),
            |x| ops::layer_norm_slow(x, &weight, &bias, 1e-5),
        );
    }

    #[test]
    fn attention_is_the_formula() {
        for (b, t, heads, d) in [(1, 1, 1, 4), (2, 5, 3, 4), (1, 18, 2, 64)] {
            let n = heads * d;
            assert_same(
                &random((b, t, 3 * n)),
                |x| x.apply_op1(CausalAttention { heads }),
                |x| {
                    let part = |at: usize| {
                        x.narrow(2, at * n, n)?
                            .reshape((b, t, heads, d))?
                            .transpose(1, 2)?
                            .contiguous()
                    };
                    let scores = (part(0)?.matmul(&part(1)?.t()?)? / (d as f64).sqrt())?;
                    let mask: Vec<f32> = (0..t * t)
                        .map(|at| if at % t > at / t { f32::NEG_INFINITY } else { 0.0 })
                        .collect();
                    let mask = Tensor::from_vec(mask, (1, 1, t, t), &Device::Cpu)?;
                    let p = ops::softmax(&scores.broadcast_add(&mask)?, 3)?;
                    p.matmul(&part(2)?)?.transpose(1, 2)?.reshape((b, t, n))
                },
            );
        }
    }
}
