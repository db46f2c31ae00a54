//! `cargo xtask …`: see [`HELP`].

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use xtask::serve::{Headers, Options, Server};
use xtask::{bench, budget, bundle, dist, export, test, tools};

const HELP: &str = "\
Fledge's developer commands

  cargo xtask build                     make dist/, a folder that any static server can serve
  cargo xtask bundle                    the same, and say where the copy in one file lies, which opens by a double click
  cargo xtask serve [--port N] [--dist] [--under PATH]
                                        make dist/ and serve it on this machine, with the strictest headers it works under
                                          --port N  start looking for a free port at N (8080)
                                          --dist    serve the dist/ that is there, as a plain static host, without headers
                                          --under PATH  serve it under /PATH/ instead of /
  cargo xtask test                      everything that must hold: format, lints, native tests, dist/, sizes, browser tests
  cargo xtask bench [--only PART] [--json FILE] [--write] [--resume]
                                        measure in Chromium what a visitor waits for, and the engine beside others
                                          --only PART  what has PART in its name: page/, fledge/, wllama/, context … (repeatable)
                                          --json FILE  every figure, and the ratio to the best of the others
                                          --write      keep the tables in benches/RESULTS.md
                                          --resume     go on where a run was interrupted
  cargo xtask export-model DIR          write the embedded model as a Hugging Face folder in f32, and base.gguf for llama.cpp
  cargo xtask budget                    the sizes of dist/ against their limits
  cargo xtask tools                     install trunk and wasm-bindgen into target/tools, where they are missing

cargo and rustup are needed; the rest is installed when it is first asked for. `cargo xtask test` also wants Chromium.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (command, rest) = match arguments {
        [] => ("help", &[][..]),
        [command, rest @ ..] => (command.as_str(), rest),
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    if !["serve", "bench", "export-model"].contains(&command)
        && let Some(unknown) = rest.first()
    {
        bail!("`{command}` takes no `{unknown}`; see `cargo xtask help`");
    }
    match command {
        "build" => dist::build(),
        "bundle" => {
            dist::build()?;
            println!("{}", dist::folder().join(bundle::NAME).display());
            Ok(())
        }
        "serve" => serve(rest),
        "test" => test::run(),
        "bench" => bench::measure(&bench::Options::parse(rest)?),
        "export-model" => export_model(rest),
        "budget" => budget::check(&dist::folder()),
        "tools" => tools::install().map(drop),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => bail!("there is no command `{unknown}`; see `cargo xtask help`"),
    }
}

fn export_model(arguments: &[String]) -> Result<()> {
    let [folder] = arguments else {
        bail!("`export-model` wants one folder to write to; see `cargo xtask help`");
    };
    export::write(&export::embedded(), Path::new(folder))
}

fn serve(arguments: &[String]) -> Result<()> {
    let mut port = 8080;
    let mut headers = Headers::Strict;
    let mut base = "/".to_owned();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--port" => {
                let value = arguments.next().context("--port wants a number")?;
                port = value.parse().with_context(|| format!("`{value}` is no port"))?;
            }
            "--dist" => headers = Headers::Plain,
            "--under" => {
                let path = arguments.next().context("--under wants a path")?;
                let path = path.trim_matches('/');
                base = if path.is_empty() {
                    "/".into()
                } else {
                    format!("/{path}/")
                };
            }
            unknown => bail!("`serve` takes no `{unknown}`; see `cargo xtask help`"),
        }
    }
    if headers == Headers::Strict {
        dist::build()?;
    }
    let options = Options { port, headers, base };
    let server = Server::start(&dist::folder(), options)?;
    println!("Fledge is at {}  (Ctrl-C ends it)", server.url());
    server.wait();
    Ok(())
}
