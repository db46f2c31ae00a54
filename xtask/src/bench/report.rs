//! The figures of a run as tables, and as ratios to the best of the others.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Our engine, as the cases name it.
const OURS: &str = "fledge";
/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// Whether more or less of it is better.
#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

/// What our engine is compared in: its name in `ratio_to_best_peer`, the task, the figure.
const COMPARED: [(&str, &str, &str, Better); 2] = [
    ("decode", "write", "decode_tps", Better::More),
    ("lora_step", "learn", "step_ms", Better::Less),
];

/// Our best against the best of the others, for each number of threads; above 1 we are faster. `null` where one is missing.
pub fn ratios(results: &Value) -> Value {
    let mut ratios = Map::new();
    for (name, task, figure, better) in COMPARED {
        for threads in [1, 2] {
            let ours = best(results, task, figure, threads, better, true);
            let theirs = best(results, task, figure, threads, better, false);
            let ratio = ours.zip(theirs).map(|((_, ours), (_, theirs))| match better {
                Better::More => ours / theirs,
                Better::Less => theirs / ours,
            });
            ratios.insert(format!("{name}_{threads}t"), json!(ratio));
        }
    }
    Value::Object(ratios)
}

/// The best case of ours, or of the others: its engine and variant, and the figure.
fn best(results: &Value, task: &str, figure: &str, threads: u64, better: Better, ours: bool) -> Option<(String, f64)> {
    cases(results)
        .filter(|case| case["task"] == task && case["threads"] == threads && (case["engine"] == OURS) == ours)
        // What runs outside the browser stands in the table, but is no peer.
        .filter(|case| case["native"] != true)
        .filter_map(|case| Some((name(case), case[figure].as_f64()?)))
        .max_by(|(_, a), (_, b)| match better {
            Better::More => a.total_cmp(b),
            Better::Less => b.total_cmp(a),
        })
}

/// Everything as Markdown.
pub fn markdown(results: &Value) -> String {
    let mut parts =
        vec!["# Measured\n\nBy `cargo xtask bench --write`; `benches/peers/README.md` says how.\n".to_owned()];
    if let (Some(date), Some(machine)) = (results["date"].as_str(), results["machine"].as_str()) {
        let browser = results["browser"].as_str().unwrap_or(NOTHING);
        parts.push(format!("{date}. {machine}. {browser}.\n"));
    }
    parts.extend(engines(results));
    parts.extend(comparison(results));
    parts.extend(curves(results));
    parts.extend(sizes(results));
    parts.extend(first_seconds(results));
    parts.extend(page(results));
    parts.extend(problems(results));
    parts.join("\n")
}

/// One line for each engine, variant and number of threads.
fn engines(results: &Value) -> Option<String> {
    // Ours first.
    let mut rows: BTreeMap<(u64, bool, String), BTreeMap<&str, &Value>> = BTreeMap::new();
    for case in cases(results) {
        let task = case["task"].as_str().unwrap_or_default();
        if ["write", "learn", "learn-4"].contains(&task) && case["load_ms"].is_number() {
            let threads = case["threads"].as_u64().unwrap_or_default();
            let row = rows.entry((threads, case["engine"] != OURS, name(case))).or_default();
            row.insert(task, case);
        }
    }
    let lines = rows.iter().map(|((threads, _, name), row)| {
        let figure = |task: &str, figure: &str| row.get(task).and_then(|case| case[figure].as_f64());
        let load = figure("write", "load_ms").or_else(|| figure("learn", "load_ms"));
        let share = row.get("write").and_then(|case| share_of_the_limit(results, case));
        let others = row
            .values()
            .filter_map(|case| case["foreign_cpu"].as_f64())
            .reduce(f64::max);
        vec![
            name.clone(),
            threads.to_string(),
            number(load.map(|ms| ms / 1000.0), 1),
            number(figure("write", "prefill_ms"), 0),
            number(figure("write", "decode_tps"), 1),
            number(figure("write", "candidates_tps"), 1),
            number(share.map(|share| 100.0 * share), 0),
            number(figure("learn", "step_ms").map(|ms| ms / 1000.0), 2),
            number(figure("learn-4", "step_ms").map(|ms| ms / 1000.0), 2),
            number(figure("write", "renderer_mib"), 0),
            number(figure("learn", "renderer_mib"), 0),
            number(others, 2),
        ]
    });
    let columns = [
        "GPT-2 124M",
        "threads",
        "load to ready, s",
        "prefill of 16, ms",
        "decode, tok/s",
        "four at once, tok/s",
        "share of the limit, %",
        "LoRA step 1×64, s",
        "LoRA step 4×64, s",
        "peak writing, MiB",
        "peak learning, MiB",
        "others' cores",
    ];
    table("The engine beside others", &columns, lines)
}

