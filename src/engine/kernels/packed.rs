//! 8-bit weights in the order in which the kernels read them.
//!
//! A matrix is a row of panels of 16 outputs; a panel is a row of groups of 64 inputs; a panel's group is one [`Block`].
//! In a block, 16 bytes hold 4 inputs of each of 4 outputs: a vector instruction that multiplies bytes and adds them in
//! fours leaves 4 outputs in its 4 lanes, so that nothing has to be added across lanes, and reading a matrix is reading
//! one stream of memory from its start to its end.

use std::sync::OnceLock;

use super::activations::MAGIC;
use super::float;

/// Inputs that share a scale.
pub const GROUP: usize = 64;
/// Outputs that are computed together.
pub const PANEL: usize = 16;
/// Inputs of a 16-byte vector, and its outputs.
pub(super) const QUAD: usize = 4;
/// Vectors along a group.
pub(super) const STEPS: usize = GROUP / QUAD;
/// Vectors across a panel.
pub(super) const QUADS: usize = PANEL / QUAD;

/// [`PANEL`] outputs × [`GROUP`] inputs: 17 bytes for 16 weights.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Block {
    /// −127 to 127; `[step][quad][4 * output + input]`, both of the quad.
    pub(super) weights: [[[i8; 16]; QUADS]; STEPS],
    /// The upper half of each output's f32 scale.
    pub(super) scales: [u16; PANEL],
    /// Sum of each output's weights.
    pub(super) sums: [i16; PANEL],
}

impl Default for Block {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Block {
    pub(super) const ZERO: Self = Self {
        weights: [[[0; 16]; QUADS]; STEPS],
        scales: [0; PANEL],
        sums: [0; PANEL],
    };

    /// What the weights of `output` are multiples of.
    pub(super) fn scale(&self, output: usize) -> f32 {
        f32::from_bits(u32::from(self.scales[output]) << 16)
    }

    /// The weight of one output and one input, as stored.
    pub(super) fn weight(&self, output: usize, input: usize) -> i8 {
        self.weights[input / QUAD][output / QUAD][output % QUAD * QUAD + input % QUAD]
    }

    /// Rounds one output's inputs, at most [`GROUP`]; the rest becomes zero.
    #[inline]
    pub(super) fn set(&mut self, output: usize, values: impl Iterator<Item = f32>) {
        let mut inputs = [0.0; GROUP];
        inputs.iter_mut().zip(values).for_each(|(input, value)| *input = value);
        self.set_inputs(output, &inputs);
    }

    fn set_inputs(&mut self, output: usize, inputs: &[f32; GROUP]) {
        // The bits of positive numbers are in their order: whole numbers' maximum is an instruction, in WebAssembly too.
        let bits = inputs.iter().map(|input| input.abs().to_bits());
        let most = f32::from_bits(bits.fold(0, u32::max));
        // A sum of zeros, unless a value is not finite: such a value has to reach the result.
        let probe = float::sum(inputs, |input| input * 0.0);
        let scale = round_up(most / 127.0) + probe;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        self.scales[output] = (scale.to_bits() >> 16) as u16;
        let rounded = inputs.map(|input| input * inverse + MAGIC);
        let weights = rounded.map(|rounded| rounded.to_bits() as i8);
        for (step, weights) in self.weights.iter_mut().zip(weights.as_chunks::<QUAD>().0) {
            step[output / QUAD].as_chunks_mut::<QUAD>().0[output % QUAD] = *weights;
        }
        // The magic number's own bits end in more zeros than a sum has bits.
        let sum = rounded
            .iter()
            .map(|rounded| rounded.to_bits())
            .fold(0, u32::wrapping_add);
        self.sums[output] = sum as i16;
    }
}

/// The next number whose lower 16 bits are zero. Below 1e-36, whose inverse may overflow: zero.
fn round_up(scale: f32) -> f32 {
    if scale < 1e-36 {
        return 0.0;
    }
    f32::from_bits(scale.to_bits().saturating_add(0xffff) & 0xffff_0000)
}

/// A matrix of weights, `[n, k]` (outputs, inputs), rounded to 8 bits: 1.0625 bytes a weight.
#[derive(Clone, Debug)]
pub struct Packed {
    n: usize,
    k: usize,
    /// `[panel][group]`.
    blocks: Vec<Block>,
    /// Made when they are first asked for: a model that only writes does not need them.
    largest_scales: OnceLock<Box<[f32]>>,
}

impl Packed {
    /// All weights zero.
    #[must_use]
    pub fn zeros(n: usize, k: usize) -> Self {
        Self {
            n,
            k,
            blocks: vec![Block::ZERO; n.div_ceil(PANEL) * k.div_ceil(GROUP)],
            largest_scales: OnceLock::new(),
        }
    }

    /// From f32 `[n, k]` or `[k, n]`.
    ///
    /// # Panics
    /// When there are not `n * k` values.
    #[must_use]
    pub fn new(values: &[f32], n: usize, k: usize, order: Order) -> Self {
        let mut packer = Packer::new(n, k, order);
        packer.push(values);
        packer.finish()
    }

    /// Outputs.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.n
    }

