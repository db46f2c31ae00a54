//! Runs as tables and as lines.

use std::fmt::Write as _;

use fledge::settings::Objective;
use fledge::statistics::{mean, mean_interval};

use crate::options::Setting;
use crate::run::Outcome;

/// A table for each setting, a line for each rater: means over the seeds, the lift with its 95 % interval.
pub fn tables(settings: &[Setting], outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for setting in settings {
        let mut outcomes: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.setting == *setting).collect();
        outcomes.sort_by_key(|outcome| (outcome.rater, outcome.seed));
        text.extend(["\n", &name(setting), "\n\n"]);
        text += "| rater | seeds | untaught | taught | lift, % (95 %) | worst run | KL | entropy | distinct-2 | words | taken back | rater's ρ | best of 4 |\n";
        text += "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
        for runs in outcomes.chunk_by(|a, b| a.rater == b.rater) {
            text += &line(runs[0].rater, runs);
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
        average(|run| run.taught.kl),
        average(|run| run.taught.entropy / run.untaught.entropy),
        average(|run| run.taught.distinct_2 / run.untaught.distinct_2),
        average(|run| run.taught.words / run.untaught.words),
        average(|run| run.taken_back as f64),
        average(|run| run.rater_20.unwrap_or(f64::NAN)),
        100.0 * average(|run| run.best_of_4 / run.before - 1.0),
    )
}

fn name(setting: &Setting) -> String {
    let Setting {
        teaching,
        candidates,
        ratings,
        guard,
        self_taught,
    } = setting;
    let objective = match teaching.objective {
        Objective::Advantage => "advantage",
        Objective::RewardWeighted => "original",
    };
    format!(
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

/// Every run.
pub fn csv(outcomes: &[Outcome]) -> String {
    let mut text =
        "setting,rater,seed,before,after,kl,entropy,distinct_2,words,taken_back,rater_20,best_of_4\n".to_owned();
    for run in outcomes {
        // Writing to a string does not fail.
        let _written = writeln!(
            text,
            "\"{}\",{},{},{:.4},{:.4},{:.4},{:.4},{:.4},{:.4},{},{:.4},{:.4}",
            name(&run.setting),
            run.rater,
            run.seed,
            run.before,
            run.after,
            run.taught.kl,
            run.taught.entropy / run.untaught.entropy,
            run.taught.distinct_2 / run.untaught.distinct_2,
            run.taught.words / run.untaught.words,
            run.taken_back,
            run.rater_20.unwrap_or(f64::NAN),
            run.best_of_4,
        );
    }
    text
}
