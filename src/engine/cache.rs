//! The key/value cache: what attention needs of the tokens that were read already, and the room in which the next ones are
//! computed. Everything is allocated once.

use std::cell::RefCell;

use super::Config;
use super::kernels::attention::{EightBit, Exact, FEW, Heads, Kept, Scratch, TOGETHER, attend};
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

/// Keys and values of one layer, in groups of [`TOGETHER`] and of [`FEW`] positions: `[batch][group][head]`.
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
    /// Of one token.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Cache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens. A model that is held in 8 bits gets by with 8 bits
    /// here too.
    #[must_use]
    pub fn new(config: &Config, precision: Precision, batch: usize, capacity: usize) -> Self {
        let (groups, d) = (batch * capacity.div_ceil(TOGETHER) * config.n_head, config.head_dim());
        let layers = 0..config.n_layer;
        Self {
            layers: match precision {
                Precision::Exact => Layers::Exact(layers.map(|_| Layer::new(groups, d)).collect()),
                Precision::EightBit => Layers::EightBit(layers.map(|_| Layer::new(groups, d)).collect()),
            },
            capacity,
            lens: vec![0; batch],
            n_head: config.n_head,
            head_dim: config.head_dim(),
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
        match &mut self.layers {
            Layers::Exact(layers) => layers[layer].attend(shape, qkv, y),
            Layers::EightBit(layers) => layers[layer].attend(shape, qkv, y),
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
    /// Position of a new token, of all sequences' new ones.
    const fn position(&self, token: usize) -> usize {
        self.pasts[token / self.t] + token % self.t
    }

    /// Heads that a thread takes at a time: some of a token's, or those of several tokens.
    fn together(&self) -> usize {
        let most = self.pasts.iter().max().unwrap_or(&0) + self.t;
        let (heads, worth) = (self.pasts.len() * self.t * self.n_head, 2 * most * self.head_dim);
        let fair = pool::fair(heads, WORTH_SHARING.div_ceil(worth));
        let of_a_token = (fair..self.n_head).find(|heads| self.n_head.is_multiple_of(*heads));
        of_a_token.unwrap_or_else(|| fair.next_multiple_of(self.n_head))
    }
}

impl<T: Kept> Layer<T> {
    fn new(groups: usize, head_dim: usize) -> Self {
        Self {
            keys: vec![T::Key::default(); groups * T::keys(head_dim)],
            values: vec![T::Value::default(); groups * TOGETHER / FEW * T::values(head_dim)],
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

    /// `[b, t, 3n]` → `[b, t, n]`
    fn attend(&mut self, shape: Shape, qkv: &[f32], y: &mut [f32]) {
        let (n_head, d) = (shape.n_head, shape.head_dim);
        let n = n_head * d;
        let (keys, values) = (T::keys(d), T::values(d)); // of a group and head
        let [of_keys, of_values] = [self.keys.len(), self.values.len()].map(|all| all / shape.pasts.len());
        for (token, qkv) in qkv.chunks_exact(3 * n).enumerate() {
            let (sequence, position) = (token / shape.t, shape.position(token));
            let kept = &mut self.keys[sequence * of_keys..][position / TOGETHER * n_head * keys..];
            for (key, kept) in qkv[n..2 * n].chunks_exact(d).zip(kept.chunks_exact_mut(keys)) {
                T::keep_key(key, position % TOGETHER, kept);
            }
            let kept = &mut self.values[sequence * of_values..][position / FEW * n_head * values..];
            for (value, kept) in qkv[2 * n..].chunks_exact(d).zip(kept.chunks_exact_mut(values)) {
                T::keep_value(value, position % FEW, kept);
            }
        }
        let together = shape.together();
        let (all_keys, all_values) = (&self.keys, &self.values);
        pool::chunks(y, together * d, |part, y| {
            SCRATCH.with_borrow_mut(|scratch| {
                let heads = together.min(n_head);
                for (at, y) in y.chunks_exact_mut(heads * d).enumerate() {
                    let first = part * together + at * heads; // of all tokens' heads
                    let (token, first) = (first / n_head, first % n_head);
                    let sequence = token / shape.t;
                    attend::<T>(
                        &qkv[token * 3 * n + first * d..][..heads * d],
                        d,
                        &Heads::new(&all_keys[sequence * of_keys..][..of_keys], n_head, first, keys),
                        &Heads::new(&all_values[sequence * of_values..][..of_values], n_head, first, values),
                        shape.position(token) + 1,
                        scratch,
                        y,
                    );
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