    /// Inputs.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.k
    }

    /// [`PANEL`]s of outputs: what is divided among threads.
    #[must_use]
    pub const fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// [`GROUP`]s of inputs.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.k.div_ceil(GROUP)
    }

    /// One panel's blocks.
    pub(super) fn panel(&self, panel: usize) -> &[Block] {
        &self.blocks[panel * self.groups()..][..self.groups()]
    }

    /// The largest of each output's scales, `[panels * PANEL]`; not a number where one is none.
    pub(super) fn largest_scales(&self) -> &[f32] {
        self.largest_scales.get_or_init(|| {
            let panels = (0..self.panels()).flat_map(|panel| {
                self.panel(panel).iter().fold([0; PANEL], |most: [u16; PANEL], block| {
                    // The bits of positive numbers are in their order, and those of no number above all.
                    std::array::from_fn(|output| most[output].max(block.scales[output]))
                })
            });
            panels.map(|scale| f32::from_bits(u32::from(scale) << 16)).collect()
        })
    }

    /// Bytes that it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.blocks.len() * size_of::<Block>()
    }

    /// The packed form, to be stored. Little-endian, as the web and every machine that Fledge runs on.
    #[must_use]
    #[expect(unsafe_code, reason = "weights are plain bytes")]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: a block has no padding (1024 + 32 + 32 bytes, a multiple of 64), and any byte may be read as u8.
        unsafe { std::slice::from_raw_parts(self.blocks.as_ptr().cast(), self.bytes()) }
    }

    /// The packed form, to be read into [`Packed::zeros`] of the same shape. Every content is sound, if meaningless.
    #[must_use]
    #[expect(unsafe_code, reason = "weights are plain bytes")]
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.largest_scales.take();
        // SAFETY: as above, and every pattern of bits is a valid i8, u16 and i16.
        unsafe { std::slice::from_raw_parts_mut(self.blocks.as_mut_ptr().cast(), self.bytes()) }
    }

    /// One output's weights as f32, `[k]`.
    ///
    /// # Panics
    /// When `row` is not an output or `values` not as long as a row.
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        assert!(
            row < self.n && values.len() == self.k,
            "row {row} of {} values",
            values.len()
        );
        let output = row % PANEL;
        for (block, values) in self.panel(row / PANEL).iter().zip(values.chunks_mut(GROUP)) {
            let scale = block.scale(output);
            for (input, value) in values.iter_mut().enumerate() {
                *value = f32::from(block.weight(output, input)) * scale;
            }
        }
    }

    /// Rounds one output's weights, `[k]`.
    fn set_row(&mut self, row: usize, values: &[f32]) {
        let groups = self.groups();
        let blocks = &mut self.blocks[row / PANEL * groups..][..groups];
        for (block, values) in blocks.iter_mut().zip(values.chunks(GROUP)) {
            block.set(row % PANEL, values.iter().copied());
        }
    }

    /// Rounds one group's weights, `[inputs, n]`.
    fn set_group(&mut self, group: usize, values: &[f32]) {
        let (n, groups) = (self.n, self.groups());
        for row in 0..n {
            let column = values[row..].iter().step_by(n).copied();
            self.blocks[row / PANEL * groups + group].set(row % PANEL, column);
        }
    }
}

/// How f32 weights are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[n, k]`, as in PyTorch's Linear and in embeddings.
    OutIn,
    /// `[k, n]`, as in GPT-2's Conv1D.
    InOut,
}

/// Packs a matrix while its f32 values arrive. Beside the packed form it holds one row, or [`GROUP`] rows of `[k, n]`.
#[derive(Debug)]
pub struct Packer {
    packed: Packed,
    order: Order,
    /// Values that do not make a unit yet.
    waiting: Vec<f32>,
    /// Rows or groups done.
    units: usize,
}

impl Packer {
    /// For `[n, k]` or `[k, n]`.
    #[must_use]
    pub fn new(n: usize, k: usize, order: Order) -> Self {
        Self {
            packed: Packed::zeros(n, k),
            order,
            waiting: Vec::new(),
            units: 0,
        }
    }

    /// The next values, as many as there are.
    ///
    /// # Panics
    /// On more values than the matrix has.
    pub fn push(&mut self, mut values: &[f32]) {
        while !values.is_empty() {
            let size = self.unit();
            assert!(size > 0, "more values than weights");
            if self.waiting.is_empty() && values.len() >= size {
                self.round(&values[..size]);
                values = &values[size..];
                continue;
            }
            let (now, later) = values.split_at(values.len().min(size - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            values = later;
            if self.waiting.len() == size {
                let unit = std::mem::take(&mut self.waiting);
                self.round(&unit);
                self.waiting = unit;
                self.waiting.clear();
            }
        }
    }

    /// The matrix.
    ///
    /// # Panics
    /// When values are missing.
    #[must_use]
    pub fn finish(self) -> Packed {
        assert!(self.waiting.is_empty() && self.unit() == 0, "fewer values than weights");
        self.packed
    }

    /// Values of the unit that is rounded next; zero after the last.
    fn unit(&self) -> usize {
        let Packed { n, k, .. } = self.packed;
        match self.order {
            Order::OutIn if self.units < n => k,
            Order::OutIn => 0,
            Order::InOut => n * (k - k.min(self.units * GROUP)).min(GROUP),
        }
    }

    fn round(&mut self, values: &[f32]) {
        match self.order {
            Order::OutIn => self.packed.set_row(self.units, values),
            Order::InOut => self.packed.set_group(self.units, values),
        }
        self.units += 1;
    }
}
