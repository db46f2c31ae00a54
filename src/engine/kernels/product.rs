//! How a product goes through a matrix: panel by panel, and in a panel four tokens at a time.

use std::marker::PhantomData;
use std::ops::Range;

use super::attention::Heads;
use super::float::{axpy, dot};
use super::packed::{Block, GROUP, PANEL, Packed};
use super::{Activations, Loops, Scratch};

/// An output `[m, n]` of which several threads write different columns, and what is added to each of its rows.
#[derive(Debug)]
pub struct Target<'y> {
    first: *mut f32,
    m: usize,
    n: usize,
    /// `[n]`
    bias: Option<&'y [f32]>,
    values: PhantomData<&'y mut [f32]>,
}

// SAFETY: a pointer into a borrowed slice of f32; who writes what is the contract of `Kernels::matmul_panels`.
#[expect(unsafe_code, reason = "threads write columns of one matrix")]
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "threads write columns of one matrix")]
unsafe impl Sync for Target<'_> {}

impl<'y> Target<'y> {
    /// All of `y`, `[m, n]`.
    ///
    /// # Panics
    /// When there are not `m * n` values.
    #[must_use]
    pub fn new(y: &'y mut [f32], m: usize, n: usize) -> Self {
        assert_eq!(y.len(), m * n, "{m} rows of {n}");
        Self {
            first: y.as_mut_ptr(),
            m,
            n,
            bias: None,
            values: PhantomData,
        }
    }

    /// With a bias, `[n]`, on each row, if there is one.
    ///
    /// # Panics
    /// When there are not `n` values.
    #[must_use]
    pub fn with_bias(self, bias: Option<&'y [f32]>) -> Self {
        assert!(bias.is_none_or(|bias| bias.len() == self.n), "a bias of {}", self.n);
        Self { bias, ..self }
    }

    /// Writes one token's outputs of one panel.
    ///
    /// # Safety
    /// Nobody else uses the panel's columns meanwhile.
    #[inline]
    #[expect(unsafe_code, reason = "threads write columns of one matrix")]
    unsafe fn write(&self, token: usize, panel: usize, values: &[f32; PANEL]) {
        let column = panel * PANEL;
        assert!(token < self.m && column < self.n, "inside the output");
        let count = PANEL.min(self.n - column);
        let mut values = *values;
        if let Some(bias) = self.bias {
            for (value, bias) in values.iter_mut().zip(&bias[column..]) {
                *value += bias;
            }
        }
        // SAFETY: `token` and `column..column + count` are inside `[m, n]`, and the caller promises to be alone there.
        unsafe {
            let to = self.first.add(token * self.n + column);
            if count == PANEL {
                // A copy of a known length is a few instructions; one of any length is a call out of WebAssembly.
                to.cast::<[f32; PANEL]>().write_unaligned(values);
            } else {
                std::ptr::copy_nonoverlapping(values.as_ptr(), to, count);
            }
        }
    }
}

/// The earlier and the later half of what is read, in turns: two streams of memory are read faster than one. What is in the
/// middle of an odd number comes twice.
fn in_turns(all: Range<usize>) -> impl Iterator<Item = [usize; 2]> {
    let half = all.len().div_ceil(2);
    (all.start..).zip(all.end - half..all.end).map(Into::into)
}

/// As [`super::Kernels::scores`].
pub(super) fn scores<L: Loops>(loops: &L, keys: &Heads<Block>, queries: &Activations, scores: &mut [[f32; PANEL]]) {
    let heads = queries.tokens();
    assert!(
        keys.each() == queries.inputs().div_ceil(GROUP) && scores.len().is_multiple_of(heads),
        "shapes of scores"
    );
    for pair in in_turns(0..scores.len() / heads) {
        for head in 0..heads {
            let mut sums = [[0.0; PANEL]; 2];
            loops.row(pair.map(|panel| keys.of(panel, head)), queries.row(head), &mut sums);
            for (panel, sums) in pair.into_iter().zip(sums) {
                scores[panel * heads + head] = sums;
            }
        }
    }
}

