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
    /// What cargo finds in its environment.
    environment: &'static [(&'static str, &'static str)],
    /// Builds with other flags in one folder would replace each other, dependencies and all.
    target: &'static str,
}

/// Plain SIMD, which every supported browser has. It is also what trunk builds.
pub const BASELINE: Build = Build {
    name: "baseline",
    options: &[],
    environment: &[],
    target: "target",
};

/// Relaxed SIMD, where one instruction multiplies 16 bytes and adds them in fours; and memory that threads can share, for
/// which Rust's standard library is built along.
pub const FAST: Build = Build {
    name: "fast",
    options: &["--config", FAST_FLAGS, "-Z", "build-std=panic_abort,std"],
    // To build the standard library along is an option of the nightly cargo, which the stable one has too.
    environment: &[("RUSTC_BOOTSTRAP", "1")],
    target: "target/fast",
};

/// The exports are what wasm-bindgen needs to give each thread its own stack and its own thread-local memory.
const FAST_FLAGS: &str = "target.wasm32-unknown-unknown.rustflags=[\
    '-C', 'target-feature=+relaxed-simd,+atomics,+bulk-memory,+mutable-globals', \
    '-C', 'link-arg=--shared-memory', '-C', 'link-arg=--import-memory', '-C', 'link-arg=--max-memory=4294967296', \
    '-C', 'link-arg=--export=__wasm_init_tls', '-C', 'link-arg=--export=__tls_size', \
    '-C', 'link-arg=--export=__tls_align', '-C', 'link-arg=--export=__tls_base']";

impl Build {
    /// Makes `{program}.js` and `{program}_bg.wasm`, for a classic worker, in a folder.
    pub fn make(&self, program: &str, features: &[&str], folder: &Path, tools: &Tools) -> Result<()> {
        let mut command = cargo(["build", "--release", "--locked", "--target", tools::WASM]);
        command
            .args(["--bin", program, "--features", &features.join(",")])
            .args(["--target-dir", self.target])
            .args(self.options)
            .envs(self.environment.iter().copied());
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
