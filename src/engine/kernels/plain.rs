//! Inner loops without vector instructions: for machines that have none, and to test the others against.

use super::Loops;
use super::activations::{Group, Rounded};
use super::packed::{Block, GROUP, PANEL, QUAD, QUADS};

/// Plain Rust.
#[derive(Debug)]
pub(super) struct Plain;

impl Loops for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn round(&self, inputs: &[f32; GROUP]) -> Rounded {
        Rounded::plain(inputs)
    }

    fn row(&self, panels: [&[Block]; 2], x: &[Group<1>], y: &mut [[f32; PANEL]; 2]) {
        for (blocks, y) in panels.into_iter().zip(y) {
            for (block, x) in blocks.iter().zip(x) {
                add(block, x, 0, y);
            }
        }
    }

    fn tile(&self, blocks: &[Block], x: &[Group<4>], y: &mut [[f32; PANEL]; 4]) {
        for (block, x) in blocks.iter().zip(x) {
            for (token, y) in y.iter_mut().enumerate() {
                add(block, x, token, y);
            }
        }
    }

    fn transpose(&self, block: &Block, ratios: &[i16; PANEL], panel: usize, quarter: usize, to: &mut Block) {
        let from = block.weights.iter().skip(QUADS * panel).take(QUADS);
        for (step, quads) in from.enumerate() {
            for (quad, weights) in quads.iter().enumerate() {
                let to = &mut to.weights[QUADS * quarter + quad][step];
                for (byte, weight) in weights.iter().enumerate() {
                    let (output, input) = (byte / QUAD, byte % QUAD);
                    let ratio = i32::from(ratios[quad * QUAD + output]);
                    to[input * QUAD + output] = ((i32::from(*weight) * ratio + 0x4000) >> 15) as i8;
                }
            }
        }
    }

    fn sum(&self, block: &mut Block) {
        let mut sums = [0i16; PANEL];
        for quads in &block.weights {
            for (weights, sum) in quads.as_flattened().as_chunks::<QUAD>().0.iter().zip(&mut sums) {
                *sum += weights.iter().map(|weight| i16::from(*weight)).sum::<i16>();
            }
        }
        block.sums = sums;
    }

    fn product(&self, a: &[[f32; 4]], b: &[[f32; 8]], y: &mut [[f32; 8]; 4]) {
        *y = [[0.0; 8]; 4];
        for (a, b) in a.iter().zip(b) {
            for (a, y) in a.iter().zip(&mut *y) {
                for (b, y) in b.iter().zip(y) {
                    *y += a * b;
                }
            }
        }
    }
}

/// Adds one group's part of one token's outputs.
fn add<const W: usize>(block: &Block, x: &Group<W>, token: usize, y: &mut [f32; PANEL]) {
    let mut dots = block.sums.map(|sum| i32::from(sum) * x.offsets[token]);
    for (quads, x) in block.weights.iter().zip(&x.values) {
        let x = x[token].to_le_bytes().map(i32::from);
        for (weights, dots) in quads.iter().zip(dots.as_chunks_mut::<QUAD>().0) {
            for (weights, dot) in weights.as_chunks::<QUAD>().0.iter().zip(dots) {
                *dot += weights
                    .iter()
                    .zip(x)
                    .map(|(weight, x)| i32::from(*weight) * x)
                    .sum::<i32>();
            }
        }
    }
    for (output, (y, dot)) in y.iter_mut().zip(dots).enumerate() {
        *y += dot as f32 * (block.scale(output) * x.scales[token]);
    }
}
