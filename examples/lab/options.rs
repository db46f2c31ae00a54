//! What the lab's command line says.

use std::fmt;
use std::path::PathBuf;

use fledge::settings::{Objective, Teaching};

const HELP: &str = "\
cargo run --release --example lab -- [OPTION VALUE]...

  --raters A,B        only raters whose names contain one of these
  --seeds N           runs of each, 10
  --first-seed N      0
  --ratings N         rated texts of a run, 30
  --threads N         runs at a time, 2
  --csv FILE          every run as a line; those that it has already are not carried out again

Each of these may have several values, A,B,C: all combinations are measured.

  --objective         advantage, original
  --rate              learning rate
  --steps             optimiser steps a lesson
  --candidates        texts for each prompt, all rated
  --replay            earlier texts beside each new one
  --kl                KL weight
  --kl-target         KL target
  --guard             on, off: whether a lesson that breaks the guard rails is taken back
  --practice          texts after each lesson that the automatic rater judges and that are taught too, once it is honest
  --self              rounds of that after the ratings, 0
";

/// What is measured.
pub struct Options {
    raters: Vec<String>,
    /// Runs of each rater and setting.
    pub seeds: u64,
    /// The first of them.
    pub first_seed: u64,
    /// Runs at a time.
    pub threads: usize,
    /// Where every run goes.
    pub csv: Option<PathBuf>,
    ratings: usize,
    objectives: Vec<Objective>,
    rates: Vec<f64>,
    steps: Vec<usize>,
    candidates: Vec<usize>,
    replay: Vec<usize>,
    kl: Vec<f64>,
    kl_target: Vec<f64>,
    guard: Vec<bool>,
    practice: Vec<usize>,
    self_taught: Vec<usize>,
}

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// As in the page.
    pub teaching: Teaching,
    /// Texts for each prompt.
    pub candidates: usize,
    /// Rated texts in all.
    pub ratings: usize,
    /// Whether the guard rails hold.
    pub guard: bool,
    /// Rounds of the automatic rater after all of them.
    pub self_taught: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            teaching,
            candidates,
            ratings,
            guard,
            self_taught,
        } = self;
        let objective = match teaching.objective {
            Objective::Advantage => "advantage",
            Objective::RewardWeighted => "original",
        };
        write!(
            f,
            "{objective}, rate {:.1e}, {} steps, {ratings} ratings, {candidates} a prompt, replay {}, practice {}, KL {} → {}, guard {}{}",
            teaching.learning_rate,
            teaching.steps,
            teaching.replay,
            teaching.practice,
            teaching.kl_weight,
            teaching.kl_target,
            if *guard { "on" } else { "off" },
            if *self_taught > 0 {
                format!(", {self_taught} rounds by itself")
            } else {
                String::new()
            },
        )
    }
}

impl Options {
    /// Reads the command line; otherwise says how it goes.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let teaching = Teaching::default();
        let mut options = Self {
            raters: Vec::new(),
            seeds: 10,
            first_seed: 0,
            threads: 2,
            csv: None,
            ratings: 30,
            objectives: vec![teaching.objective],
            rates: vec![teaching.learning_rate],
            steps: vec![teaching.steps],
            candidates: vec![1],
            replay: vec![teaching.replay],
            kl: vec![teaching.kl_weight],
            kl_target: vec![teaching.kl_target],
            guard: vec![true],
            practice: vec![teaching.practice],
            self_taught: vec![0],
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(HELP)?;
            match name.as_str() {
                "--raters" => options.raters = list(&value, |word| Some(word.to_owned()))?,
                "--seeds" => options.seeds = one(&value)?,
                "--first-seed" => options.first_seed = one(&value)?,
                "--ratings" => options.ratings = one(&value)?,
                "--threads" => options.threads = one(&value)?,
                "--csv" => options.csv = Some(value.into()),
                "--objective" => options.objectives = list(&value, objective)?,
                "--rate" => options.rates = numbers(&value)?,
                "--steps" => options.steps = numbers(&value)?,
                "--candidates" => options.candidates = numbers(&value)?,
                "--replay" => options.replay = numbers(&value)?,
                "--kl" => options.kl = numbers(&value)?,
                "--kl-target" => options.kl_target = numbers(&value)?,
                "--guard" => options.guard = list(&value, |word| Some(word == "on"))?,
                "--practice" => options.practice = numbers(&value)?,
                "--self" => options.self_taught = numbers(&value)?,
                _ => return Err(HELP.into()),
            }
        }
        Ok(options)
    }

    /// Whether a rater is wanted.
    pub fn wants(&self, rater: &str) -> bool {
        self.raters.is_empty() || self.raters.iter().any(|part| rater.contains(part.as_str()))
    }

    /// All combinations.
    pub fn settings(&self) -> Vec<Setting> {
        let mut settings = vec![Setting {
            teaching: Teaching::default(),
            candidates: 1,
            ratings: self.ratings,
            guard: true,
            self_taught: 0,
        }];
        vary(&mut settings, &self.objectives, |setting, value| {
            setting.teaching.objective = value;
        });
        vary(&mut settings, &self.rates, |setting, value| {
            setting.teaching.learning_rate = value;
        });
        vary(&mut settings, &self.steps, |setting, value| {
            setting.teaching.steps = value;
        });
        vary(&mut settings, &self.candidates, |setting, value| {
            setting.candidates = value;
        });
        vary(&mut settings, &self.replay, |setting, value| {
            setting.teaching.replay = value;
        });
        vary(&mut settings, &self.kl, |setting, value| {
            setting.teaching.kl_weight = value;
        });
        vary(&mut settings, &self.kl_target, |setting, value| {
            setting.teaching.kl_target = value;
        });
        vary(&mut settings, &self.guard, |setting, value| {
            setting.guard = value;
        });
        vary(&mut settings, &self.practice, |setting, value| {
            setting.teaching.practice = value;
        });
        vary(&mut settings, &self.self_taught, |setting, value| {
            setting.self_taught = value;
        });
        settings
    }
}

/// Every setting with every value.
fn vary<T: Copy>(settings: &mut Vec<Setting>, values: &[T], set: impl Fn(&mut Setting, T)) {
    let varied = settings.iter().flat_map(|setting| {
        values.iter().map(|value| {
            let mut setting = *setting;
            set(&mut setting, *value);
            setting
        })
    });
    *settings = varied.collect();
}

fn objective(word: &str) -> Option<Objective> {
    match word {
        "advantage" => Some(Objective::Advantage),
        "original" => Some(Objective::RewardWeighted),
        _ => None,
    }
}

fn one<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().ok().ok_or_else(|| HELP.to_owned())
}

fn numbers<T: std::str::FromStr>(value: &str) -> Result<Vec<T>, String> {
    list(value, |word| word.parse().ok())
}

fn list<T>(value: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    value
        .split(',')
        .map(|word| read(word).ok_or_else(|| HELP.to_owned()))
        .collect()
}
