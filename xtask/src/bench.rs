//! `cargo xtask bench`: what a visitor waits for, measured in a real browser. Nothing fails when it is slow.

use anyhow::Result;

use crate::dist;
use crate::shell::{cargo, run};
use crate::tools;

/// Makes `dist/` and measures it.
pub fn measure() -> Result<()> {
    dist::build()?;
    let browser = tools::browser()?;
    // The driver of the benchmark is the tests': built once for both. What is measured is the release build in dist/.
    let mut command = cargo([
        "bench",
        "--profile",
        "dev",
        "--no-default-features",
        "--locked",
        "--bench",
        "browser",
    ]);
    command
        .env("FLEDGE_DIST", dist::folder())
        .env("FLEDGE_CHROMIUM", browser.chromium)
        .env("FLEDGE_CHROMEDRIVER", browser.chromedriver);
    run(&mut command)
}
