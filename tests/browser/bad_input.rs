//! Whatever comes in, a sentence comes out.

use xtask::serve::Replacement;

use crate::desk::{Desk, WEIGHTS, file};
use crate::safetensors::Weights;

const CONFIG: &str = "model/config.json";
const TOKENIZER: &str = "model/tokenizer.json";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn prompts_may_be_empty_long_or_strange() {
    let desk = Desk::open().await;
    desk.set("Length", "16").await;
    desk.set("Seed", "7").await;
    for empty in ["", "   "] {
        desk.begin_to_write(empty).await;
        desk.problem_in_a_sentence().await;
        assert_eq!(desk.state().await, "ready");
        assert_eq!(desk.newest_post().await, "");
    }

    desk.write("Überraschung 🦉 für “Gründer” <b>&amp;</b> \u{200b}\u{0301} 你好")
        .await;
    assert_eq!(desk.problem().await, "", "and the problem is gone");

    let long = "Everything that we have learned about pricing since the company was founded. ".repeat(40);
    desk.write(&long).await;
    desk.hears("too long for the model").await;
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_bad_model_is_refused_in_a_sentence() {
    let weights = || Weights::read(&file(WEIGHTS));
    let good = file(WEIGHTS);
    let mut smaller: serde_json::Value = serde_json::from_slice(&file(CONFIG)).expect("JSON");
    smaller["vocab_size"] = 100.into();

    let faults = [
        ("no weights", WEIGHTS, Replacement::status(404)),
        ("a truncated file", WEIGHTS, Replacement::body(&good[..good.len() / 2])),
        ("a truncated header", WEIGHTS, Replacement::body(&good[..100])),
        (
            "no safetensors at all",
            WEIGHTS,
            Replacement::body("<!doctype html><title>404</title>"),
        ),
        (
            "a tensor that is missing",
            WEIGHTS,
            Replacement::body(weights().rename("ln_f.weight", "ln_g.weight").write()),
        ),
        (
            "a tensor of the wrong shape",
            WEIGHTS,
            Replacement::body(weights().stand_upright("ln_f.weight").write()),
        ),
        (
            "a number that is none",
            WEIGHTS,
            Replacement::body(weights().poison("ln_f.weight").write()),
        ),
        (
            "a vocabulary that does not match",
            CONFIG,
            Replacement::body(smaller.to_string()),
        ),
        (
            "a configuration that is none",
            CONFIG,
            Replacement::body("{\"n_embd\": "),
        ),
        ("a tokenizer that is none", TOKENIZER, Replacement::body("{}")),
    ];

    // One would have kept the files as they were.
    let desk = Desk::set_up().without_a_service_worker().open().await;
    for (fault, path, replacement) in faults {
        desk.server.overlay().replace(path, replacement);
        desk.page.driver.refresh().await.expect("the page reloads");
        desk.becomes("error").await;
        let problem = desk.problem_in_a_sentence().await;
        println!("{fault}: {problem}");
        desk.server.overlay().restore(path);
    }
    desk.page.press("Try again").await;
    desk.becomes("ready").await;
    desk.set("Length", "8").await;
    desk.write("Saying no to a customer").await;
    let said = desk.said().await;
    assert!(
        !said
            .iter()
            .any(|text| text.contains("panicked") || text.starts_with("UNCAUGHT")),
        "{said:#?}"
    );
}
