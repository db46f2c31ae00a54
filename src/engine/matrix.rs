//! A frozen matrix, in one of two forms: f32, or 8 bits with a scale for each output (absmax, symmetric: `W ≈ q · scale`),
//! a quarter of the memory. Both write and teach; the gradient with respect to the input flows through `q · scale`.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};

use super::storage;

/// How the rows of a matrix lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `[in, out]`: Hugging Face's Conv1D, all of GPT-2's blocks.
    InOut,
    /// `[out, in]`: PyTorch's Linear; the head, which is the embedding table.
    OutIn,
}

/// Up to so many rows of input are multiplied without making an f32 copy of the matrix: beyond, the copy pays.
const FEW: usize = 4;
/// Rows of a large matrix that are made f32 at a time.
const BLOCK: usize = 4096;
/// Sums that are kept apart, so that the compiler may use vectors.
const LANES: usize = 16;

/// A matrix that never changes.
#[derive(Clone, Debug)]
pub struct Matrix {
    form: Form,
    orientation: Orientation,
}

#[derive(Clone, Debug)]
enum Form {
    /// `[rows, columns]`
    F32(Tensor),
    Int8(Arc<Int8>),
}

/// 8-bit values, row by row, with a scale for each output: for each row of `[out, in]`, for each column of `[in, out]`.
#[derive(Debug)]
struct Int8 {
    rows: usize,
    columns: usize,
    q: Vec<i8>,
    scale: Vec<f32>,
    /// A scale belongs to a row, not to a column.
    scales_rows: bool,
}

impl Matrix {
    /// As it is: f32, `[in, out]` or `[out, in]`.
    #[must_use]
    pub const fn exact(values: Tensor, orientation: Orientation) -> Self {
        Self {
            form: Form::F32(values),
            orientation,
        }
    }

    /// Rounded to 8 bits.
    pub fn rounded(values: &Tensor, orientation: Orientation) -> Result<Self> {
        let (rows, columns) = values.dims2()?;
        let int8 = storage::with_f32(values, |values| Int8::round(values, rows, columns, orientation))?;
        Ok(Self {
            form: Form::Int8(Arc::new(int8)),
            orientation,
        })
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.form {
            Form::F32(values) => 4 * values.elem_count(),
            Form::Int8(int8) => int8.q.len() + 4 * int8.scale.len(),
        }
    }

    /// `x·W`: `[m, in]` → `[m, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.form {
            Form::F32(values) => x.matmul(&in_out(values, self.orientation)?),
            Form::Int8(int8) => int8.product(x, self.orientation == Orientation::InOut),
        }
    }

    /// `dy·Wᵀ`: `[m, out]` → `[m, in]`.
    pub fn backward(&self, dy: &Tensor) -> Result<Tensor> {
        match &self.form {
            Form::F32(values) => dy.matmul(&in_out(values, self.orientation)?.t()?),
            Form::Int8(int8) => int8.product(dy, self.orientation == Orientation::OutIn),
        }
    }

    /// Some rows of an `[out, in]` matrix: ids `[k]` → `[k, in]`.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match &self.form {
            Form::F32(values) => values.index_select(ids, 0),
            Form::Int8(int8) => {
                let ids = ids.to_vec1::<u32>()?;
                let mut values = Vec::with_capacity(ids.len() * int8.columns);
                for id in &ids {
                    int8.push_row(*id as usize, &mut values);
                }
                Tensor::from_vec(values, (ids.len(), int8.columns), &Device::Cpu)
            }
        }
    }
}

/// The matrix as an `[in, out]` view.
fn in_out(values: &Tensor, orientation: Orientation) -> Result<Tensor> {
    match orientation {
        Orientation::InOut => Ok(values.clone()),
        Orientation::OutIn => values.t(),
    }
}

impl Int8 {
    fn round(values: &[f32], rows: usize, columns: usize, orientation: Orientation) -> Self {
        let outputs = match orientation {
            Orientation::InOut => columns,
            Orientation::OutIn => rows,
        };
        let mut scale = vec![0f32; outputs];
        for (row, values) in values.chunks_exact(columns).enumerate() {
            match orientation {
                Orientation::InOut => scale
                    .iter_mut()
                    .zip(values)
                    .for_each(|(most, value)| *most = most.max(value.abs())),
                Orientation::OutIn => scale[row] = values.iter().fold(0f32, |most, value| most.max(value.abs())),
            }
        }
        for scale in &mut scale {
            *scale = (*scale / 127.0).max(f32::MIN_POSITIVE);
        }
        let round = |value: f32, scale: f32| (value / scale).round().clamp(-127.0, 127.0) as i8;
        let mut q = Vec::with_capacity(values.len());
        for (row, values) in values.chunks_exact(columns).enumerate() {
            match orientation {
                Orientation::InOut => q.extend(values.iter().zip(&scale).map(|(value, scale)| round(*value, *scale))),
                Orientation::OutIn => q.extend(values.iter().map(|value| round(*value, scale[row]))),
            }
        }
        Self {
            rows,
            columns,
            q,
            scale,
            scales_rows: orientation == Orientation::OutIn,
        }
    }

    fn row(&self, row: usize) -> &[i8] {
        &self.q[row * self.columns..(row + 1) * self.columns]
    }

    fn push_row(&self, row: usize, values: &mut Vec<f32>) {
        if self.scales_rows {
            let scale = self.scale[row];
            values.extend(self.row(row).iter().map(|q| f32::from(*q) * scale));
        } else {
            values.extend(
                self.row(row)
                    .iter()
                    .zip(&self.scale)
                    .map(|(q, scale)| f32::from(*q) * scale),
            );
        }
    }

