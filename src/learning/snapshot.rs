//! A learner as bytes: what the database keeps, what Undo goes back to.
//!
//! A safetensors file: every LoRA matrix under its PEFT name, its two moments under `adamw.m.` and `adamw.v.` before that
//! name, and in the header's metadata the adapter's shape, the optimiser's step count and the baseline, as JSON.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::Error;
use super::objective::Baseline;
use super::optimizer::AdamW;
use crate::engine::lora::{Pair, peft_name};
use crate::engine::{Adapter, Config};
use crate::settings::Lora;

/// The bytes of a learner.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(Vec<u8>);

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({} bytes)", self.0.len())
    }
}

/// What stands in the header.
#[derive(Serialize, Deserialize)]
struct Header {
    lora: Lora,
    steps: usize,
    baseline: Baseline,
    /// The bits of the numbers in `baseline`: JSON's decimals need not come back as what they were.
    #[serde(default)]
    baseline_bits: Option<[u64; 2]>,
    /// Where these bits stood before, beside a KL weight that no longer is.
    #[serde(default, skip_serializing)]
    exact: Option<([u64; 2], u64)>,
}

/// The metadata's key.
const HEADER: &str = "fledge";

impl Snapshot {
    /// Bytes that were kept. They are checked when they are used.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn take(adapter: &Adapter, optimizer: &AdamW, baseline: Baseline) -> Result<Self, Error> {
        let header = Header {
            lora: *adapter.lora(),
            steps: optimizer.steps(),
            baseline,
            baseline_bits: Some(baseline.bits()),
            exact: None,
        };
        let header = serde_json::to_string(&header).map_err(|e| Error::Snapshot(e.to_string()))?;
        // One entry alone: a map of several would be written in a random order, and equal learners have equal bytes.
        let metadata = HashMap::from([(HEADER.to_owned(), header)]);
        let tensors = adapter
            .tensors()
            .zip(optimizer.slots())
            .flat_map(|((name, tensor), slot)| {
                [
                    (m_name(&name), slot.m.clone()),
                    (v_name(&name), slot.v.clone()),
                    (name, tensor.clone()),
                ]
            });
        let tensors: Vec<(String, Tensor)> = tensors.collect();
        let bytes = safetensors::serialize(tensors.iter().map(|(n, t)| (n, t)), Some(metadata));
        Ok(Self(bytes.map_err(|e| Error::Snapshot(e.to_string()))?))
    }

    /// The adapter, on its own.
    pub fn adapter(&self, config: &Config) -> Result<(Lora, Adapter), Error> {
        let header = self.header()?;
        let file = self.file()?;
        let lora = header.lora;
        let adapter = Adapter::build(config, lora, |layer, site| {
            let (fan_in, fan_out) = site.dims(config);
            Ok::<_, Error>(Pair {
                a: read(&file, &peft_name(layer, site, "lora_A"), &[lora.rank, fan_in])?,
                b: read(&file, &peft_name(layer, site, "lora_B"), &[fan_out, lora.rank])?,
            })
        })?;
        Ok((lora, adapter))
    }

    /// Puts weights, moments and step count back and returns the baseline. `names` are the slots' PEFT names. Everything
    /// is read before anything is changed.
    pub(super) fn put_back(&self, names: &[String], optimizer: &mut AdamW) -> Result<Baseline, Error> {
        let header = self.header()?;
        let file = self.file()?;
        let mut values = Vec::with_capacity(names.len());
        for (name, slot) in names.iter().zip(optimizer.slots()) {
            let shape = slot.var.dims();
            values.push((
                read(&file, name, shape)?,
                read(&file, &m_name(name), shape)?,
                read(&file, &v_name(name), shape)?,
            ));
        }
        for ((weight, m, v), slot) in values.into_iter().zip(optimizer.slots_mut()) {
            slot.var.set(&weight)?;
            slot.m = m;
            slot.v = v;
        }
        optimizer.set_steps(header.steps);
        let bits = header.baseline_bits.or(header.exact.map(|(baseline, _)| baseline));
        Ok(bits.map_or(header.baseline, Baseline::from_bits))
    }

    fn file(&self) -> Result<SafeTensors<'_>, Error> {
        SafeTensors::deserialize(&self.0).map_err(|e| Error::Snapshot(e.to_string()))
    }

    fn header(&self) -> Result<Header, Error> {
        let (_, metadata) = SafeTensors::read_metadata(&self.0).map_err(|e| Error::Snapshot(e.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|m| m.get(HEADER));
        let header = header.ok_or_else(|| Error::Snapshot("its header is missing".into()))?;
        let header: Header = serde_json::from_str(header).map_err(|e| Error::Snapshot(e.to_string()))?;
        if header.lora.rank == 0 || !header.lora.alpha.is_finite() {
            return Err(Error::Snapshot("its rank or alpha makes no sense".into()));
        }
        Ok(header)
    }
}

fn m_name(name: &str) -> String {
    format!("adamw.m.{name}")
}

fn v_name(name: &str) -> String {
    format!("adamw.v.{name}")
}

fn read(file: &SafeTensors, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
    let view = file.tensor(name).map_err(|e| Error::Snapshot(format!("{name}: {e}")))?;
    if view.shape() != shape || view.dtype() != safetensors::Dtype::F32 {
        return Err(Error::Snapshot(format!(
            "{name} has the shape {:?} instead of {shape:?}",
            view.shape()
        )));
    }
    Ok(Tensor::from_raw_buffer(
        view.data(),
        candle_core::DType::F32,
        shape,
        &Device::Cpu,
    )?)
}
