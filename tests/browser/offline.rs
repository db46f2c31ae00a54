//! Without a connection all goes on; a new version comes when the person agrees, whole, or not at all.

use sha2::{Digest as _, Sha256};
use xtask::serve::{Headers, Overlay, Replacement};

use crate::desk::{Desk, Setup, dist, file};

const PROMPT: &str = "Advice for entrepreneurs";
/// The service worker.
const WORKER: &str = "sw.js";
/// The file by which versions differ here.
const STYLE: &str = "style/base.css";
/// The engine that every browser can run.
const ENGINE: &str = "worker_bg.wasm";

/// Counts how often this tab has loaded the page.
const COUNT: &str = "sessionStorage.loads = Number(sessionStorage.loads ?? 0) + 1";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

/// A host that sends no headers, with the page under a path.
fn plain_host() -> Setup {
    let mut setup = Setup::new(Headers::Plain, "/some/where/");
    setup.scripts.push(COUNT.into());
    setup
}

/// The style of a version.
fn style(version: &str) -> Vec<u8> {
    [&file(STYLE)[..], format!(":root {{ --version: {version} }}").as_bytes()].concat()
}

/// From now on, the server has this version. Its style is announced; whether it is there is another question.
fn announce(overlay: &Overlay, version: &str) {
    let worker = String::from_utf8(file(WORKER)).expect("UTF-8");
    let (old, new) = (sha256(&file(STYLE)), sha256(&style(version)));
    assert!(worker.contains(&old), "the list has the style's hash");
    let worker = worker.replace(&old, &new);
    let worker = worker.replacen("const VERSION = \"", &format!("const VERSION = \"{version}-"), 1);
    overlay.replace(WORKER, Replacement::body(worker));
}

impl Desk {
    /// The version of the style; nothing is the first one.
    async fn version(&self) -> String {
        self.page
            .text_of("return getComputedStyle(document.documentElement).getPropertyValue('--version').trim()")
            .await
    }

    /// What is in Cache Storage, by path; one list a version.
    async fn caches(&self) -> Vec<Vec<String>> {
        let script = "return caches.keys().then((names) => Promise.all(names.map(async (name) => \
             (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname))))";
        serde_json::from_value(self.page.script(script).await).expect("paths")
    }

    /// Lets the browser ask for a new version, and waits for what comes of it: `installed` or `redundant`.
    async fn looks_for_a_new_version(&self) -> String {
        let script = "
            delete window.came_to;
            navigator.serviceWorker.getRegistration().then(async (registration) => {
                // One that fails at once is gone before anybody asks for it.
                const current = () => registration.installing ?? registration.waiting ?? { state: 'redundant', addEventListener() {} };
                const found = new Promise((resolve) => registration.addEventListener('updatefound', () => resolve(current()), { once: true }));
                await registration.update();
                const worker = await found;
                const look = () => /installed|redundant/.test(worker.state) && (window.came_to = worker.state);
                look();
                worker.addEventListener('statechange', look);
            })";
        self.page.script(script).await;
        let came_to = self.page.until("an attempt", "return window.came_to").await;
        came_to.as_str().expect("a state").to_owned()
    }

    async fn loads(&self) -> String {
        self.page.text_of("return sessionStorage.loads").await
    }

