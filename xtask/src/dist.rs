//! `cargo xtask build`: the page as a folder of static files.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::builds;
use crate::bundle;
use crate::offline;
use crate::shell::{cargo, root, run, say};
use crate::tools;

/// Where the page is put.
#[must_use]
pub fn folder() -> PathBuf {
    root().join("dist")
}

/// Makes `dist/`: the page, its worker in two builds, `public/` with a service worker that lists all of it, by relative addresses,
/// and a copy of everything in one file.
pub fn build() -> Result<()> {
    ensure!(
        std::env::var_os("RUSTFLAGS").is_none(),
        "RUSTFLAGS is set: it would replace the flags of .cargo/config.toml (simd128, the source of randomness). Unset it"
    );
    let tools = tools::install()?;

    say("Fetching the crates that Cargo.lock names, so that the build itself needs no network");
    run(&mut cargo(["fetch", "--quiet", "--locked", "--target", tools::WASM]))?;

    say("Building dist/ with trunk: the page, its worker, and public/ beside them");
    let mut trunk = Command::new(&tools.trunk);
    trunk
        .args(["build", "--release"])
        .env("PATH", tools.path()?)
        // trunk reads NO_COLOR as a flag and refuses the value 1.
        .env_remove("NO_COLOR")
        // The compiler's errors say what is wrong; where trunk noticed does not matter.
        .env("RUST_BACKTRACE", "0")
        .current_dir(root());
    run(&mut trunk).context("dist/ was not built")?;

    say("Building the worker once more, for browsers with relaxed SIMD");
    builds::FAST.make("worker", &["web"], &folder().join("fast"), &tools)?;

    bundle::make(&folder())?;

    // Last: it lists what the others have made.
    offline::complete(&folder())
}
