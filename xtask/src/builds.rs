//! The two builds of a program for the browser's worker: one for every browser, one for those with relaxed SIMD.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{cargo, root, run};
use crate::tools::{self, Tools};

/// A build.
pub struct Build {
    /// What it is called.
    pub name: &'static str,
    /// What is asked of cargo besides what `.cargo/config.toml` says.
    options: &'static [&'static str],
    /// Builds with other flags in one folder would replace each other, dependencies and all.
    target: &'static str,
}

/// Plain SIMD, which every supported browser has. It is also what trunk builds.
pub const BASELINE: Build = Build {
    name: "baseline",
    options: &[],
    target: "target",
};

/// Relaxed SIMD: one instruction multiplies 16 bytes and adds them in fours.
pub const FAST: Build = Build {
    name: "fast",
    options: &[
        "--config",
        "target.wasm32-unknown-unknown.rustflags=['-C', 'target-feature=+relaxed-simd']",
    ],
    target: "target/fast",
};

impl Build {
    /// Makes `{program}.js` and `{program}_bg.wasm`, for a classic worker, in a folder.
    pub fn make(&self, program: &str, features: &[&str], folder: &Path, tools: &Tools) -> Result<()> {
        let mut command = cargo(["build", "--release", "--locked", "--target", tools::WASM]);
        command
            .args(["--bin", program, "--features", &features.join(",")])
            .args(["--target-dir", self.target])
            .args(self.options);
        run(&mut command).with_context(|| format!("the {} build of `{program}` was not made", self.name))?;
        let mut command = Command::new(&tools.wasm_bindgen);
        command
            .args(["--target", "no-modules", "--no-typescript", "--out-name", program])
            .arg("--out-dir")
            .arg(folder)
            .arg(self.wasm(program));
        run(&mut command)
    }

    fn wasm(&self, program: &str) -> PathBuf {
        let release = root().join(self.target).join(tools::WASM).join("release");
        release.join(program).with_extension("wasm")
    }
}