/// # Safety
/// As [`super::Kernels::matmul_panels`].
#[expect(unsafe_code, reason = "threads write columns of one matrix")]
pub(super) unsafe fn matmul_panels<L: Loops>(loops: &L, w: &Packed, x: &Activations, panels: Range<usize>, y: &Target) {
    assert_eq!((w.inputs(), w.outputs()), (x.inputs(), y.n), "shapes of a product");
    assert_eq!(x.tokens(), y.m, "tokens of a product");
    if y.m == 1 {
        for pair in in_turns(panels) {
            let mut sums = [[0.0; PANEL]; 2];
            loops.row(pair.map(|panel| w.panel(panel)), x.row(0), &mut sums);
            for (panel, sums) in pair.into_iter().zip(&sums) {
                // SAFETY: the caller's promise.
                unsafe { y.write(0, panel, sums) }
            }
        }
        return;
    }
    for panel in panels {
        let blocks = w.panel(panel);
        for (tile, x) in x.tiles().enumerate() {
            let mut sums = [[0.0; PANEL]; 4];
            loops.tile(blocks, x, &mut sums);
            for (token, sums) in (4 * tile..y.m).zip(&sums) {
                // SAFETY: the caller's promise.
                unsafe { y.write(token, panel, sums) }
            }
        }
    }
}

/// An f32 matrix, `[rows, columns]`, row by row in memory or column by column.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    values: &'v [f32],
    rows: usize,
    columns: usize,
    by_column: bool,
}

impl<'v> View<'v> {
    /// Rows one after the other, `[rows, columns]`.
    ///
    /// # Panics
    /// When there are not `rows * columns` values.
    #[must_use]
    pub fn new(values: &'v [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "{rows} rows of {columns}");
        Self {
            values,
            rows,
            columns,
            by_column: false,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns it has.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The transpose: `[columns, rows]`.
    #[must_use]
    pub const fn t(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            by_column: !self.by_column,
        }
    }

    /// Appends columns `first..` as `[row][column]`, zeros after the last.
    fn strip<const W: usize>(&self, first: usize, to: &mut Vec<[f32; W]>) {
        let (start, count) = (to.len(), W.min(self.columns - first));
        to.resize(start + self.rows, [0.0; W]);
        let to = &mut to[start..];
        if self.by_column {
            let columns = self.values.chunks_exact(self.rows.max(1)).skip(first);
            for (at, column) in columns.take(count).enumerate() {
                for (to, value) in to.iter_mut().zip(column) {
                    to[at] = *value;
                }
            }
            return;
        }
        for (to, row) in to.iter_mut().zip(self.values.chunks_exact(self.columns)) {
            match row[first..].first_chunk() {
                Some(values) => *to = *values,
                None => to[..count].copy_from_slice(&row[first..]),
            }
        }
    }
}

/// Some rows of `c += a·b`.
pub(super) fn gemm_rows<L: Loops>(
    loops: &L,
    a: View,
    b: View,
    rows: Range<usize>,
    c: &mut [f32],
    scratch: &mut Scratch,
) {
    let n = b.columns;
    assert!(a.columns == b.rows && rows.end <= a.rows, "shapes of a product");
    assert_eq!(c.len(), rows.len() * n, "{} rows of {n}", rows.len());
    if a.rows == 1 {
        one_row(a.values, b, c);
        return;
    }
    let (a, k) = (a.t(), b.rows);
    let Scratch { left, right, .. } = scratch;
    left.clear();
    for first in rows.step_by(4) {
        a.strip(first, left);
    }
    for first in (0..n).step_by(8) {
        right.clear();
        b.strip(first, right);
        for (tile, left) in left.chunks_exact(k.max(1)).enumerate() {
            let mut sums = [[0.0; 8]; 4];
            loops.product(left, right, &mut sums);
            add(&sums, 4 * tile, first, c, n);
        }
    }
}

/// A single token is not worth rearranging anything.
fn one_row(a: &[f32], b: View, c: &mut [f32]) {
    if b.by_column {
        for (c, b) in c.iter_mut().zip(b.values.chunks_exact(a.len().max(1))) {
            *c += dot(a, b);
        }
    } else {
        for (a, b) in a.iter().zip(b.values.chunks_exact(c.len().max(1))) {
            axpy(*a, b, c);
        }
    }
}

/// Adds what lies inside `c`, `[m, n]`, of a tile of four rows at `row` and `column`.
pub(super) fn add<const W: usize>(tile: &[[f32; W]; 4], row: usize, column: usize, c: &mut [f32], n: usize) {
    for (c, sums) in c[row * n..].chunks_exact_mut(n).zip(tile) {
        if let Some(c) = c[column..].first_chunk_mut::<W>() {
            for (c, sum) in c.iter_mut().zip(sums) {
                *c += sum;
            }
        } else {
            for (c, sum) in c[column..].iter_mut().zip(sums) {
                *c += sum;
            }
        }
    }
}
