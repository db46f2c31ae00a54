//! 7-bit activations, rounded anew for each product.
//!
//! Unsigned and below 128, which is what WebAssembly's relaxed dot product asks of one of its operands if all machines
//! are to agree. They have a zero point of their own in each group, so that values on one side of zero, as those after
//! GELU, use the whole range.

use super::packed::{GROUP, STEPS};
use super::{Loops, pool};

/// [`GROUP`] inputs of `W` tokens, which are read side by side.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Group<const W: usize> {
    /// Four inputs in each number, the first in the lowest byte: `[step][token]`.
    pub(super) values: [[u32; W]; STEPS],
    /// What `value + offset` is to be multiplied with.
    pub(super) scales: [f32; W],
    /// −127 to 0.
    pub(super) offsets: [i32; W],
}

impl<const W: usize> Group<W> {
    const ZERO: Self = Self {
        values: [[0; W]; STEPS],
        scales: [0.0; W],
        offsets: [0; W],
    };

    /// One token's inputs.
    pub(super) fn set(&mut self, token: usize, rounded: &Rounded) {
        for (values, bytes) in self.values.iter_mut().zip(rounded.bytes.as_chunks::<4>().0) {
            values[token] = u32::from_le_bytes(*bytes);
        }
        self.scales[token] = rounded.scale;
        self.offsets[token] = rounded.offset;
    }
}

/// [`GROUP`] inputs, rounded.
#[derive(Debug)]
pub(super) struct Rounded {
    /// Below 128.
    pub(super) bytes: [u8; GROUP],
    scale: f32,
    offset: i32,
}

/// 1.5·2²³: what is added to it is rounded to a whole number, half-way cases to the even one, found in its lowest bits.
pub(super) const MAGIC: f32 = 12_582_912.0;

impl Rounded {
    /// For inputs from `least` (at most 0) to `most` (at least 0), to be filled with what `round` makes of the factor
    /// and the zero point. `probe` is 0, or no number, and makes the result none.
    #[inline]
    pub(super) fn new(least: f32, most: f32, probe: f32, round: impl Fn(f32, f32) -> [u8; GROUP]) -> Self {
        let scale = (most - least) / 127.0;
        let inverse = if scale > 1e-36 { 1.0 / scale } else { 0.0 };
        let zero = (MAGIC - least * inverse) - MAGIC;
        Self {
            bytes: round(inverse, zero),
            scale: if inverse > 0.0 { scale } else { 0.0 } + probe,
            offset: -(zero as i32),
        }
    }

    /// Rounds inputs.
    pub(super) fn plain(inputs: &[f32; GROUP]) -> Self {
        let (mut least, mut most, mut probe) = (0f32, 0f32, 0f32);
        for input in inputs {
            (least, most) = (least.min(*input), most.max(*input));
            probe += input * 0.0;
        }
        Self::new(least, most, probe, |inverse, zero| {
            inputs.map(|input| (((input * inverse + zero).clamp(0.0, 127.0) + MAGIC).to_bits() & 127) as u8)
        })
    }
}

/// The inputs of a product, `[m, k]`, rounded. To be reused: it allocates only when it has to grow.
#[derive(Debug, Default)]
pub struct Activations {
    m: usize,
    k: usize,
    /// `[token][group]`, of a single token or of some that go each their own way.
    one: Vec<Group<1>>,
    /// `[tile][group]`, with tokens of zeros after the last.
    four: Vec<Group<4>>,
}

impl Activations {
    /// Rounds what `read(token, first, inputs)` writes, token by token: as many inputs as there are from the first on, zeros
    /// after them. No token is one of a tile.
    pub(super) fn fill_rows<L: Loops>(
        &mut self,
        loops: &L,
        m: usize,
        k: usize,
        read: impl Fn(usize, usize, &mut [f32; GROUP]) + Sync,
    ) {
        (self.m, self.k) = (m, k);
        fill(&mut self.one, m, k, read, |[inputs], to| {
            to.set(0, &loops.round(inputs));
        });
    }

    /// The same in tiles, a single token too.
    pub(super) fn fill_tiles<L: Loops>(
        &mut self,
        loops: &L,
        m: usize,
        k: usize,
        read: impl Fn(usize, usize, &mut [f32; GROUP]) + Sync,
    ) {
        (self.m, self.k) = (m, k);
        fill(&mut self.four, m, k, read, |inputs, to| loops.round_tile(inputs, to));
    }

    /// Tokens.
    #[must_use]
    pub const fn tokens(&self) -> usize {
        self.m
    }

    /// Inputs of each token.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.k
    }

    /// A token that is not one of a tile.
    pub(super) fn row(&self, token: usize) -> &[Group<1>] {
        let groups = self.k.div_ceil(GROUP);
        &self.one[token * groups..][..groups]
    }

    /// Tokens in fours.
    pub(super) fn tiles(&self) -> std::slice::ChunksExact<'_, Group<4>> {
        self.four.chunks_exact(self.k.div_ceil(GROUP))
    }
}

fn fill<const W: usize>(
    tiles: &mut Vec<Group<W>>,
    m: usize,
    k: usize,
    read: impl Fn(usize, usize, &mut [f32; GROUP]) + Sync,
    round: impl Fn(&[[f32; GROUP]; W], &mut Group<W>) + Sync,
) {
    let (count, groups) = (m.div_ceil(W), k.div_ceil(GROUP));
    tiles.resize(count * groups, Group::ZERO);
    let each = pool::fair(count, 1);
    pool::chunks(tiles, each * groups.max(1), |part, tiles| {
        let mut inputs = [[0.0; GROUP]; W];
        for (tile, groups) in (part * each..).zip(tiles.chunks_exact_mut(groups.max(1))) {
            for (group, to) in groups.iter_mut().enumerate() {
                for (token, inputs) in (tile * W..).zip(&mut inputs) {
                    if token < m {
                        read(token, group * GROUP, inputs);
                    } else {
                        *inputs = [0.0; GROUP];
                    }
                }
                round(&inputs, to);
            }
        }
    });
}
