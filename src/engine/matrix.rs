//! A frozen matrix, in one of two forms: f32, or 8 bits ([`Packed`]), a quarter of the memory. Both write and teach; the
//! gradient with respect to the input flows through the weights as they are held.

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};

use super::kernels::{self, Activations, GROUP, Order, Packed, Packer, Scratch, Target, View, pool};
use super::storage;

/// How the rows of a matrix lie in a file, and in memory if it is f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[in, out]`: Hugging Face's Conv1D, all of GPT-2's blocks.
    InOut,
    /// `[out, in]`: PyTorch's Linear; the head, which is the embedding table.
    OutIn,
}

/// A matrix that never changes. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Matrix {
    form: Form,
    inputs: usize,
    outputs: usize,
}

#[derive(Clone, Debug)]
enum Form {
    /// `[in, out]` or `[out, in]`
    F32(Tensor, Orientation),
    Packed(Arc<Packed>),
}

/// A matrix that is being rounded to 8 bits while its values arrive.
pub struct Rounding(Packer);

impl Rounding {
    /// Of shape `[in, out]` or `[out, in]`.
    #[must_use]
    pub fn new([rows, columns]: &[usize; 2], orientation: Orientation) -> Self {
        Self(match orientation {
            Orientation::InOut => Packer::new(*columns, *rows, Order::InOut),
            Orientation::OutIn => Packer::new(*rows, *columns, Order::OutIn),
        })
    }

    /// The next values.
    ///
    /// # Panics
    /// On more values than the shape has.
    pub fn push(&mut self, values: &[f32]) {
        self.0.push(values);
    }

    /// The matrix.
    ///
    /// # Panics
    /// When values are missing.
    #[must_use]
    pub fn finish(self) -> Matrix {
        let packed = self.0.finish();
        Matrix {
            inputs: packed.inputs(),
            outputs: packed.outputs(),
            form: Form::Packed(Arc::new(packed)),
        }
    }
}

/// Rows that are multiplied together.
const TILE: usize = 4;

thread_local! {
    /// The rounded operand of a product, reused from one to the next.
    static ROUNDED: RefCell<Activations> = RefCell::default();
    /// What a thread's part of a product needs beside its operands.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Matrix {
    /// As it is: f32, `[in, out]` or `[out, in]`.
    pub fn exact(values: Tensor, orientation: Orientation) -> Result<Self> {
        let (inputs, outputs) = dims(&values, orientation)?;
        Ok(Self {
            form: Form::F32(values, orientation),
            inputs,
            outputs,
        })
    }

    /// Width of what goes in.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of what comes out.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Whether it is held in 8 bits.
    #[must_use]
    pub const fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packed(_))
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::F32(values, _) => 4 * values.elem_count(),
            Form::Packed(packed) => packed.bytes(),
        }
    }

    /// `y = x·W + b` between slices: `[m, in]` → `[m, out]`.
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn apply(&self, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) -> Result<()> {
        let m = x.len() / self.inputs;
        let fits = bias.is_none_or(|bias| bias.len() == self.outputs);
        if x.len() != m * self.inputs || y.len() != m * self.outputs || !fits {
            bail!("{} values do not fit a matrix of {} inputs", x.len(), self.inputs);
        }
        match &self.form {
            Form::F32(values, orientation) => {
                let x = Tensor::from_slice(x, (m, self.inputs), &Device::Cpu)?;
                let product = x.matmul(&in_out(values, *orientation)?)?;
                storage::with_f32(&product, |product| y.copy_from_slice(product))?;
                if let Some(bias) = bias {
                    for y in y.chunks_exact_mut(bias.len()) {
                        y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
                    }
                }
                Ok(())
            }
            Form::Packed(packed) => {
                let target = Target::new(y, m, self.outputs).with_bias(bias);
                ROUNDED.with_borrow_mut(|rounded| {
                    kernels::best().round(x, m, self.inputs, rounded);
                    multiply(packed, rounded, &target);
                });
                Ok(())
            }
        }
    }

    /// `dx = dy·Wᵀ` between slices: `[m, out]` → `[m, in]`.
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn apply_transposed(&self, dy: &[f32], dx: &mut [f32]) -> Result<()> {
        let m = dy.len() / self.outputs;
        if dy.len() != m * self.outputs || dx.len() != m * self.inputs {
            bail!("{} values do not fit a matrix of {} outputs", dy.len(), self.outputs);
        }
        match &self.form {
            Form::F32(values, orientation) => {
                let dy = Tensor::from_slice(dy, (m, self.outputs), &Device::Cpu)?;
                let product = dy.matmul(&in_out(values, *orientation)?.t()?)?;
                storage::with_f32(&product, |product| dx.copy_from_slice(product))
            }
            Form::Packed(packed) => {
                ROUNDED.with_borrow_mut(|rounded| {
                    kernels::best().round_gradient(packed, dy, m, rounded);
                    transpose_multiply(packed, rounded, dx);
                });
                Ok(())
            }
        }
    }

    /// One row of an `[out, in]` matrix: an entry of the embedding.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn row(&self, row: usize, values: &mut [f32]) -> Result<()> {
        if row >= self.outputs || values.len() != self.inputs {
            bail!("there is no row {row} among {}", self.outputs);
        }
        match &self.form {
            Form::F32(table, _) => storage::with_f32(table, |table| {
                values.copy_from_slice(&table[row * self.inputs..][..self.inputs]);
            }),
            Form::Packed(packed) => {
                packed.read_row(row, values);
                Ok(())
            }
        }
    }
}

