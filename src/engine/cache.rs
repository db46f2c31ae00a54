//! The key/value cache: what attention needs of the tokens that were read already, and the room in which the next ones are
//! computed. Everything is allocated once.

use super::Config;
use super::kernels::attention::attend;
use super::kernels::float::Bf16;
use crate::settings::Precision;

/// Keys and values of every layer for some sequences of equal length.
#[derive(Clone, Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    batch: usize,
    capacity: usize,
    len: usize,
    n_head: usize,
    head_dim: usize,
    /// Attention's scores of one token.
    scores: Vec<f32>,
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

/// Keys and values of one layer, each `[batch, n_head, capacity, head_dim]`.
#[derive(Clone, Debug)]
enum LayerCache {
    F32([Vec<f32>; 2]),
    /// Half the memory to read, which is what a long context costs.
    Half([Vec<Bf16>; 2]),
}

impl Cache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens. A model that is held in 8 bits gets by with 8 bits
    /// of mantissa here too.
    #[must_use]
    pub fn new(config: &Config, precision: Precision, batch: usize, capacity: usize) -> Self {
        let size = batch * capacity * config.n_embd;
        let layer = || match precision {
            Precision::Exact => LayerCache::F32([(); 2].map(|()| vec![0.0; size])),
            Precision::EightBit => LayerCache::Half([(); 2].map(|()| vec![Bf16::default(); size])),
        };
        Self {
            layers: (0..config.n_layer).map(|_| layer()).collect(),
            batch,
            capacity,
            len: 0,
            n_head: config.n_head,
            head_dim: config.head_dim(),
            scores: Vec::with_capacity(capacity),
            room: Room::default(),
        }
    }

    /// A cache in which `batch` sequences go on from the only one that this holds.
    #[must_use]
    pub fn fork(&self, batch: usize) -> Self {
        let mut fork = self.clone();
        for layer in &mut fork.layers {
            match layer {
                LayerCache::F32(parts) => parts.iter_mut().for_each(|part| *part = part.repeat(batch)),
                LayerCache::Half(parts) => parts.iter_mut().for_each(|part| *part = part.repeat(batch)),
            }
        }
        fork.batch = batch * self.batch;
        fork
    }

    /// Sequences.
    #[must_use]
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// Tokens of each that are in the cache.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was read yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens of each that there is room for.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds a token's keys and values to a layer, `offset` tokens behind those that count already, and attends to all up to
    /// it: `qkv` `[3n]` → `y` `[n]`. [`Cache::advance`] makes the tokens count, once every layer has them.
    pub(super) fn attend(&mut self, layer: usize, sequence: usize, offset: usize, qkv: &[f32], y: &mut [f32]) {
        let (n, d) = (self.n_head * self.head_dim, self.head_dim);
        let (position, size) = (self.len + offset, n * self.capacity);
        let (q, kv) = qkv.split_at(n);
        let place = |head: usize| sequence * size + (head * self.capacity + position) * d;
        let sequence = sequence * size..(sequence + 1) * size;
        match &mut self.layers[layer] {
            LayerCache::F32(parts) => {
                for (part, new) in parts.iter_mut().zip(kv.chunks_exact(n)) {
                    for (head, new) in new.chunks_exact(d).enumerate() {
                        part[place(head)..][..d].copy_from_slice(new);
                    }
                }
                let [k, v] = parts.each_ref().map(|part| &part[sequence.clone()]);
                attend(q, k, v, d, position + 1, &mut self.scores, y);
            }
            LayerCache::Half(parts) => {
                for (part, new) in parts.iter_mut().zip(kv.chunks_exact(n)) {
                    for (head, new) in new.chunks_exact(d).enumerate() {
                        for (half, new) in part[place(head)..][..d].iter_mut().zip(new) {
                            *half = Bf16::from(*new);
                        }
                    }
                }
                let [k, v] = parts.each_ref().map(|part| &part[sequence.clone()]);
                attend(q, k, v, d, position + 1, &mut self.scores, y);
            }
        }
    }

    /// `t` more tokens are in every layer.
    pub(super) const fn advance(&mut self, t: usize) {
        self.len += t;
    }
}
