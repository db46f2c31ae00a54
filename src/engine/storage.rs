//! The bridge between candle's storage and plain slices.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The values of a contiguous f32 storage.
pub fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a contiguous tensor is needed, not one of layout {layout:?}"),
    }
}

/// Looks at the values of an f32 tensor.
pub fn with_f32<R>(tensor: &Tensor, look: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_f32s([tensor], |[values]| look(values))
}

/// Looks at the values of several f32 tensors at once.
pub fn with_f32s<R, const N: usize>(tensors: [&Tensor; N], look: impl FnOnce([&[f32]; N]) -> R) -> Result<R> {
    let tensors: Vec<Tensor> = tensors.into_iter().map(Tensor::contiguous).collect::<Result<_>>()?;
    let storages: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&storages) {
        let Storage::Cpu(storage) = &**storage else {
            bail!("a tensor on the CPU is needed");
        };
        *slice = f32_slice(storage, layout)?;
    }
    Ok(look(slices))
}
