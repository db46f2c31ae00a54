//! The engine alone as a program, `src/bin/bench.rs`, in both builds of the worker.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{cargo, root, run, say};
use crate::tools::{self, Tools};

/// A build of the worker.
struct Build {
    name: &'static str,
    /// What is asked of cargo besides what `.cargo/config.toml` says.
    options: &'static [&'static str],
    /// Builds with other flags in one folder would replace each other, dependencies and all.
    target: &'static str,
}

const BUILDS: [Build; 2] = [
    Build {
        name: "baseline",
        options: &[],
        target: "target",
    },
    Build {
        name: "fast",
        options: &[
            "--config",
            "target.wasm32-unknown-unknown.rustflags=['-C', 'target-feature=+relaxed-simd']",
        ],
        target: "target/bench/build",
    },
];

/// Makes `target/bench/{baseline,fast}`: `bench.js` and `bench_bg.wasm`, for a classic worker.
pub fn build() -> Result<()> {
    let tools = tools::install()?;
    for build in &BUILDS {
        say(&format!("Building the engine alone, {}", build.name));
        make(build, &tools).with_context(|| format!("the build `{}` was not made", build.name))?;
    }
    Ok(())
}

fn make(build: &Build, tools: &Tools) -> Result<()> {
    let mut command = cargo(["build", "--release", "--locked", "--target", tools::WASM]);
    command
        .args(["--features", "bench", "--bin", "bench"])
        .args(["--target-dir", build.target])
        .args(build.options);
    run(&mut command)?;

    let wasm = root().join(build.target).join(tools::WASM).join("release/bench.wasm");
    let mut command = Command::new(&tools.wasm_bindgen);
    command
        .args(["--target", "no-modules", "--no-typescript", "--out-name", "bench"])
        .arg("--out-dir")
        .arg(root().join("target/bench").join(build.name))
        .arg(wasm);
    run(&mut command)
}