/// The ratios, with the names of those that are compared.
fn comparison(results: &Value) -> Option<String> {
    let mut lines = Vec::new();
    for (name, task, figure, better) in COMPARED {
        for threads in [1, 2] {
            let ratio = results["ratio_to_best_peer"][format!("{name}_{threads}t")].as_f64();
            let best = |ours| best(results, task, figure, threads, better, ours);
            if let (Some(ratio), Some((ours, _)), Some((theirs, _))) = (ratio, best(true), best(false)) {
                let what = name.replace('_', " ");
                lines.push(vec![what, threads.to_string(), ours, theirs, format!("{ratio:.2}")]);
            }
        }
    }
    let columns = ["", "threads", "ours", "best of the others", "times as fast"];
    table("Ratio to the best of the others", &columns, lines.into_iter())
}

/// What grows with something: one line a curve.
fn curves(results: &Value) -> Option<String> {
    let titles = [
        ("context", "decode, tok/s, after a context of … tokens"),
        ("tokens", "step, s, on … tokens"),
        ("rank", "step, s, with a rank of …"),
    ];
    let mut lines = Vec::new();
    for (task, title) in titles {
        for case in cases(results).filter(|case| case["task"] == task) {
            let mut points: Vec<(u64, f64)> = case
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| {
                    let (figure, point) = key.split_once('@')?;
                    let unit = if figure == "step_ms" { 1000.0 } else { 1.0 };
                    Some((point.parse().ok()?, value.as_f64()? / unit))
                })
                .collect();
            points.sort_by_key(|(point, _)| *point);
            if !points.is_empty() {
                let points: Vec<String> = points.iter().map(|(x, y)| format!("{x}: {y:.2}")).collect();
                lines.push(vec![title.to_owned(), name(case), points.join(", ")]);
            }
        }
    }
    table("Curves, one thread", &["", "build", "…: figure"], lines.into_iter())
}

/// Speed and memory against the model's size.
fn sizes(results: &Value) -> Option<String> {
    let mut lines = Vec::new();
    for case in cases(results) {
        let Some(size) = case["task"].as_str().and_then(|task| task.strip_prefix("size-")) else {
            continue;
        };
        let figure = |key: &str| case[key].as_f64();
        if figure("decode_tps").is_some() {
            lines.push(vec![
                size.to_owned(),
                name(case),
                case["precision"].as_str().unwrap_or(NOTHING).to_owned(),
                number(figure("load_ms").map(|ms| ms / 1000.0), 1),
                number(figure("decode_tps"), 1),
                number(figure("step_ms").map(|ms| ms / 1000.0), 2),
                number(figure("renderer_mib"), 0),
            ]);
        }
    }
    let columns = [
        "model",
        "build",
        "in memory",
        "load to ready, s",
        "decode, tok/s",
        "LoRA step 1×64, s",
        "peak, MiB",
    ];
    // The embedded one is the smallest.
    lines.sort_by_key(|line| (line[0] != "embedded", line[0].clone()));
    table("Sizes of models, one thread", &columns, lines.into_iter())
}

/// Visits to the published page, each in a browser of its own.
fn first_seconds(results: &Value) -> Option<String> {
    let visits = cases(results).filter(|case| case["task"] == "first-seconds" && case["ready_ms"].is_number());
    let lines = visits.map(|visit| {
        let figure = |key: &str| visit[key].as_f64();
        let seconds = |key: &str| number(figure(key).map(|ms| ms / 1000.0), 2);
        let line = &visit["line"];
        vec![
            visit["variant"].as_str().unwrap_or(NOTHING).to_owned(),
            line["mbits"].as_f64().map_or_else(
                || "this machine".to_owned(),
                |mbits| format!("{mbits} Mbit/s, {} ms", line["delay_ms"]),
            ),
            seconds("desk_ms"),
            seconds("ready_ms"),
            seconds("words_ms"),
            number(figure("sent_kb").map(|kb| kb / 1000.0), 1),
            visit["early_write"].as_str().unwrap_or(NOTHING).to_owned(),
            number(figure("foreign_cpu"), 2),
        ]
    });
    let columns = [
        "cache",
        "line",
        "page usable, s",
        "model ready, s",
        "first words, s",
        "received, MB",
        "Write before the model is ready says",
        "others' cores",
    ];
    table("First seconds, from navigation", &columns, lines)
}

