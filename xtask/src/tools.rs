//! The programs that the commands need besides cargo: found where they are, installed where they are missing.
//!
//! Two come from crates.io at fixed versions and land in `target/tools`; a copy on the PATH is taken instead if it is of
//! exactly that version. Both are built without optimisation that nobody would notice: trunk only copies files here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell::{answer, cargo, root, run, say, which};

/// The target that browsers run.
pub const WASM: &str = "wasm32-unknown-unknown";

/// The newest trunk of the line that index.html is written for.
const TRUNK: &str = "0.21.14";

/// axe-core, as npm names it.
const AXE: &str = "4.14.1";

/// The installed tools.
pub struct Tools {
    /// trunk's program.
    pub trunk: PathBuf,
    /// wasm-bindgen's program.
    pub wasm_bindgen: PathBuf,
}

impl Tools {
    /// A PATH on which trunk finds this wasm-bindgen first, so that it downloads none.
    pub fn path(&self) -> Result<OsString> {
        let own = self.wasm_bindgen.parent().map(Path::to_owned);
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(own.into_iter().chain(std::env::split_paths(&inherited)))
            .context("the PATH has a folder with a separator in its name")
    }
}

/// Finds or installs everything that building needs.
pub fn install() -> Result<Tools> {
    wasm_target()?;
    rust_src()?;
    Ok(Tools {
        // trunk's optional features (a check for updates, TLS) serve its downloads; none are wanted.
        trunk: from_crates_io("trunk", "trunk", TRUNK, &["--locked", "--no-default-features"])?,
        // Its own lock file may name crates that a lagging mirror does not have yet, hence no --locked.
        wasm_bindgen: from_crates_io(
            "wasm-bindgen-cli",
            "wasm-bindgen",
            &wasm_bindgen_version()?,
            &["--no-default-features"],
        )?,
    })
}

/// The browser and its driver.
pub struct Browser {
    /// Chromium.
    pub chromium: PathBuf,
    /// Its `WebDriver`.
    pub chromedriver: PathBuf,
}

/// Finds Chromium and its driver, or installs them with apt where that is allowed.
pub fn browser() -> Result<Browser> {
    if let Some(browser) = find_browser() {
        return Ok(browser);
    }
    let hint = "the browser tests need Chromium and chromedriver of one version; on Debian: apt-get install chromium chromium-driver";
    let Some(apt) = which("apt-get") else { bail!("{hint}") };
    let sudo = which("sudo").filter(|sudo| {
        Command::new(sudo)
            .args(["-n", "true"])
            .output()
            .is_ok_and(|o| o.status.success())
    });
    let is_root = answer(Path::new("id"), "-u").is_some_and(|id| id == "0");
    say("Installing Chromium and chromedriver with apt: the browser tests need them");
    if !is_root && sudo.is_none() {
        bail!("{hint}");
    }
    for arguments in [
        &["update"][..],
        &[
            "install",
            "-y",
            "--no-install-recommends",
            "chromium",
            "chromium-driver",
        ],
    ] {
        let mut command = match (&sudo, is_root) {
            (Some(sudo), false) => {
                let mut command = Command::new(sudo);
                command.arg("-n").arg(&apt);
                command
            }
            (Some(_) | None, _) => Command::new(&apt),
        };
        run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive")).context(hint)?;
    }
    find_browser().context(hint)
}

