//! `cargo xtask bench`: what a visitor waits for, and how fast the engine is beside others, measured in Chromium in one run.
//! Nothing fails when it is slow.
//!
//! | file | for |
//! |---|---|
//! | `page` | the published page: first visit, writing, rating (`benches/browser.rs`) |
//! | `program` | the engine alone, as `benches/peers` measures it: one program a build |
//! | `peers` | the other engines, the models, and the run in which all of them and visits to the page take turns |
//! | `report` | the figures as tables |

mod page;
mod peers;
mod program;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

use crate::shell::root;
use crate::tools;

/// What the command line asks for.
#[derive(Default)]
pub struct Options {
    /// Only measurements whose names contain one of these; all, if there are none.
    only: Vec<String>,
    /// Every figure goes into this file.
    json: Option<PathBuf>,
    /// The tables go into benches/RESULTS.md.
    write: bool,
    /// Rounds that an interrupted run has measured are not measured again.
    resume: bool,
}

impl Options {
    /// Reads what follows `cargo xtask bench`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--only" => options.only.push(value()?.clone()),
                "--json" => options.json = Some(value()?.into()),
                "--write" => options.write = true,
                "--resume" => options.resume = true,
                unknown => bail!("`bench` takes no `{unknown}`; see `cargo xtask help`"),
            }
        }
        ensure!(
            !options.write || options.only.is_empty(),
            "--write keeps the results of a whole run: leave --only out"
        );
        Ok(options)
    }

    /// Whether this measurement is wanted.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }
}

/// Measures, prints the tables, and keeps them where that is asked for.
pub fn measure(options: &Options) -> Result<()> {
    let browser = tools::browser()?;
    let mut results = peers::measure(options, &browser)?.unwrap_or_else(|| json!({ "cases": Map::new() }));
    results["page"] = page::measure(options, &browser)?;
    results["ratio_to_best_peer"] = report::ratios(&results);

    let tables = report::markdown(&results);
    println!("\n{tables}");
    if let Some(file) = &options.json {
        save(file, &format!("{results:#}\n"))?;
    }
    if options.write {
        ensure!(
            results["date"] != Value::Null,
            "the engines were not measured: these are not the results"
        );
        save(&root().join("benches/RESULTS.md"), &tables)?;
    }
    Ok(())
}

fn save(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &str) -> Result<Options> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn several_parts_of_names_can_be_asked_for() {
        let some = options("--only page/ --only wllama").expect("options");
        assert!(some.wants("page/writing") && some.wants("wllama/q8_0/write/1t"));
        assert!(!some.wants("fledge/fast/write/1t"));
        assert!(options("").expect("options").wants("anything"));
    }

    #[test]
    fn part_of_a_run_is_not_kept_as_the_results() {
        assert!(options("--write --resume").is_ok());
        assert!(options("--write --only page/").is_err());
        assert!(options("--json").is_err());
        assert!(options("--quick").is_err());
    }
}
