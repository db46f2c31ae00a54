//! How the gradient of a frozen matrix's input goes through the matrix: `dx = dy·W`.

use std::ops::Range;

use super::packed::{Block, GROUP, PANEL, Packed};
use super::product::add;
use super::{Activations, Loops};

/// Groups of outputs that are summed before they reach `dx`.
const DEPTH: usize = 4;
/// Groups of inputs that are transposed at a time: about 200 KB together, for the second cache.
const WIDTH: usize = 12;
/// Panels of inputs in a group.
const PANELS: usize = GROUP / PANEL;

/// What the products need beside their operands. To be reused: it allocates only when it has to grow.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) left: Vec<[f32; 4]>,
    pub(super) right: Vec<[f32; 8]>,
    /// `[panel of inputs][group of outputs]`.
    transposed: Vec<[Block; DEPTH]>,
}

/// `dy` in 7 bits, after it took over the larger part of the weights' scales: each output has one scale for all its inputs
/// then, and what a group's scale is below that goes into its weights, rounded once more.
pub(super) fn round<L: Loops>(loops: &L, w: &Packed, dy: &[f32], m: usize, to: &mut Activations) {
    let n = w.outputs();
    assert_eq!(dy.len(), m * n, "shape of a gradient");
    let largest = w.largest_scales();
    to.fill_tiles(loops, m, n, |token, first, values| {
        let (dy, beyond) = (&dy[token * n + first..(token + 1) * n], values.len().min(n - first));
        for ((value, dy), scale) in values.iter_mut().zip(dy).zip(&largest[first..]) {
            *value = dy * scale;
        }
        values[beyond..].fill(0.0);
    });
}

/// With `dy` of [`round`].
pub(super) fn rounded<L: Loops>(
    loops: &L,
    w: &Packed,
    dy: &Activations,
    groups: Range<usize>,
    dx: &mut [f32],
    scratch: &mut Scratch,
) {
    let (m, n) = (dy.tokens(), w.outputs());
    let k = w.inputs().min(groups.end * GROUP) - groups.start * GROUP;
    assert_eq!((dy.inputs(), dx.len()), (n, m * k), "shapes of a gradient");
    dx.fill(0.0);
    let transposed = &mut scratch.transposed;
    transposed.resize(WIDTH * PANELS, [Block::ZERO; DEPTH]);
    for first in (0..n).step_by(GROUP * DEPTH) {
        let depth = DEPTH.min((n - first).div_ceil(GROUP));
        for group in groups.clone().step_by(WIDTH) {
            let width = WIDTH.min(groups.end - group);
            let panels = &mut transposed[..width * PANELS];
            for part in 0..depth {
                gather(loops, w, first + part * GROUP, group, part, panels);
            }
            let columns = (group - groups.start) * GROUP..k;
            for (blocks, column) in panels.iter().zip(columns.step_by(PANEL)) {
                for (tile, x) in dy.tiles().enumerate() {
                    let mut sums = [[0.0; PANEL]; 4];
                    loops.tile(&blocks[..depth], &x[first / GROUP..][..depth], &mut sums);
                    add(&sums, 4 * tile, column, dx, k);
                }
            }
        }
    }
}

/// Transposes the weights of [`GROUP`] outputs from `first` and of some groups of inputs from `group`.
fn gather<L: Loops>(loops: &L, w: &Packed, first: usize, group: usize, part: usize, to: &mut [[Block; DEPTH]]) {
    for quarter in 0..PANELS {
        let row = first + quarter * PANEL;
        let blocks = if row < w.outputs() {
            &w.panel(row / PANEL)[group..]
        } else {
            &[Block::ZERO; WIDTH]
        };
        let mut factors = [0.0; PANEL];
        for (factor, scale) in factors.iter_mut().zip(w.largest_scales().iter().skip(row)) {
            *factor = if *scale > 0.0 { 32767.0 / scale } else { 0.0 };
        }
        for (block, to) in blocks.iter().zip(to.chunks_exact_mut(PANELS)) {
            let mut ratios = [0; PANEL];
            for (output, (ratio, factor)) in ratios.iter_mut().zip(factors).enumerate() {
                // At most 32767. Through i32, for which there are vectors.
                *ratio = (block.scale(output) * factor) as i32 as i16;
            }
            for (panel, to) in to.iter_mut().enumerate() {
                loops.transpose(block, &ratios, panel, quarter, &mut to[part]);
            }
        }
    }
    for to in to {
        to[part].scales = [(1f32.to_bits() >> 16) as u16; PANEL];
        loops.sum(&mut to[part]);
    }
}
