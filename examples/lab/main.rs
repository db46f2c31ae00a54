//! The lab: does teaching work, for whom, and with which settings? Simulated raters with hidden preferences teach the embedded
//! model on some prompts; their reward is measured on others, before and after, with the same seeds.
//!
//! ```text
//! cargo run --release --example lab                     every rater with the defaults, ten seeds
//! cargo run --release --example lab -- --help           what can be varied
//! ```
//!
//! A simulated rater is a rule (`raters.rs`), not a person: what it likes more after teaching, a person may not.

#![expect(
    clippy::disallowed_methods,
    reason = "it is a program of its own, natively: threads and the clock are there to be used"
)]

mod options;
mod raters;
mod report;
mod run;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fledge::engine::weights::WeightFile;
use fledge::engine::{Model, ModelFiles};
use fledge::settings::Precision;

use options::{Options, Setting};
use raters::{RATERS, Rater};
use run::{Run, Untaught};

fn main() {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => measure(&options),
        Err(words) => println!("{words}"),
    }
}

/// Carries out all runs, on as many threads as are wanted, and prints what came of them.
fn measure(options: &Options) {
    let (model, untaught) = (embedded(), Untaught::default());
    let settings = options.settings();
    let known = options.csv.as_deref().map_or_else(Vec::new, |file| {
        report::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });
    let mut runs: Vec<(&Setting, &Rater, u64)> = Vec::new();
    // Seed by seed, so that a run that is cut short has something of everything.
    for seed in 0..options.seeds {
        for setting in &settings {
            let raters = RATERS.iter().filter(|rater| options.wants(rater.name));
            runs.extend(raters.map(|rater| (setting, rater, options.first_seed + seed)));
        }
    }
    runs.retain(|(setting, rater, seed)| {
        let setting = setting.to_string();
        !known
            .iter()
            .any(|run| (&run.setting, run.rater.as_str(), run.seed) == (&setting, rater.name, *seed))
    });
    let (next, done) = (AtomicUsize::new(0), Mutex::new(known));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while let Some((setting, rater, seed)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = Run::new(&model, &untaught, setting, rater, *seed).outcome();
                    let mut done = done.lock().expect("no thread panics");
                    eprintln!("{:.0} s  {outcome}", begun.elapsed().as_secs_f64());
                    done.push(outcome);
                    if let Some(file) = &options.csv {
                        report::write(file, &done).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                    }
                }
            });
        }
    });
    let outcomes = done.into_inner().expect("no thread panics");
    println!("{}", report::tables(&settings, &outcomes));
    for rater in RATERS.iter().filter(|rater| options.wants(rater.name)) {
        println!("- {}: {}", rater.name, rater.about);
    }
}

/// The model that the page opens with.
fn embedded() -> Model {
    let file = |name: &str| {
        let path = format!("{}/public/model/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let files = ModelFiles {
        config: file("config.json"),
        tokenizer: file("tokenizer.json"),
        weights: vec![WeightFile::from_bytes("model.safetensors", file("model.safetensors"))],
        card: Some(file("fledge.json")),
        name: None,
    };
    Model::load(files, Precision::default()).expect("the embedded model loads")
}
