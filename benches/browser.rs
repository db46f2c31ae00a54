//! What a visitor waits for, measured in headless Chromium against a finished `dist/`: `cargo xtask bench`.
//!
//! Every figure is the median of several runs; the spread stands beside it, because machines are busy at times. They are
//! printed as JSON, one a line; the arguments name the parts that are wanted. None of this is a test: nothing fails when it is
//! slow.

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
use serde_json::{Value, json};

/// Fresh browsers for the first visit.
const VISITS: usize = 5;
/// Posts for the speed of writing.
const POSTS: usize = 12;
/// Numbers of kept ratings at which the cost of a lesson is said.
const KEPT: [usize; 4] = [10, 30, 60, 100];
/// So many lessons up to there are its figure.
const LESSONS: usize = 10;
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
const TOKENS: &str = "return Number(/(\\d+) tokens? in/.exec(document.querySelector('.sheet').innerText)[1])";

/// How long the newest post took.
const MILLIS: &str = "return witness.since.ready - witness.since.writing";

/// How long the newest lesson took, until what was learned is kept.
const LESSON: &str = "return witness.since.ready - witness.since.teaching";

fn main() {
    // cargo adds an argument of its own.
    let parts: Vec<String> = std::env::args().skip(1).filter(|part| part != "--bench").collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        if wanted("page/first-visit") {
            let (ready, words) = first_visits().await;
            say("first visit, empty cache: navigation to ready, s", &ready);
            say("first visit, empty cache: navigation to the first words, s", &words);
        }
        if wanted("page/writing") {
            say(
                "writing posts at the default settings, tokens a second",
                &writing().await,
            );
        }
        if wanted("page/rating") {
            let lessons = rating().await;
            for kept in KEPT {
                say(
                    &format!("a lesson with {kept} ratings kept, s"),
                    &lessons[kept - LESSONS..kept],
                );
            }
        }
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

/// Seconds of one lesson after the other, each on a short post of its own.
async fn rating() -> Vec<f64> {
    let desk = Desk::open().await;
    desk.set("Length", "24").await;
    let mut lessons = Vec::new();
    while lessons.len() < KEPT[KEPT.len() - 1] {
        desk.write(PROMPT).await;
        desk.rate([4, 3, 4, 3]).await;
        desk.teach().await;
        lessons.push(number(&desk.page.script(LESSON).await) / 1000.0);
    }
    lessons
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// Prints a figure.
fn say(name: &str, values: &[f64]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
    let figure = json!({ "name": name, "median": sorted[sorted.len() / 2], "from": first, "to": last });
    println!("{figure}");
}
