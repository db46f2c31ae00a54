//! The key/value cache: what attention needs of the tokens that were read already, and the room in which the next ones are
//! computed. Everything is allocated once.

use std::cell::RefCell;

use super::Config;
use super::kernels::attention::{EightBit, Exact, Kept, Scratch, TOGETHER, attend};
use super::kernels::pool;
use crate::settings::Precision;

/// So many numbers of keys and values are read at least before another thread is worth asking.
const WORTH_SHARING: usize = 50_000;

/// Keys and values of every layer for some sequences.
#[derive(Clone, Debug)]
pub struct Cache {
    layers: Layers,
    capacity: usize,
    /// Tokens of each sequence.
    lens: Vec<usize>,
    n_head: usize,
    head_dim: usize,
    /// Attention's result, `[batch, n_head, t, head_dim]`.
    heads: Vec<f32>,
    pub(super) room: Room,
}

/// Where the forward pass of `m` rows is computed.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// The residual stream, `[m, n]`.
    pub x: Vec<f32>,
    /// What a layer norm makes of it, `[m, n]`.
    pub normed: Vec<f32>,
    /// The input or output of a block's matrices, `[m, 3n]` or `[m, 4n]`.
    pub wide: Vec<f32>,
    /// What is added to the residual stream, `[m, n]`.
    pub y: Vec<f32>,
    /// `x·Aᵀ` of an adapter, `[rank]`.
    pub low: Vec<f32>,
    /// `[batch, v]`
    pub logits: Vec<f32>,
}

/// Keys and values of each layer.
#[derive(Clone, Debug)]
enum Layers {
    Exact(Vec<Layer<Exact>>),
    EightBit(Vec<Layer<EightBit>>),
}

/// Keys and values of one layer, each `[batch, n_head, capacity, head_dim]`, in groups of [`TOGETHER`] positions.
#[derive(Clone, Debug)]
struct Layer<T: Kept> {
    keys: Vec<T::Key>,
    values: Vec<T::Value>,
}

/// Which tokens a layer gets, and how they are divided.
#[derive(Clone, Copy)]
struct Shape<'c> {
    /// Tokens of each sequence that the cache holds already.
    pasts: &'c [usize],
    /// New ones of each.
    t: usize,
    n_head: usize,
    head_dim: usize,
}

thread_local! {
    /// Of one token and head.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Cache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens. A model that is held in 8 bits gets by with 8 bits
    /// here too.
    #[must_use]
    pub fn new(config: &Config, precision: Precision, batch: usize, capacity: usize) -> Self {
        let (groups, layers) = (batch * config.n_head * capacity.div_ceil(TOGETHER), 0..config.n_layer);
        Self {
            layers: match precision {
                Precision::Exact => Layers::Exact(layers.map(|_| Layer::new(groups, config.head_dim())).collect()),
                Precision::EightBit => {
                    Layers::EightBit(layers.map(|_| Layer::new(groups, config.head_dim())).collect())
                }
            },
            capacity,
            lens: vec![0; batch],
            n_head: config.n_head,
            head_dim: config.head_dim(),
            heads: Vec::new(),
            room: Room::default(),
        }
    }

    /// A cache in which `batch` sequences go on from the only one that this holds.
    #[must_use]
    pub fn fork(&self, batch: usize) -> Self {
        let mut fork = self.clone();
        match &mut fork.layers {
            Layers::Exact(layers) => layers.iter_mut().for_each(|layer| layer.repeat(batch)),
            Layers::EightBit(layers) => layers.iter_mut().for_each(|layer| layer.repeat(batch)),
        }
        fork.lens = self.lens.repeat(batch);
        fork
    }

    /// A cache with the sequences of all of these, which have the same capacity.
    ///
    /// # Panics
    /// When they have not.
    #[must_use]
    pub fn join(caches: Vec<Self>) -> Option<Self> {
        caches.into_iter().reduce(|mut all, next| {
            assert_eq!(all.capacity, next.capacity, "room for equally many tokens");
            match (&mut all.layers, next.layers) {
                (Layers::Exact(layers), Layers::Exact(next)) => extend(layers, &next),
                (Layers::EightBit(layers), Layers::EightBit(next)) => extend(layers, &next),
                _ => {}
            }
            all.lens.extend(next.lens);
            all
        })
    }

    /// Lets only these sequences go on; `rows` counts up.
    pub fn keep(&mut self, rows: &[usize]) {
        let batch = self.batch();
        match &mut self.layers {
            Layers::Exact(layers) => layers.iter_mut().for_each(|layer| layer.keep(batch, rows)),
            Layers::EightBit(layers) => layers.iter_mut().for_each(|layer| layer.keep(batch, rows)),
        }
        self.lens = rows.iter().map(|row| self.lens[*row]).collect();
    }

    /// Sequences.
    #[must_use]
    pub const fn batch(&self) -> usize {
        self.lens.len()
    }

    /// Tokens of each sequence that are in the cache.
    #[must_use]
    pub fn lens(&self) -> &[usize] {
        &self.lens
    }

    /// Tokens of each that there is room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds the keys and values of `t` tokens of each sequence to a layer, behind those that count already, and lets each
    /// attend to all up to itself: `qkv` `[b, t, 3n]` → `y` `[b, t, n]`. [`Cache::advance`] makes the tokens count, once
    /// every layer has them.
    pub(super) fn attend(&mut self, layer: usize, qkv: &[f32], y: &mut [f32]) {
        let n = self.n_head * self.head_dim;
        let shape = Shape {
            pasts: &self.lens,
            t: y.len() / n / self.lens.len(),
            n_head: self.n_head,
            head_dim: self.head_dim,
        };
        self.heads.resize(y.len(), 0.0);
        match &mut self.layers {
            Layers::Exact(layers) => layers[layer].attend(shape, qkv, &mut self.heads),
            Layers::EightBit(layers) => layers[layer].attend(shape, qkv, &mut self.heads),
        }
        for (at, of_head) in self.heads.chunks_exact(shape.t * shape.head_dim).enumerate() {
            for (token, from) in of_head.chunks_exact(shape.head_dim).enumerate() {
                let (row, column) = shape.place(at, token);
                y[row * n + column..][..shape.head_dim].copy_from_slice(from);
            }
        }
    }

    /// `t` more tokens are in every layer.
    pub(super) fn advance(&mut self, t: usize) {
        self.lens.iter_mut().for_each(|len| *len += t);
    }
}