    /// `x·W` if `upright`, with `W` `[rows, columns]`; otherwise `x·Wᵀ`.
    fn product(&self, x: &Tensor, upright: bool) -> Result<Tensor> {
        let (m, n) = x.dims2()?;
        let width = if upright { self.columns } else { self.rows };
        if m <= FEW {
            let y = storage::with_f32(x, |x| {
                let rows = x.chunks_exact(n);
                let product = |x| {
                    if upright {
                        self.row_times(x)
                    } else {
                        self.row_times_transposed(x)
                    }
                };
                rows.flat_map(product).collect::<Vec<f32>>()
            })?;
            return Tensor::from_vec(y, (m, width), &Device::Cpu);
        }
        let mut parts = Vec::new();
        for first in (0..self.rows).step_by(BLOCK) {
            let count = BLOCK.min(self.rows - first);
            let mut values = Vec::with_capacity(count * self.columns);
            for row in first..first + count {
                self.push_row(row, &mut values);
            }
            let block = Tensor::from_vec(values, (count, self.columns), &Device::Cpu)?;
            parts.push(if upright {
                x.narrow(1, first, count)?.contiguous()?.matmul(&block)?
            } else {
                x.matmul(&block.t()?)?
            });
        }
        if !upright {
            return Tensor::cat(&parts, 1);
        }
        let mut sum = parts.remove(0);
        for part in parts {
            sum = (sum + part)?;
        }
        Ok(sum)
    }

    /// `x·W` for one row `[rows]` → `[columns]`.
    fn row_times(&self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0f32; self.columns];
        for (row, x) in x.iter().enumerate() {
            let factor = if self.scales_rows { x * self.scale[row] } else { *x };
            for (y, q) in y.iter_mut().zip(self.row(row)) {
                *y += factor * f32::from(*q);
            }
        }
        if !self.scales_rows {
            y.iter_mut().zip(&self.scale).for_each(|(y, scale)| *y *= scale);
        }
        y
    }

    /// `x·Wᵀ` for one row `[columns]` → `[rows]`.
    fn row_times_transposed(&self, x: &[f32]) -> Vec<f32> {
        if self.scales_rows {
            return (0..self.rows)
                .map(|row| dot(x, self.row(row)) * self.scale[row])
                .collect();
        }
        let scaled: Vec<f32> = x.iter().zip(&self.scale).map(|(x, scale)| x * scale).collect();
        (0..self.rows).map(|row| dot(&scaled, self.row(row))).collect()
    }
}

fn dot(x: &[f32], q: &[i8]) -> f32 {
    let mut sums = [0f32; LANES];
    let (x_lanes, q_lanes) = (x.chunks_exact(LANES), q.chunks_exact(LANES));
    let rest: f32 = x_lanes
        .remainder()
        .iter()
        .zip(q_lanes.remainder())
        .map(|(x, q)| x * f32::from(*q))
        .sum();
    for (x, q) in x_lanes.zip(q_lanes) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * f32::from(q[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, columns: usize) -> Tensor {
        Tensor::randn(0f32, 1.0, (rows, columns), &Device::Cpu).expect("values")
    }

    /// What the 8-bit form stands for.
    fn dequantised(matrix: &Matrix) -> Tensor {
        let Form::Int8(int8) = &matrix.form else {
            panic!("8 bits")
        };
        let mut values = Vec::new();
        (0..int8.rows).for_each(|row| int8.push_row(row, &mut values));
        Tensor::from_vec(values, (int8.rows, int8.columns), &Device::Cpu).expect("values")
    }

    #[track_caller]
    fn assert_close(found: &Tensor, expected: &Tensor) {
        assert_eq!(found.dims(), expected.dims());
        let difference = (found - expected)
            .and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>())
            .expect("a number");
        let largest = expected
            .abs()
            .and_then(|e| e.max_all()?.to_scalar::<f32>())
            .expect("a number");
        assert!(
            difference <= 1e-5 * largest.max(1.0),
            "differs by {difference} of {largest}"
        );
    }

    #[test]
    fn eight_bits_compute_what_their_values_say() {
        for (rows, columns) in [(1, 1), (3, 5), (16, 48), (20, 20), (33, 17), (BLOCK + 3, 7)] {
            let values = random(rows, columns);
            for orientation in [Orientation::InOut, Orientation::OutIn] {
                let rounded = Matrix::rounded(&values, orientation).expect("8 bits");
                let exact = Matrix::exact(dequantised(&rounded), orientation);
                let (inputs, outputs) = match orientation {
                    Orientation::InOut => (rows, columns),
                    Orientation::OutIn => (columns, rows),
                };
                for m in [1, FEW, FEW + 1, 20] {
                    let (x, dy) = (random(m, inputs), random(m, outputs));
                    assert_close(&rounded.forward(&x).expect("y"), &exact.forward(&x).expect("y"));
                    assert_close(&rounded.backward(&dy).expect("dx"), &exact.backward(&dy).expect("dx"));
                }
                let ids = Tensor::new(&[rows as u32 - 1, 0], &Device::Cpu).expect("ids");
                assert_close(&rounded.rows(&ids).expect("rows"), &exact.rows(&ids).expect("rows"));
            }
        }
    }

    #[test]
    fn rounding_errs_by_half_a_step_at_most() {
        let values = random(20, 30);
        for orientation in [Orientation::InOut, Orientation::OutIn] {
            let rounded = Matrix::rounded(&values, orientation).expect("8 bits");
            let step = values
                .abs()
                .and_then(|v| v.max_all()?.to_scalar::<f32>())
                .expect("a number")
                / 127.0;
            let error = (dequantised(&rounded) - &values).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>());
            assert!(error.expect("a number") <= 0.5001 * step);
            assert!(rounded.bytes() < 20 * 30 + 4 * 31);
        }
    }
}