/// axe-core's script in `target/tools`, fetched with npm; `None` where npm is missing or cannot fetch it.
#[must_use]
pub fn axe() -> Option<PathBuf> {
    let folder = folder().join(format!("axe-core-{AXE}"));
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.is_file() {
        let npm = which("npm")?;
        say("Fetching axe-core with npm: a browser test asks it for accessibility faults");
        std::fs::create_dir_all(&folder).ok()?;
        let mut command = Command::new(npm);
        command
            .args([
                "install",
                "--no-save",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&folder)
            .arg(format!("axe-core@{AXE}"));
        run(&mut command).ok()?;
    }
    script.is_file().then_some(script)
}

fn find_browser() -> Option<Browser> {
    let chromium = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(which)?;
    let chromedriver = which("chromedriver")?;
    Some(Browser { chromium, chromedriver })
}

fn folder() -> PathBuf {
    root().join("target/tools")
}

/// What the lints need and a minimal Rust lacks.
pub fn components() -> Result<()> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let there = Command::new("cargo").args([command, "--version"]).output();
        if there.is_ok_and(|output| output.status.success()) {
            continue;
        }
        say(&format!("Adding {component}: the lints need it"));
        run(Command::new("rustup")
            .args(["component", "add", component])
            .current_dir(root()))
        .with_context(|| format!("{component} is missing, and rustup did not add it"))?;
    }
    Ok(())
}

/// Rust's standard library for browsers.
pub fn wasm_target() -> Result<()> {
    let library = Path::new("lib/rustlib").join(WASM).join("lib");
    if sysroot()?.join(library).is_dir() {
        return Ok(());
    }
    say("Adding the wasm32 target: browsers run nothing else");
    run(Command::new("rustup").args(["target", "add", WASM]).current_dir(root()))
        .with_context(|| format!("Rust's standard library for {WASM} is missing, and rustup did not add it"))
}

/// The standard library's source, for the build with threads.
pub fn rust_src() -> Result<()> {
    if sysroot()?.join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
        return Ok(());
    }
    say("Adding rust-src: the build with threads compiles the standard library along");
    run(Command::new("rustup")
        .args(["component", "add", "rust-src"])
        .current_dir(root()))
    .context("rust-src is missing, and rustup did not add it")
}

/// Where the compiler keeps its libraries.
fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc)
        .args(["--print", "sysroot"])
        .current_dir(root())
        .output()
        .context("rustc could not be started")?;
    Ok(String::from_utf8_lossy(&sysroot.stdout).trim().into())
}

/// The version in Cargo.lock: generated code and command line must agree to the digit.
fn wasm_bindgen_version() -> Result<String> {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock can't be read")?;
    locked_version(&lock, "wasm-bindgen").context("Cargo.lock names no wasm-bindgen")
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

fn from_crates_io(package: &str, program: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let own = folder()
        .join("bin")
        .join(program)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let wanted = |path: &PathBuf| answer(path, "--version").is_some_and(|text| says_version(&text, version));
    if let Some(found) = [Some(own.clone()), which(program)].into_iter().flatten().find(wanted) {
        return Ok(found);
    }
    say(&format!(
        "Installing {package} {version} into target/tools: once, some minutes"
    ));
    let mut command = cargo(["install", "--quiet", "--force", "--debug"]);
    command
        .args([package, "--version", &format!("={version}"), "--bin", program])
        .args(options)
        .arg("--root")
        .arg(folder())
        .arg("--target-dir")
        .arg(folder().join("build"))
        // A light optimisation for wasm-bindgen, which works through megabytes; no debug information for either.
        .env(
            "CARGO_PROFILE_DEV_OPT_LEVEL",
            if program == "trunk" { "0" } else { "1" },
        )
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    run(&mut command)?;
    // A gigabyte that nobody needs once the program is there.
    std::fs::remove_dir_all(folder().join("build"))?;
    Ok(own)
}

/// Whether the answer to `--version` ("trunk 0.21.14", "wasm-bindgen 0.2.130 (1a2b3c)") names this version.
fn says_version(answer: &str, version: &str) -> bool {
    answer.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_in_force_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"9\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "bindgen"), None);
    }

    #[test]
    fn only_the_exact_version_will_do() {
        assert!(says_version("wasm-bindgen 0.2.130 (f00)", "0.2.130"));
        assert!(!says_version("wasm-bindgen 0.2.13", "0.2.130"));
        assert!(!says_version("wasm-bindgen", "0.2.130"));
    }
}
