//! LoRA: what teaching changes. `y = x·W + b + alpha/rank · (x·Aᵀ)·Bᵀ` with `A` `[rank, in]` and `B` `[out, rank]`,
//! the shapes and names in which PEFT saves them (Hu et al. 2021, arXiv 2106.09685).

use candle_core::{Device, Result, Tensor};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::kernels::float::dot;
use super::{Config, storage};
use crate::settings::{Lora, Targets};

/// The seed with which every adapter that is taught from nothing begins: the same lessons make the same adapter, and a link
/// need not say what everybody can make again.
pub const FIRST_SEED: u64 = 0;

/// One of the four matrices of a block that an adapter can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// `attn.c_attn`
    AttentionIn,
    /// `attn.c_proj`
    AttentionOut,
    /// `mlp.c_fc`
    MlpIn,
    /// `mlp.c_proj`
    MlpOut,
}

impl Site {
    /// All four, in the order of the forward pass.
    pub const ALL: [Self; 4] = [Self::AttentionIn, Self::AttentionOut, Self::MlpIn, Self::MlpOut];

    /// The matrix's name within a block.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttentionIn => "attn.c_attn",
            Self::AttentionOut => "attn.c_proj",
            Self::MlpIn => "mlp.c_fc",
            Self::MlpOut => "mlp.c_proj",
        }
    }

    /// `(in, out)` of the matrix.
    #[must_use]
    pub const fn dims(self, config: &Config) -> (usize, usize) {
        let (n, inner) = (config.n_embd, config.n_inner);
        match self {
            Self::AttentionIn => (n, 3 * n),
            Self::AttentionOut => (n, n),
            Self::MlpIn => (n, inner),
            Self::MlpOut => (inner, n),
        }
    }

    /// Whether the matrix is among the targets.
    #[must_use]
    pub const fn is_in(self, targets: &Targets) -> bool {
        match self {
            Self::AttentionIn => targets.attention_in,
            Self::AttentionOut => targets.attention_out,
            Self::MlpIn => targets.mlp_in,
            Self::MlpOut => targets.mlp_out,
        }
    }
}

/// The two matrices at one place.
#[derive(Clone, Debug)]
pub struct Pair {
    /// `[rank, in]`
    pub a: Tensor,
    /// `[out, rank]`
    pub b: Tensor,
}

impl Pair {
    /// PEFT's start: A uniform in ±1/√in (Kaiming with a = √5), B zero, so that a fresh adapter changes nothing.
    fn fresh(rank: usize, (fan_in, fan_out): (usize, usize), rng: &mut StdRng) -> Result<Self> {
        let bound = 1.0 / (fan_in as f32).sqrt();
        let a: Vec<f32> = (0..rank * fan_in).map(|_| rng.random_range(-bound..bound)).collect();
        Ok(Self {
            a: Tensor::from_vec(a, (rank, fan_in), &Device::Cpu)?,
            b: Tensor::zeros((fan_out, rank), candle_core::DType::F32, &Device::Cpu)?,
        })
    }

    /// Adds `scale · (x·Aᵀ)·Bᵀ` to `y`, between slices and without a gradient: `x` `[m, in]`, `y` `[m, out]`; `low` is room
    /// for `x·Aᵀ`.
    fn add(&self, scale: f32, x: &[f32], low: &mut Vec<f32>, y: &mut [f32]) -> Result<()> {
        let (rank, fan_in) = self.a.dims2()?;
        let fan_out = self.b.dim(0)?;
        storage::with_f32s([&self.a, &self.b], |[a, b]| {
            for (x, y) in x.chunks_exact(fan_in).zip(y.chunks_exact_mut(fan_out)) {
                low.clear();
                low.extend(a.chunks_exact(fan_in).map(|a| scale * dot(x, a)));
                for (y, b) in y.iter_mut().zip(b.chunks_exact(rank)) {
                    *y += low.iter().zip(b).map(|(low, b)| low * b).sum::<f32>();
                }
            }
        })
    }
}

/// The adapter of a whole model. Cloning shares the tensors.
#[derive(Clone, Debug)]
pub struct Adapter {
    lora: Lora,
    /// `[layer][site]`
    pairs: Vec<[Option<Pair>; 4]>,
}

impl Adapter {
    /// An adapter that changes nothing yet.
    pub fn fresh(config: &Config, lora: Lora, seed: u64) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        Self::build(config, lora, |_, site| {
            Pair::fresh(lora.rank, site.dims(config), &mut rng)
        })
    }

    /// An adapter whose pairs come from `pair(layer, site)`, asked for every targeted matrix.
    pub fn build<E>(
        config: &Config,
        lora: Lora,
        mut pair: impl FnMut(usize, Site) -> std::result::Result<Pair, E>,
    ) -> std::result::Result<Self, E> {
        let mut pairs = Vec::with_capacity(config.n_layer);
        for layer in 0..config.n_layer {
            let mut sites = [const { None }; 4];
            for (slot, site) in sites.iter_mut().zip(Site::ALL) {
                if site.is_in(&lora.targets) {
                    *slot = Some(pair(layer, site)?);
                }
            }
            pairs.push(sites);
        }
        Ok(Self { lora, pairs })
    }

    /// The same adapter with every tensor replaced.
    #[must_use]
    pub fn map(&self, mut f: impl FnMut(&Tensor) -> Tensor) -> Self {
        let pairs = self
            .pairs
            .iter()
            .map(|sites| {
                sites
                    .each_ref()
                    .map(|pair| pair.as_ref().map(|p| Pair { a: f(&p.a), b: f(&p.b) }))
            })
            .collect();
        Self { lora: self.lora, pairs }
    }

    /// The same adapter, counting `strength` times: 0 is the base, 1 is as taught. The tensors are shared.
    #[must_use]
    pub fn at(&self, strength: f64) -> Self {
        let mut scaled = self.clone();
        scaled.lora.alpha *= strength;
        scaled
    }

    /// Its shape.
    #[must_use]
    pub const fn lora(&self) -> &Lora {
        &self.lora
    }

    /// The pair of a matrix; `None` where it is not adapted.
    #[must_use]
    pub fn pair(&self, layer: usize, site: Site) -> Option<&Pair> {
        self.pairs.get(layer)?[site as usize].as_ref()
    }

    /// Adds to `y` `[m, out]` what the adapter makes of a matrix's input `x` `[m, in]`, between slices and without a gradient.
    pub(super) fn add(&self, layer: usize, site: Site, x: &[f32], low: &mut Vec<f32>, y: &mut [f32]) -> Result<()> {
        self.pair(layer, site)
            .map_or(Ok(()), |pair| pair.add(self.lora.scale() as f32, x, low, y))
    }

    /// Every tensor under its PEFT name, in a fixed order.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.pairs.iter().enumerate().flat_map(|(layer, sites)| {
            sites
                .iter()
                .zip(Site::ALL)
                .filter_map(move |(pair, site)| Some((layer, site, pair.as_ref()?)))
                .flat_map(|(layer, site, pair)| {
                    [
                        (peft_name(layer, site, "lora_A"), &pair.a),
                        (peft_name(layer, site, "lora_B"), &pair.b),
                    ]
                })
        })
    }
}

/// `base_model.model.transformer.h.{layer}.{site}.{matrix}.weight`
#[must_use]
pub fn peft_name(layer: usize, site: Site, matrix: &str) -> String {
    format!("base_model.model.transformer.h.{layer}.{}.{matrix}.weight", site.name())
}
