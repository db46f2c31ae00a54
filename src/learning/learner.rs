//! All that teaching changes: the adapter's weights, the optimiser's moments, the running baseline.

use candle_core::Var;
use candle_nn::{Optimizer, ParamsAdamW};

use super::objective::Baseline;
use super::optimizer::AdamW;
use super::{Error, Snapshot};
use crate::engine::lora::Pair;
use crate::engine::{Adapter, Config, Model};
use crate::feedback::Reward;
use crate::settings::Lora;

/// The learned part of a model.
pub struct Learner {
    /// Its tensors are the variables, so gradients reach them.
    trainable: Adapter,
    /// The same memory without gradient tracking.
    adapter: Adapter,
    optimizer: AdamW,
    baseline: Baseline,
}

impl Learner {
    /// A learner that has learned nothing: its adapter changes nothing yet.
    pub fn new(model: &Model, lora: Lora, seed: u64) -> Result<Self, Error> {
        Self::from_adapter(model.config(), &Adapter::fresh(model.config(), lora, seed)?)
    }

    /// A learner that goes on from an adapter, with a fresh optimiser and baseline.
    pub fn from_adapter(config: &Config, adapter: &Adapter) -> Result<Self, Error> {
        let mut vars = Vec::new();
        let mut variable = |tensor| -> Result<_, Error> {
            let var = Var::from_tensor(tensor)?;
            vars.push(var.clone());
            Ok(var.into_inner())
        };
        let mut tensors = adapter.tensors().map(|(_, tensor)| tensor);
        let mut next = || {
            tensors
                .next()
                .ok_or_else(|| Error::Snapshot("a LoRA matrix is missing".into()))
        };
        let trainable = Adapter::build(config, *adapter.lora(), |_, _| {
            Ok::<_, Error>(Pair {
                a: variable(next()?)?,
                b: variable(next()?)?,
            })
        })?;
        let params = ParamsAdamW {
            weight_decay: 0.0,
            ..ParamsAdamW::default()
        };
        Ok(Self {
            adapter: trainable.map(candle_core::Tensor::detach),
            trainable,
            optimizer: AdamW::new(vars, params)?,
            baseline: Baseline::default(),
        })
    }

    /// A learner that takes over what was taught elsewhere: the usual reward is what these ones amount to.
    pub fn taken_over(
        config: &Config,
        adapter: &Adapter,
        rewards: impl IntoIterator<Item = Reward>,
    ) -> Result<Self, Error> {
        let mut learner = Self::from_adapter(config, adapter)?;
        for reward in rewards {
            learner.baseline.add(reward);
        }
        Ok(learner)
    }

    /// Continues from a snapshot.
    pub fn from_snapshot(snapshot: &Snapshot, model: &Model) -> Result<Self, Error> {
        let (lora, adapter) = snapshot.adapter(model.config())?;
        debug_assert_eq!(lora, *adapter.lora());
        let mut learner = Self::from_adapter(model.config(), &adapter)?;
        learner.restore(snapshot)?;
        Ok(learner)
    }

    /// All of it as bytes.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Snapshot::take(&self.adapter, &self.optimizer, self.baseline)
    }

    /// Goes back to a snapshot of this learner, bit for bit.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let names: Vec<String> = self.adapter.tensors().map(|(name, _)| name).collect();
        self.baseline = snapshot.put_back(&names, &mut self.optimizer)?;
        Ok(())
    }

    /// The adapter as it is now, for writing.
    #[must_use]
    pub const fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The adapter's shape.
    #[must_use]
    pub const fn lora(&self) -> &Lora {
        self.adapter.lora()
    }

    /// The running mean of the rewards that were taught.
    #[must_use]
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    pub(super) const fn baseline_mut(&mut self) -> &mut Baseline {
        &mut self.baseline
    }

    /// The adapter through which gradients flow.
    #[must_use]
    pub const fn trainable(&self) -> &Adapter {
        &self.trainable
    }

    /// The optimiser over the adapter's tensors, in the order of [`Adapter::tensors`].
    pub const fn optimizer_mut(&mut self) -> &mut AdamW {
        &mut self.optimizer
    }
}
