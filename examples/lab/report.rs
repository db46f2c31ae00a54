//! Runs as tables for people, and as a record on disk, from which a lab that was cut short goes on.

use std::path::Path;

use fledge::statistics::{mean, mean_interval};

use crate::options::Setting;
use crate::run::Outcome;

/// A table for each setting, a line for each rater: means over the seeds, the lift with its 95 % interval.
pub fn tables(settings: &[Setting], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for setting in settings {
        let setting = setting.to_string();
        let mut outcomes: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.setting == setting).collect();
        outcomes.sort_by_key(|outcome| (&outcome.rater, outcome.seed));
        text.extend(["\n", &setting, "\n\n"]);
        text += "| rater | seeds | untaught | taught | lift, % (95 %) | worst run | KL | entropy | distinct-2 | words | taken back | rater's ρ | best of 4 |\n";
        text += "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
        for runs in outcomes.chunk_by(|a, b| a.rater == b.rater) {
            text += &line(&runs[0].rater, runs);
        }
        text += &line("all", &outcomes);
    }
    text
}

fn line(name: &str, runs: &[&Outcome]) -> String {
    let of = |figure: fn(&Outcome) -> f64| -> Vec<f64> {
        let figures = runs.iter().map(|run| figure(run));
        figures.filter(|figure| figure.is_finite()).collect()
    };
    let average = |figure| mean(&of(figure));
    let lifts = of(Outcome::lift);
    let lift = mean_interval(&lifts, 1).map_or_else(String::new, |lift| {
        format!(
            "{:+.0} ({:+.0} to {:+.0})",
            100.0 * lift.value,
            100.0 * lift.low,
            100.0 * lift.high
        )
    });
    format!(
        "| {name} | {} | {:.3} | {:.3} | {lift} | {:+.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} | {:+.0} % |\n",
        runs.len(),
        average(|run| run.before),
        average(|run| run.after),
        100.0 * lifts.iter().copied().fold(f64::INFINITY, f64::min),
        average(|run| run.kl),
        average(|run| run.entropy),
        average(|run| run.distinct_2),
        average(|run| run.words),
        average(|run| run.taken_back as f64),
        average(|run| run.rater_20.unwrap_or(f64::NAN)),
        100.0 * average(|run| run.lift_of_best().unwrap_or(f64::NAN)),
    )
}

/// The runs that a record holds; none if there is no such file.
pub fn read(record: &Path) -> csv::Result<Vec<Outcome>> {
    if !record.exists() {
        return Ok(Vec::new());
    }
    csv::Reader::from_path(record)?.deserialize().collect()
}

/// Writes all runs.
pub fn write(record: &Path, outcomes: &[Outcome]) -> csv::Result<()> {
    let mut writer = csv::Writer::from_path(record)?;
    for outcome in outcomes {
        writer.serialize(outcome)?;
    }
    Ok(writer.flush()?)
}
