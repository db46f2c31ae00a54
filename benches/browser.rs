//! What a visitor waits for, measured in headless Chromium against a finished `dist/`: `cargo xtask bench`.
//!
//! Every figure is the median of several runs; the spread stands beside it, because machines are busy at times. None of this
//! is a test: nothing fails when it is slow.

#![expect(
    clippy::disallowed_methods,
    reason = "it runs natively, and reading the clock is its purpose"
)]

#[path = "../tests/browser/chrome.rs"]
mod chrome;
#[expect(dead_code, reason = "the tests' words; a benchmark needs few of them")]
#[path = "../tests/browser/desk.rs"]
mod desk;
#[path = "../tests/browser/page.rs"]
mod page;

use desk::Desk;
use serde_json::Value;

/// Fresh browsers for the first visit.
const VISITS: usize = 5;
/// Posts for the speed of writing.
const POSTS: usize = 12;
/// What the posts are about.
const PROMPT: &str = "Advice for entrepreneurs";

/// Runs in the page: notes, in milliseconds since navigation, when the model is ready and when the first words of a post stand
/// on the page, which it asks for at once.
const FIRST_VISIT: &str = "
    window.visit = {};
    new MutationObserver(() => {
        if (!visit.ready && document.documentElement.dataset.fledge === 'ready') {
            visit.ready = performance.now();
            const prompt = document.querySelector('#prompt');
            prompt.value = 'Advice for entrepreneurs';
            prompt.dispatchEvent(new Event('input', { bubbles: true }));
            witness.press('Write');
        } else if (visit.ready && !visit.words && document.querySelector('article')?.textContent) {
            visit.words = performance.now();
        }
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
";

/// The tokens of the newest post, as the page says it.
const TOKENS: &str =
    "return Number(/(\\d+) tokens? in/.exec(document.querySelector('article').parentElement.innerText)[1])";

/// How long the newest post took.
const MILLIS: &str = "return witness.since.ready - witness.since.writing";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        println!("| on localhost, in Chromium, embedded model | median | from | to |");
        println!("|---|---|---|---|");
        let (ready, words) = first_visits().await;
        row("first visit, empty cache: navigation to ready, s", &ready);
        row("first visit, empty cache: navigation to the first words, s", &words);
        row(
            "writing posts at the default settings, tokens a second",
            &writing().await,
        );
    });
}

/// Seconds from navigation until the model is ready, and until the first words of a post, each visit in a browser of its own.
async fn first_visits() -> (Vec<f64>, Vec<f64>) {
    let (mut ready, mut words) = (Vec::new(), Vec::new());
    for _ in 0..VISITS {
        let mut setup = Desk::set_up();
        setup.scripts.push(FIRST_VISIT.into());
        let desk = setup.enter().await;
        let visit = desk
            .page
            .until("the first words", "return window.visit.words && window.visit")
            .await;
        let seconds = |name: &str| visit[name].as_f64().expect("milliseconds") / 1000.0;
        ready.push(seconds("ready"));
        words.push(seconds("words"));
    }
    (ready, words)
}

/// Tokens a second of each post; reading the prompt and keeping the post count as time.
async fn writing() -> Vec<f64> {
    let desk = Desk::open().await;
    let mut speeds = Vec::new();
    for _ in 0..POSTS {
        desk.write(PROMPT).await;
        let millis = desk.page.script(MILLIS).await;
        let tokens = desk.page.script(TOKENS).await;
        speeds.push(number(&tokens) * 1000.0 / number(&millis));
    }
    speeds
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// One line of the table.
fn row(name: &str, values: &[f64]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
    println!("| {name} | {:.2} | {first:.2} | {last:.2} |", sorted[sorted.len() / 2]);
}
