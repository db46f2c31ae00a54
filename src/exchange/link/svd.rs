//! The singular value decomposition of a product `B·A` of low rank, which is never multiplied out.
//!
//! `Aᵀ = Q·R` by Gram–Schmidt, and one-sided Jacobi rotations (Hestenes 1958) make the columns of `B·Rᵀ` orthogonal: what they
//! are then are the left directions, and the same rotations of `Q` the right ones. In f64, and in plain operations that every
//! machine rounds alike: one adapter makes one link.

/// One of the summands of a matrix: `σ·u·vᵀ`, with `u` and `v` of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// How much of the matrix it is.
    pub sigma: f64,
    /// `[out]`
    pub u: Vec<f64>,
    /// `[in]`
    pub v: Vec<f64>,
}

/// Sweeps over all pairs of columns; eight columns are orthogonal after six or so.
const SWEEPS: usize = 40;
/// Columns whose cosine is smaller are orthogonal.
const ORTHOGONAL: f64 = 1e-12;

/// The summands of `B·A`, the largest first. `left` are the columns of `B`, `right` the rows of `A`.
#[must_use]
pub fn of_product(left: &[Vec<f64>], right: &[Vec<f64>]) -> Vec<Component> {
    let (mut q, r) = gram_schmidt(right);
    let (rank, outputs) = (left.len(), left.first().map_or(0, Vec::len));
    let mut w: Vec<Vec<f64>> = (0..rank)
        .map(|column| {
            let mut sum = vec![0.0; outputs];
            for (of_row, left) in r.iter().zip(left) {
                axpy(of_row[column], left, &mut sum);
            }
            sum
        })
        .collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for i in 1..rank {
            for j in 0..i {
                let (a, b, c) = (dot(&w[i], &w[i]), dot(&w[j], &w[j]), dot(&w[i], &w[j]));
                if c.abs() > ORTHOGONAL * (a * b).sqrt() {
                    let zeta = (b - a) / (2.0 * c);
                    let tangent = zeta.signum() / (zeta.abs() + zeta.mul_add(zeta, 1.0).sqrt());
                    rotate(&mut w, j, i, tangent);
                    rotate(&mut q, j, i, tangent);
                    turned = true;
                }
            }
        }
        if !turned {
            break;
        }
    }
    let mut components: Vec<Component> = w.into_iter().zip(q).map(|(u, v)| component(u, v)).collect();
    components.sort_by(|a, b| b.sigma.total_cmp(&a.sigma));
    components
}

fn component(mut u: Vec<f64>, v: Vec<f64>) -> Component {
    let sigma = normalise(&mut u);
    Component { sigma, u, v }
}

/// Orthonormal columns, and for each row what it is made of: `rows[i] = Σ r[i][k] · q[k]`. What depends on the rows before is zero.
pub fn gram_schmidt(rows: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut q: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
    let mut r = Vec::with_capacity(rows.len());
    for row in rows {
        let (mut rest, mut made_of) = (row.clone(), vec![0.0; rows.len()]);
        let length = dot(row, row).sqrt();
        // Twice is enough (Kahan): the first time leaves what rounding left.
        for _ in 0..2 {
            for (direction, share) in q.iter().zip(&mut made_of) {
                let along = dot(direction, &rest);
                axpy(-along, direction, &mut rest);
                *share += along;
            }
        }
        if dot(&rest, &rest).sqrt() <= ORTHOGONAL * length {
            rest.fill(0.0);
        }
        made_of[q.len()] = normalise(&mut rest);
        q.push(rest);
        r.push(made_of);
    }
    (q, r)
}

/// Turns two columns in their plane.
fn rotate(columns: &mut [Vec<f64>], j: usize, i: usize, tangent: f64) {
    let cosine = 1.0 / tangent.mul_add(tangent, 1.0).sqrt();
    let sine = cosine * tangent;
    let (before, after) = columns.split_at_mut(i);
    for (x, y) in after[0].iter_mut().zip(&mut before[j]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// Makes a column's length 1 and returns what it was. A column of zeros stays.
pub fn normalise(column: &mut [f64]) -> f64 {
    let length = dot(column, column).sqrt();
    if length > 0.0 {
        for value in column {
            *value /= length;
        }
    }
    length
}

/// The scalar product.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `y += a · x`
pub fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    fn random(count: usize, length: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut rng = StdRng::seed_from_u64(seed);
        (0..count)
            .map(|_| (0..length).map(|_| rng.random_range(-1.0..1.0)).collect())
            .collect()
    }

    /// `Σ left[k]·right[k]ᵀ`, multiplied out.
    fn product<'a>(pairs: impl Iterator<Item = (f64, &'a Vec<f64>, &'a Vec<f64>)>) -> Vec<f64> {
        let mut sum = Vec::new();
        for (scale, left, right) in pairs {
            let outer = left.iter().flat_map(|l| right.iter().map(move |r| scale * l * r));
            sum.resize(left.len() * right.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(outer) {
                *sum += value;
            }
        }
        sum
    }

    #[test]
    fn the_summands_are_orthogonal_ordered_and_make_up_the_product() {
        let (left, mut right) = (random(5, 31, 1), random(5, 17, 2));
        // One row depends on two others: the product has rank 4.
        right[4] = right[0].iter().zip(&right[2]).map(|(a, b)| a - 2.0 * b).collect();
        let components = of_product(&left, &right);
        let expected = product(left.iter().zip(&right).map(|(l, r)| (1.0, l, r)));
        let found = product(components.iter().map(|c| (c.sigma, &c.u, &c.v)));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
        assert!(components.is_sorted_by(|a, b| a.sigma >= b.sigma));
        assert!(components[4].sigma < 1e-9 && components[3].sigma > 0.1);
        for (at, one) in components[..4].iter().enumerate() {
            for (other_at, other) in components[..4].iter().enumerate() {
                let expected = f64::from(u8::from(at == other_at));
                assert!((dot(&one.u, &other.u) - expected).abs() < 1e-9);
                assert!((dot(&one.v, &other.v) - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn nothing_has_summands_of_no_size() {
        let components = of_product(&[vec![0.0; 3], vec![0.0; 3]], &random(2, 4, 3));
        assert!(components.iter().all(|component| component.sigma == 0.0));
    }
}
