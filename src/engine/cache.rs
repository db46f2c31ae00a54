//! The key/value cache: what attention needs of the tokens that were read already.

use candle_core::{DType, Device, Result, Tensor};

use super::Config;

/// Keys and values of every layer, allocated once for the longest sequence.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    len: usize,
}

/// Keys and values of one layer, each `[batch, n_head, capacity, head_dim]`.
#[derive(Debug)]
struct LayerCache {
    k: Tensor,
    v: Tensor,
}

impl Cache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens.
    pub fn new(config: &Config, batch: usize, capacity: usize) -> Result<Self> {
        let shape = (batch, config.n_head, capacity, config.head_dim());
        let zeros = || Tensor::zeros(shape, DType::F32, &Device::Cpu);
        let layers = (0..config.n_layer)
            .map(|_| {
                Ok(LayerCache {
                    k: zeros()?,
                    v: zeros()?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers, len: 0 })
    }

    /// Tokens that are in the cache.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was read yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the keys and values (`[batch, n_head, t, head_dim]`) of new tokens to a layer and returns those of all tokens,
    /// `[batch, n_head, len + t, head_dim]`. [`Cache::advance`] makes them count, once every layer has them.
    pub fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let cached = &self.layers[layer];
        let end = self.len + k.dim(2)?;
        cached.k.slice_set(k, 2, self.len)?;
        cached.v.slice_set(v, 2, self.len)?;
        Ok((cached.k.narrow(2, 0, end)?, cached.v.narrow(2, 0, end)?))
    }

    /// `t` more tokens are in every layer.
    pub const fn advance(&mut self, t: usize) {
        self.len += t;
    }
}
