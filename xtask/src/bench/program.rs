//! The engine alone as a program, `src/bin/bench.rs`, in both builds of the worker.

use anyhow::Result;

use crate::builds::{BASELINE, FAST};
use crate::shell::{root, say};
use crate::tools;

/// Makes `target/bench/{baseline,fast}`: `bench.js` and `bench_bg.wasm`, for a classic worker.
pub fn build() -> Result<()> {
    let tools = tools::install()?;
    for build in [BASELINE, FAST] {
        say(&format!("Building the engine alone, {}", build.name));
        let folder = root().join("target/bench").join(build.name);
        build.make("bench", &["bench"], &folder, &tools)?;
    }
    Ok(())
}
