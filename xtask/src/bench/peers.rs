//! The engine beside others, and visits to the page: fetches packages, makes the models, and lets `benches/peers/run.mjs`
//! measure all of them in turns. What can't be had is skipped, loudly; the others are measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Options, program};
use crate::dist;
use crate::shell::{root, run, say, which};
use crate::tools::Browser;

/// How the names of the visits to the page begin.
const VISITS: &str = "first-seconds/";

/// A Python environment in the peers' folder.
struct Environment {
    folder: &'static str,
    requirements: &'static str,
    /// Versions of Python for which its packages exist, the best first.
    pythons: &'static [&'static str],
}

const MAIN: Environment = Environment {
    folder: "venv",
    requirements: "requirements.txt",
    pythons: &["python3.11", "python3"],
};
const TRAINING: Environment = Environment {
    folder: "venv-training",
    requirements: "requirements-training.txt",
    pythons: &["python3.11", "python3.10", "python3.9", "python3"],
};

/// A step in which a script makes files, unless they are there.
struct Step {
    what: &'static str,
    environment: &'static Environment,
    script: [&'static str; 2],
    makes: &'static [&'static str],
}

const STEPS: [Step; 7] = [
    Step {
        what: "a tokenizer and prompts",
        environment: &MAIN,
        script: ["make_model.py", "tokenizer"],
        makes: &["gpt2-random/prompts.json"],
    },
    Step {
        what: "a random GPT-2 124M",
        environment: &MAIN,
        script: ["make_model.py", "hf"],
        makes: &["gpt2-random/model.safetensors"],
    },
    Step {
        what: "a random GPT-2 355M",
        environment: &MAIN,
        script: ["make_model.py", "medium"],
        makes: &["gpt2-medium-random/tokenizer.json"],
    },
    Step {
        what: "the model for onnxruntime",
        environment: &MAIN,
        script: ["make_model.py", "onnx"],
        makes: &["gpt2-random/onnx/model_untied_quantized.onnx"],
    },
    Step {
        what: "the model for llama.cpp",
        environment: &MAIN,
        script: ["make_model.py", "gguf"],
        makes: &["gpt2-random/gguf/gpt2-q8_0.gguf"],
    },
    Step {
        what: "the model for onnxruntime's training, its forward pass",
        environment: &MAIN,
        script: ["make_training.py", "export"],
        // The next step turns what this one makes into what counts.
        makes: &["ort-training-1/checkpoint", "ort-training-4/checkpoint"],
    },
    Step {
        what: "the model for onnxruntime's training, its backward pass",
        environment: &TRAINING,
        script: ["make_training.py", "artifacts"],
        makes: &["ort-training-1/checkpoint", "ort-training-4/checkpoint"],
    },
];

/// Measures what is wanted of `benches/peers/cases.mjs`; `None` if that is nothing, or if there is no Node.
pub fn measure(options: &Options, browser: &Browser) -> Result<Option<Value>> {
    let (Some(node), Some(npm)) = (which("node"), which("npm")) else {
        say("SKIPPED, the engine beside others and the first seconds: they need Node and npm");
        return Ok(None);
    };
    let cases = list(&node, options)?;
    if cases.is_empty() {
        return Ok(None);
    }
    packages(&npm)?;
    let (visits, engines): (Vec<&str>, Vec<&str>) = cases
        .iter()
        .map(String::as_str)
        .partition(|case| case.starts_with(VISITS));
    if !visits.is_empty() {
        dist::build()?;
    }
    if !engines.is_empty() {
        models();
    }
    if engines.iter().any(|case| case.starts_with("fledge/")) {
        program::build()?;
    }

    say("Measuring in turns: this takes a while");
    let file = root().join("target/bench/cases.json");
    std::fs::create_dir_all(root().join("target/bench"))?;
    run(driver(&node, options)
        .arg("--out")
        .arg(&file)
        .env("CHROMIUM", &browser.chromium))?;
    let figures = std::fs::read(&file).with_context(|| format!("{} can't be read", file.display()))?;
    Ok(Some(serde_json::from_slice(&figures)?))
}

/// The names of the cases that are wanted.
fn list(node: &Path, options: &Options) -> Result<Vec<String>> {
    let output = driver(node, options)
        .arg("--list")
        .stderr(Stdio::inherit())
        .output()
        .context("node could not be started")?;
    ensure!(output.status.success(), "benches/peers/run.mjs can't list its cases");
    let names = String::from_utf8(output.stdout)?;
    Ok(names.split_whitespace().map(str::to_owned).collect())
}

fn driver(node: &Path, options: &Options) -> Command {
    let mut command = Command::new(node);
    command.arg(source().join("run.mjs")).env("PEERS_DIR", folder());
    for part in &options.only {
        command.arg("--only").arg(part);
    }
    if options.resume {
        command.arg("--resume");
    }
    command
}

/// The peers' packages at the versions of `benches/peers/package.json`.
fn packages(npm: &Path) -> Result<()> {
    let installed = folder().join("js");
    let wanted = std::fs::read(source().join("package.json"))?;
    let done = installed.join("node_modules/installed.json");
    if std::fs::read(&done).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    say("Fetching the other engines with npm");
    std::fs::create_dir_all(&installed)?;
    std::fs::write(installed.join("package.json"), &wanted)?;
    run(Command::new(npm)
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&installed))?;
    Ok(std::fs::write(done, wanted)?)
}

/// Makes what is not there yet.
fn models() {
    for step in &STEPS {
        let made = |file: &&str| folder().join(file).is_file();
        if !step.makes.iter().all(made) {
            say(&format!("Making {}", step.what));
            if let Err(error) = make(step) {
                say(&format!("SKIPPED, {}: {error:#}", step.what));
            }
        }
    }
}

fn make(step: &Step) -> Result<()> {
    let python = python(step.environment)?;
    run(Command::new(python)
        .arg(source().join(step.script[0]))
        .arg(step.script[1])
        .env("PEERS_DIR", folder()))
}

/// The interpreter of an environment, which is made if it is not there or wants other packages.
fn python(environment: &Environment) -> Result<PathBuf> {
    let folder = folder().join(environment.folder);
    let python = folder.join("bin/python");
    let wanted = std::fs::read(source().join(environment.requirements))?;
    let done = folder.join(environment.requirements);
    if std::fs::read(&done).is_ok_and(|there| there == wanted) {
        return Ok(python);
    }
    let system = environment.pythons.iter().find_map(|name| which(name));
    let system = system.with_context(|| format!("none of {} is there", environment.pythons.join(", ")))?;
    run(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--requirement"])
        .arg(source().join(environment.requirements)))?;
    std::fs::write(done, wanted)?;
    Ok(python)
}

/// Where this part of the benchmark is written down.
fn source() -> PathBuf {
    root().join("benches/peers")
}

/// Where packages and models are kept: 12 GB that can be deleted at any time. `PEERS_DIR` names another place.
fn folder() -> PathBuf {
    std::env::var_os("PEERS_DIR").map_or_else(|| root().join("target/peers"), PathBuf::from)
}