/// The published page.
fn page(results: &Value) -> Option<String> {
    let figures = results["page"].as_array()?;
    let lines = figures.iter().map(|figure| {
        let [median, from, to] = ["median", "from", "to"].map(|key| number(figure[key].as_f64(), 2));
        vec![figure["name"].as_str().unwrap_or(NOTHING).to_owned(), median, from, to]
    });
    let columns = ["embedded model, on localhost", "median", "from", "to"];
    table("The page as a visitor has it", &columns, lines)
}

/// What was asked for and not measured.
fn problems(results: &Value) -> Option<String> {
    let cases = results["cases"].as_object()?;
    let problems: Vec<String> = cases
        .iter()
        .filter_map(|(name, case)| Some(format!("- {name}: {}\n", case["problem"].as_str()?)))
        .collect();
    (!problems.is_empty()).then(|| format!("## Not measured\n\n{}", problems.concat()))
}

fn cases(results: &Value) -> impl Iterator<Item = &Value> {
    results["cases"].as_object().into_iter().flat_map(Map::values)
}

/// Engine and variant of a case.
fn name(case: &Value) -> String {
    ["engine", "variant"]
        .map(|key| case[key].as_str().unwrap_or_default())
        .join(" ")
}

/// How much of the memory's speed decoding uses: the bytes of weights that a token reads, times tokens a second.
fn share_of_the_limit(results: &Value, case: &Value) -> Option<f64> {
    let limit = cases(results).find(|limit| limit["engine"] == "limits" && limit["threads"] == case["threads"])?;
    let bytes = case["bytes_a_token"].as_f64()? * case["decode_tps"].as_f64()?;
    Some(bytes / (limit["read_gbs"].as_f64()? * 1e9))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.digits$}"))
}

/// A table under its title; nothing, if it has no lines.
fn table(title: &str, columns: &[&str], lines: impl Iterator<Item = Vec<String>>) -> Option<String> {
    let body = lines.fold(String::new(), |body, cells| {
        body + &format!("| {} |\n", cells.join(" | "))
    });
    let rule = "---|".repeat(columns.len());
    (!body.is_empty()).then(|| format!("## {title}\n\n| {} |\n|{rule}\n{body}", columns.join(" | ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Value {
        let case = |engine: &str, task: &str, figure: &str, value: f64| json!({ "engine": engine, "variant": "v", "task": task, "threads": 1, "load_ms": 1500.0, figure: value });
        let mut results = json!({ "cases": {
            "a": case("fledge", "write", "decode_tps", 80.0),
            "b": case("fledge", "learn", "step_ms", 500.0),
            "c": case("slow", "write", "decode_tps", 20.0),
            "d": case("other", "write", "decode_tps", 40.0),
            "e": case("other", "learn", "step_ms", 1000.0),
            "f": case("limits", "read", "read_gbs", 20.0),
            "g": { "engine": "gone", "variant": "v", "task": "write", "threads": 1, "problem": "skipped" },
            "v": { "engine": "page", "variant": "cold", "task": "first-seconds", "threads": 1, "line": { "mbits": 10, "delay_ms": 40 },
                "desk_ms": 800.0, "ready_ms": 14100.0, "words_ms": 14250.0, "sent_kb": 16700.0, "foreign_cpu": 0.1 },
            "h": { "engine": "fledge", "variant": "v", "task": "rank", "threads": 1, "step_ms@16": 200.0, "step_ms@8": 100.0 },
        } });
        results["cases"]["a"]["bytes_a_token"] = json!(125e6);
        results["ratio_to_best_peer"] = ratios(&results);
        results
    }

    #[test]
    fn above_one_we_are_faster_than_the_best_of_the_others() {
        let ratios = &results()["ratio_to_best_peer"];
        assert_eq!(ratios["decode_1t"], 2.0);
        assert_eq!(ratios["lora_step_1t"], 2.0);
        assert_eq!(ratios["decode_2t"], Value::Null, "nothing was measured");
    }

    #[test]
    fn a_line_has_all_that_an_engine_does() {
        let text = markdown(&results());
        assert!(
            text.contains("| fledge v | 1 | 1.5 | – | 80.0 | – | 50 | 0.50 | – | – | – | – |"),
            "{text}"
        );
        assert!(text.contains("| decode | 1 | fledge v | other v | 2.00 |"), "{text}");
        assert!(text.contains("- g: skipped"), "{text}");
    }

    #[test]
    fn a_visit_says_over_which_line_it_came() {
        let text = markdown(&results());
        assert!(
            text.contains("| cold | 10 Mbit/s, 40 ms | 0.80 | 14.10 | 14.25 | 16.7 | – | 0.10 |"),
            "{text}"
        );
    }

    #[test]
    fn the_points_of_a_curve_stand_in_their_order() {
        assert!(markdown(&results()).contains("8: 0.10, 16: 0.20"));
    }
}