fn extend<T: Kept>(layers: &mut [Layer<T>], next: &[Layer<T>]) {
    for (layer, next) in layers.iter_mut().zip(next) {
        layer.keys.extend_from_slice(&next.keys);
        layer.values.extend_from_slice(&next.values);
    }
}

impl Shape<'_> {
    /// Tokens that the sequence of one of all sequences' heads has already.
    const fn past(&self, head: usize) -> usize {
        self.pasts[head / self.n_head]
    }

    /// Row and first column, in `[b·t, n]`, of a token and a head of all sequences' heads.
    const fn place(&self, head: usize, token: usize) -> (usize, usize) {
        (head / self.n_head * self.t + token, head % self.n_head * self.head_dim)
    }
}

impl<T: Kept> Layer<T> {
    fn new(groups: usize, head_dim: usize) -> Self {
        Self {
            keys: vec![T::Key::default(); groups * T::keys(head_dim)],
            values: vec![T::Value::default(); groups * T::values(head_dim)],
        }
    }

    fn repeat(&mut self, times: usize) {
        self.keys = self.keys.repeat(times);
        self.values = self.values.repeat(times);
    }

    fn keep(&mut self, batch: usize, rows: &[usize]) {
        keep(&mut self.keys, batch, rows);
        keep(&mut self.values, batch, rows);
    }

    /// `[b, t, 3n]` → `[b, n_head, t, head_dim]`
    fn attend(&mut self, shape: Shape, qkv: &[f32], heads: &mut [f32]) {
        let Shape {
            t, n_head, head_dim, ..
        } = shape;
        let n = n_head * head_dim;
        let count = heads.len() / (t * head_dim); // heads of all sequences
        let (keys, values) = (T::keys(head_dim), T::values(head_dim)); // of a group
        let groups = self.keys.len() / (count * keys); // of a head
        let vector = |head: usize, token: usize, part: usize| {
            let (row, column) = shape.place(head, token);
            &qkv[row * 3 * n + part * n + column..][..head_dim]
        };
        for head in 0..count {
            for token in 0..t {
                let position = shape.past(head) + token;
                let (group, at) = (head * groups + position / TOGETHER, position % TOGETHER);
                T::keep_key(vector(head, token, 1), at, &mut self.keys[group * keys..][..keys]);
                T::keep_value(vector(head, token, 2), at, &mut self.values[group * values..][..values]);
            }
        }
        let most = shape.pasts.iter().max().unwrap_or(&0) + t;
        let together = WORTH_SHARING.div_ceil(2 * t * most * head_dim);
        let together = pool::fair(count, together);
        let (of_keys, of_values) = (groups * keys, groups * values);
        let (keys, values) = (&self.keys, &self.values);
        pool::chunks(heads, together * t * head_dim, |part, heads| {
            SCRATCH.with_borrow_mut(|scratch| {
                for (at, y) in heads.chunks_exact_mut(head_dim).enumerate() {
                    let (head, token) = (part * together + at / t, at % t);
                    let (keys, values) = (
                        &keys[head * of_keys..][..of_keys],
                        &values[head * of_values..][..of_values],
                    );
                    let length = shape.past(head) + token + 1;
                    attend::<T>(vector(head, token, 0), keys, values, length, scratch, y);
                }
            });
        });
    }
}

/// Lets only these of `batch` equal parts stay.
fn keep<T: Copy>(kept: &mut Vec<T>, batch: usize, rows: &[usize]) {
    let each = kept.len() / batch;
    for (to, from) in rows.iter().enumerate() {
        kept.copy_within(from * each..(from + 1) * each, to * each);
    }
    kept.truncate(rows.len() * each);
}
