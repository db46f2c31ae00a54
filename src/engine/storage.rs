//! The bridge between candle's storage and plain slices.

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// The values of a contiguous f32 storage.
pub fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a contiguous tensor is needed, not one of layout {layout:?}"),
    }
}

/// Looks at the values of an f32 tensor.
pub fn with_f32<R>(tensor: &Tensor, look: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        bail!("a tensor on the CPU is needed");
    };
    Ok(look(f32_slice(storage, layout)?))
}

/// Copies a tensor out into the storage and shape that a custom op returns.
pub fn into_cpu(tensor: &Tensor) -> Result<(CpuStorage, Shape)> {
    let values = with_f32(tensor, <[f32]>::to_vec)?;
    Ok((CpuStorage::F32(values), tensor.shape().clone()))
}
