//! `cargo xtask test`: everything that must hold, in [`STAGES`]' order: what fails fastest first.
//!
//! candle takes minutes to compile, so each of its builds is made once: metadata for the lints (native and wasm), code
//! for the native tests (the browser tests are linked from it), and the release build of `dist/`.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::shell::{cargo, run_keeping, say};
use crate::{budget, dist, tools};

/// One stage: its name, why it is there, and what it does; it returns the lines worth reading again at the end.
struct Stage {
    name: &'static str,
    why: &'static str,
    run: fn() -> Result<Vec<String>>,
}

const STAGES: [Stage; 7] = [
    Stage {
        name: "format",
        why: "one style, no discussion",
        run: format,
    },
    Stage {
        name: "lints, native",
        why: "the plain towers, the tests and these commands",
        run: lints_native,
    },
    Stage {
        name: "lints, wasm",
        why: "the programs that run in a browser",
        run: lints_wasm,
    },
    Stage {
        name: "native tests",
        why: "all that can be tested without a browser",
        run: native_tests,
    },
    Stage {
        name: "build",
        why: "the folder that is published, and all of it in one file",
        run: build,
    },
    Stage {
        name: "sizes",
        why: "a visitor pays for every byte",
        run: sizes,
    },
    Stage {
        name: "browser tests",
        why: "the promises, kept in Chromium against that folder",
        run: browser_tests,
    },
];

/// Runs the stages up to the first that fails, and sums up.
pub fn run() -> Result<()> {
    let mut report: Vec<(&str, &str, Duration)> = Vec::new();
    let mut closing = Vec::new();
    let mut failure = None;
    for stage in &STAGES {
        say(&format!("{}: {}", stage.name, stage.why));
        let begun = Instant::now();
        let outcome = (stage.run)();
        report.push((
            stage.name,
            if outcome.is_ok() { "ok" } else { "FAILED" },
            begun.elapsed(),
        ));
        match outcome {
            Ok(lines) => closing.extend(lines.into_iter().map(|line| format!("{}: {line}", stage.name))),
            Err(error) => {
                failure = Some((stage.name, error));
                break;
            }
        }
    }

    println!();
    for line in &closing {
        println!("{line}");
    }
    println!();
    for (name, outcome, time) in &report {
        println!("{name:<16}{outcome:<8}{:>7.1} s", time.as_secs_f64());
    }
    for stage in &STAGES[report.len()..] {
        println!("{:<16}not run", stage.name);
    }
    match failure {
        None => {
            println!("Everything holds.");
            Ok(())
        }
        Some((name, error)) => bail!("the stage `{name}` failed: {error:#}"),
    }
}

fn format() -> Result<Vec<String>> {
    tools::components()?;
    run_keeping(&mut cargo(["fmt", "--all", "--check"]), nothing)
}

fn lints_native() -> Result<Vec<String>> {
    let arguments = [
        "clippy",
        "--workspace",
        "--no-default-features",
        "--all-targets",
        "--locked",
        "--",
        "-Dwarnings",
    ];
    run_keeping(&mut cargo(arguments), nothing)
}

fn lints_wasm() -> Result<Vec<String>> {
    tools::wasm_target()?;
    let arguments = [
        "clippy",
        "--target",
        tools::WASM,
        "--lib",
        "--bins",
        // The benchmark's program too.
        "--features",
        "bench",
        "--locked",
        "--",
        "-Dwarnings",
    ];
    run_keeping(&mut cargo(arguments), nothing)
}

fn native_tests() -> Result<Vec<String>> {
    run_keeping(
        &mut cargo(["test", "--workspace", "--no-default-features", "--locked"]),
        result_with_tests,
    )
}

fn build() -> Result<Vec<String>> {
    dist::build().map(|()| Vec::new())
}

fn sizes() -> Result<Vec<String>> {
    budget::check(&dist::folder()).map(|()| Vec::new())
}

fn browser_tests() -> Result<Vec<String>> {
    let browser = tools::browser()?;
    let mut command = cargo([
        "test",
        "--workspace",
        "--no-default-features",
        "--locked",
        "--test",
        "browser",
        "--",
    ]);
    command
        .args(["--ignored", "--test-threads=2"])
        .env("RUST_BACKTRACE", "0")
        .env("FLEDGE_DIST", dist::folder())
        .env("FLEDGE_CHROMIUM", browser.chromium)
        .env("FLEDGE_CHROMEDRIVER", browser.chromedriver);
    match tools::axe() {
        Some(script) => {
            command.env("FLEDGE_AXE", script);
        }
        None => say("npm is missing or could not fetch axe-core: the search for accessibility faults is SKIPPED"),
    }
    run_keeping(&mut command, result_with_tests)
}

/// The closing line of a test runner that had something to run.
fn result_with_tests(line: &str) -> bool {
    line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed;")
}

fn nothing(_: &str) -> bool {
    false
}
