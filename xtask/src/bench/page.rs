//! The published page as a visitor has it: `benches/browser.rs` against `dist/`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Options;
use crate::dist;
use crate::shell::{cargo, run_keeping, say};
use crate::tools::Browser;

/// The parts of `benches/browser.rs`, by the names that it has for them.
const PARTS: [&str; 3] = ["page/first-visit", "page/writing", "page/rating"];

/// Makes `dist/` and measures it: a list of figures, each with its name, median, least and most.
pub fn measure(options: &Options, browser: &Browser) -> Result<Value> {
    let parts: Vec<&str> = PARTS.into_iter().filter(|part| options.wants(part)).collect();
    if parts.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    dist::build()?;
    say("Measuring the page as a visitor has it");
    // The driver of the benchmark is the tests': built once for both. What is measured is the release build in dist/.
    let mut command = cargo([
        "bench",
        "--profile",
        "dev",
        "--no-default-features",
        "--locked",
        "--bench",
        "browser",
        "--",
    ]);
    command
        .args(parts)
        .env("FLEDGE_DIST", dist::folder())
        .env("FLEDGE_CHROMIUM", &browser.chromium)
        .env("FLEDGE_CHROMEDRIVER", &browser.chromedriver);
    let lines = run_keeping(&mut command, |line| line.starts_with('{'))?;
    let figures = lines.iter().map(|line| serde_json::from_str::<Value>(line));
    let figures = figures.collect::<Result<Vec<_>, _>>();
    Ok(Value::Array(figures.context("a figure that is no JSON")?))
}
