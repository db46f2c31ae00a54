//! Symmetric positive definite systems, small ones: `matrix = L·Lᵀ`.

/// A matrix's lower factor.
pub(super) struct Cholesky {
    /// `L` in the lower half, `[n, n]`; what is above it is not read.
    lower: Vec<f64>,
    n: usize,
}

impl Cholesky {
    /// Of a symmetric matrix, `[n, n]`; `None` if it is not positive definite.
    pub fn of(mut matrix: Vec<f64>, n: usize) -> Option<Self> {
        for j in 0..n {
            for i in j..n {
                let (upper, lower) = matrix.split_at(i * n);
                let (row_i, row_j) = (&lower[..j], if i == j { &lower[..j] } else { &upper[j * n..][..j] });
                let value = lower[j] - dot(row_i, row_j);
                matrix[i * n + j] = if i == j {
                    if value <= 0.0 {
                        return None;
                    }
                    value.sqrt()
                } else {
                    value / matrix[j * n + j]
                };
            }
        }
        Some(Self { lower: matrix, n })
    }

    /// `matrix⁻¹ · right`
    pub fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.n;
        let mut x = right.to_vec();
        for i in 0..n {
            let row = &self.lower[i * n..][..=i];
            x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
        }
        // Lᵀ's rows are L's columns: what is found is taken from all that are left.
        for i in (0..n).rev() {
            let row = &self.lower[i * n..][..=i];
            x[i] /= row[i];
            let found = x[i];
            for (left, value) in x[..i].iter_mut().zip(row) {
                *left -= found * value;
            }
        }
        x
    }

    /// A column of `matrix⁻¹`.
    pub fn column(&self, at: usize) -> Vec<f64> {
        let mut unit = vec![0.0; self.n];
        unit[at] = 1.0;
        self.solve(&unit)
    }

    /// `matrix⁻¹`, `[n, n]`
    pub fn inverse(&self) -> Vec<f64> {
        (0..self.n).flat_map(|at| self.column(at)).collect()
    }
}

/// `a · b`
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_solves_is_solved() {
        let matrix = vec![4.0, 2.0, 0.5, 2.0, 3.0, 1.0, 0.5, 1.0, 2.0];
        let right = [1.0, -2.0, 0.25];
        let factor = Cholesky::of(matrix.clone(), 3).expect("positive definite");
        let x = factor.solve(&right);
        for (row, right) in matrix.chunks_exact(3).zip(right) {
            assert!((dot(row, &x) - right).abs() < 1e-12);
        }
        for (at, row) in factor.inverse().chunks_exact(3).enumerate() {
            assert!((dot(row, &matrix[3 * at..][..3]) - 1.0).abs() < 1e-12);
        }
        assert!(Cholesky::of(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
    }
}