/// `y = x·Wᵀ`, each thread some panels of outputs.
fn multiply(packed: &Packed, x: &Activations, y: &Target) {
    let each = pool::fair(packed.panels(), 1);
    pool::run(packed.panels().div_ceil(each), &|part| {
        let panels = part * each..packed.panels().min((part + 1) * each);
        #[expect(unsafe_code, reason = "threads write columns of one matrix")]
        // SAFETY: the parts' panels are disjoint, and the target is this product's alone.
        unsafe {
            kernels::best().matmul_panels(packed, x, panels, y);
        }
    });
}

/// `c += a·b` for f32, each thread some rows: `[m, k]` × `[k, n]` → `[m, n]`.
pub(super) fn gemm(a: View, b: View, c: &mut [f32]) {
    let (m, n) = (a.rows(), b.columns());
    let each = pool::fair(m, TILE).next_multiple_of(TILE);
    pool::chunks(c, each * n, |part, c| {
        let rows = part * each..m.min((part + 1) * each);
        SCRATCH.with_borrow_mut(|scratch| kernels::best().gemm_rows(a, b, rows, c, scratch));
    });
}

/// `dx = dy·W`, each thread some groups of inputs.
fn transpose_multiply(packed: &Packed, dy: &Activations, dx: &mut [f32]) {
    let (m, k, groups) = (dy.tokens(), packed.inputs(), packed.groups());
    let each = pool::fair(groups, 1);
    let some = |first: usize, dx: &mut [f32]| {
        SCRATCH.with_borrow_mut(|scratch| {
            let groups = first..groups.min(first + each);
            kernels::best().grad_input_rounded(packed, dy, groups, dx, scratch);
        });
    };
    if each == groups {
        return some(0, dx);
    }
    let width = each * GROUP;
    let mut parts = vec![0.0; m * k]; // [part][m, width]
    pool::chunks(&mut parts, m * width, |part, dx| some(part * each, dx));
    for (part, from) in parts.chunks(m * width).enumerate() {
        let columns = from.len() / m;
        for (dx, from) in dx.chunks_exact_mut(k).zip(from.chunks_exact(columns)) {
            dx[part * width..][..columns].copy_from_slice(from);
        }
    }
}

/// `(inputs, outputs)`
fn dims(values: &Tensor, orientation: Orientation) -> Result<(usize, usize)> {
    let (rows, columns) = values.dims2()?;
    Ok(match orientation {
        Orientation::InOut => (rows, columns),
        Orientation::OutIn => (columns, rows),
    })
}

/// The matrix as an `[in, out]` view.
fn in_out(values: &Tensor, orientation: Orientation) -> Result<Tensor> {
    match orientation {
        Orientation::InOut => Ok(values.clone()),
        Orientation::OutIn => values.t(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::checks::Random;

    /// The same in each run.
    fn random(rows: usize, columns: usize) -> Tensor {
        let values = Random::new((rows * columns) as u64).normals(rows * columns);
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).expect("values")
    }

    fn slice(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|t| t.to_vec1()).expect("values")
    }

    fn rounded(values: &Tensor, orientation: Orientation) -> Matrix {
        let mut rounding = Rounding::new(&values.dims2().expect("a matrix").into(), orientation);
        slice(values).chunks(7).for_each(|values| rounding.push(values));
        rounding.finish()
    }

    /// The difference's norm, relative to that of what is expected.
    fn error(found: &[f32], expected: &[f32]) -> f32 {
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>().sqrt();
        let difference = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
        difference / norm(&mut expected.iter().copied())
    }

    #[test]
    fn eight_bits_are_nearly_f32_in_both_directions() {
        for (inputs, outputs) in [(64, 16), (80, 33), (768, 100)] {
            for orientation in [Orientation::InOut, Orientation::OutIn] {
                let values = match orientation {
                    Orientation::InOut => random(inputs, outputs),
                    Orientation::OutIn => random(outputs, inputs),
                };
                let exact = Matrix::exact(values.clone(), orientation).expect("f32");
                let rounded = rounded(&values, orientation);
                let bias = slice(&random(1, outputs));
                for m in [1, 3, 20] {
                    let (x, dy) = (slice(&random(m, inputs)), slice(&random(m, outputs)));
                    let [mut y, mut expected] = [(); 2].map(|()| vec![0f32; m * outputs]);
                    rounded.apply(&x, Some(&bias), &mut y).expect("y");
                    exact.apply(&x, Some(&bias), &mut expected).expect("y");
                    assert!(error(&y, &expected) < 0.02, "{} forward", error(&y, &expected));
                    let [mut dx, mut expected] = [(); 2].map(|()| vec![0f32; m * inputs]);
                    rounded.apply_transposed(&dy, &mut dx).expect("dx");
                    exact.apply_transposed(&dy, &mut expected).expect("dx");
                    assert!(error(&dx, &expected) < 0.02, "{} backward", error(&dx, &expected));
                }
                assert!(rounded.apply(&[0.0; 5], None, &mut [0.0; 5]).is_err());
                let (x, mut y) = (vec![0.0; inputs], vec![0.0; outputs]);
                assert!(
                    exact.apply(&x, Some(&bias[1..]), &mut y).is_err(),
                    "a bias of another length"
                );
            }
        }
    }

    #[test]
    fn rows_are_entries_of_the_table() {
        let table = random(20, 30);
        let rounded = rounded(&table, Orientation::OutIn);
        let exact = Matrix::exact(table, Orientation::OutIn).expect("a matrix");
        let (mut a, mut b) = ([0.0; 30], [0.0; 30]);
        exact.row(19, &mut a).expect("a row");
        rounded.row(19, &mut b).expect("a row");
        assert!(error(&b, &a) < 0.01);
        assert!(exact.row(20, &mut a).is_err() && rounded.row(20, &mut b).is_err());
        assert!(rounded.bytes() < exact.bytes());
    }
}