    async fn is_isolated(&self) -> bool {
        self.page.script("return crossOriginIsolated").await == true
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn with_the_server_gone_one_writes_and_teaches_as_before() {
    let mut desk = plain_host().open().await;
    desk.be_greedy().await;
    desk.works_offline().await;
    desk.server.stop();

    desk.reload().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    assert_ne!(taught, untaught);
    desk.reload().await;
    assert_eq!((desk.lessons().await, desk.history().await.len()), (1, 2));
    assert_eq!(desk.write(PROMPT).await, taught);
    desk.is_unharmed().await;

    // In a new browser, by the page's name as well as by its folder's; and what is kept there is the page, nothing of the person's.
    let desk = desk.come_back().await;
    assert_eq!((desk.lessons().await, desk.write(PROMPT).await), (1, taught));
    let index = desk.page.text_of("return location.href").await + "index.html?x#y";
    desk.page.driver.goto(&index).await.expect("the page opens");
    desk.becomes("ready").await;
    let caches = desk.caches().await;
    assert_eq!(caches.len(), 1, "one version");
    for path in &caches[0] {
        let name = path.strip_prefix("/some/where/").expect("a file of the page");
        assert!(name.is_empty() || dist().join(name).is_file(), "{name}");
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_host_without_headers_gets_an_isolated_page_from_the_second_visit_on() {
    let desk = plain_host().open().await;
    assert!(!desk.is_isolated().await, "the host sends no headers");
    desk.be_greedy().await;
    assert_eq!(desk.computes_with().await, "relaxed-simd", "one thread");
    let post = desk.write(PROMPT).await;
    desk.works_offline().await;
    assert_eq!(desk.loads().await, "1", "nothing is loaded anew by itself");

    desk.reload().await;
    assert!(desk.is_isolated().await);
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let threads =
            "return [...document.querySelectorAll('.facts dd')].some(fact => fact.textContent.endsWith(' threads'))";
        desk.page.until("threads", threads).await;
    }
    assert_eq!(desk.newest_post().await, post);
    assert_eq!(desk.write(PROMPT).await, post);
    assert_eq!(desk.loads().await, "2");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_new_version_is_offered_and_comes_when_it_is_taken() {
    let desk = plain_host().open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    desk.works_offline().await;
    let requests = desk.server.requests().len();
    announce(desk.server.overlay(), "2");
    desk.server.overlay().replace(STYLE, Replacement::body(style("2")));

    desk.reload().await;
    desk.is_offered_a_new_version().await;
    let asked: Vec<String> = desk.server.requests().split_off(requests);
    assert!(
        asked.iter().all(|path| path.ends_with(WORKER) || path.ends_with(STYLE)),
        "what is the same is not fetched again: {asked:?}"
    );
    assert_eq!(desk.caches().await.len(), 2, "each version is kept by itself");
    desk.page.press("Later").await;
    desk.reload().await;
    assert_eq!(desk.version().await, "", "nobody agreed");
    desk.is_offered_a_new_version().await;
    assert_eq!(desk.loads().await, "3");

    desk.page.press("Use the new version").await;
    let arrived = "return sessionStorage.loads === '4' && document.documentElement.dataset.fledge === 'ready'";
    desk.page.until("the new version", arrived).await;
    assert_eq!(desk.version().await, "2");
    assert_eq!((desk.lessons().await, desk.write(PROMPT).await), (1, taught));
    assert_eq!(desk.caches().await.len(), 1, "the old version is gone");
    assert_eq!(desk.loads().await, "4", "it was loaded anew once");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_broken_version_never_takes_the_place_of_one_that_works() {
    let mut desk = plain_host().open().await;
    desk.be_greedy().await;
    let post = desk.write(PROMPT).await;
    desk.works_offline().await;

    announce(desk.server.overlay(), "2");
    for broken in [
        Replacement::body("half a sty"),
        Replacement::status(404),
        Replacement::status(503),
    ] {
        desk.server.overlay().replace(STYLE, broken);
        assert_eq!(desk.looks_for_a_new_version().await, "redundant");
        desk.reload().await;
        assert_eq!(desk.version().await, "");
    }
    // Nor does a worker that is none, or none any more.
    for broken in [
        Replacement::body("<!doctype html>"),
        Replacement::body("throw 1"),
        Replacement::status(404),
    ] {
        desk.server.overlay().replace(WORKER, broken);
        let update = "return navigator.serviceWorker.getRegistration().then((it) => it.update()).then(() => '', () => 'refused')";
        desk.page.until("a refusal", update).await;
    }
    desk.server.stop();
    desk.reload().await;
    assert_eq!(
        desk.write(PROMPT).await,
        post,
        "what worked works, with nothing but itself"
    );

    desk.server.start_again().expect("the same port");
    announce(desk.server.overlay(), "2");
    desk.server.overlay().replace(STYLE, Replacement::body(style("2")));
    let update = "return navigator.serviceWorker.getRegistration().then((it) => it.update()).then(() => true)";
    desk.page.until("an answer", update).await;
    desk.is_offered_a_new_version().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn only_the_engine_that_runs_is_kept_and_the_other_when_it_is_chosen() {
    let mut desk = Desk::open().await;
    desk.be_greedy().await;
    let post = desk.write(PROMPT).await;
    desk.works_offline().await;
    let has_the_other = |caches: Vec<Vec<String>>| caches.concat().iter().any(|path| path == &format!("/{ENGINE}"));
    assert!(!has_the_other(desk.caches().await));
    desk.choose_engine("For every browser").await;
    desk.becomes("ready").await;
    assert_eq!(desk.computes_with().await, "simd128");
    desk.server.stop();
    desk.reload().await;
    assert_eq!(desk.computes_with().await, "simd128");
    assert!(has_the_other(desk.caches().await));
    assert_eq!(desk.write(PROMPT).await, post);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn the_worker_of_the_repository_removes_itself_and_nothing_else() {
    let desk = plain_host().open().await;
    desk.be_greedy().await;
    let post = desk.write(PROMPT).await;
    desk.works_offline().await;
    let empty = include_str!("../../public/sw.js");
    desk.server.overlay().replace(WORKER, Replacement::body(empty));
    desk.reload().await;
    let gone = "return navigator.serviceWorker.getRegistration().then((it) => !it)";
    desk.page.until("the end of the service worker", gone).await;
    assert_eq!(desk.caches().await, [[""; 0]; 0]);
    assert_eq!(desk.loads().await, "2", "nothing is loaded anew by itself");
    desk.reload().await;
    assert!(!desk.is_isolated().await, "the host's own page");
    assert_eq!(desk.newest_post().await, post);
}
