//! The bridge between candle's storage and plain slices, for custom ops.

use candle_core::{CpuStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// The values of a contiguous f32 storage.
pub fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a contiguous tensor is needed, not one of layout {layout:?}"),
    }
}

/// Copies a tensor out into the storage and shape that a custom op returns.
pub fn into_cpu(tensor: &Tensor) -> Result<(CpuStorage, Shape)> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        bail!("a tensor on the CPU is needed");
    };
    Ok((
        CpuStorage::F32(f32_slice(storage, layout)?.to_vec()),
        layout.shape().clone(),
    ))
}
