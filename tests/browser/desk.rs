//! The words of the tests: what a person does at the desk, and what they see there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use thirtyfour::{By, WindowHandle};
use xtask::serve::{Headers, Options, Overlay, Server};

use crate::chrome::{ChromeDriver, Profile};
use crate::page::{PATIENCE, Page};

/// The model's weights, as the server knows them.
pub const WEIGHTS: &str = "model/model.safetensors";
/// The worker's first script.
pub const WORKER: &str = "worker_loader.js";

/// The folder under test.
pub fn dist() -> PathBuf {
    let dist = std::env::var_os("FLEDGE_DIST");
    dist.expect("FLEDGE_DIST names a built page; `cargo xtask test` sets it")
        .into()
}

/// A file of the folder under test.
pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(dist().join(name)).unwrap_or_else(|error| panic!("dist/{name}: {error}"))
}

/// A desk that is being set up: a server with a browser of its own.
pub struct Setup {
    server: Server,
    /// Where the page is opened.
    address: String,
    /// What runs in the page before its own scripts.
    pub scripts: Vec<String>,
}

impl Setup {
    pub fn new(headers: Headers, base: &str) -> Self {
        let options = Options {
            headers,
            base: base.into(),
            ..Options::default()
        };
        let server = Server::start(&dist(), options).expect("the server starts");
        Self {
            address: server.url().clone(),
            server,
            scripts: vec![include_str!("witness.js").into()],
        }
    }

    /// The page is opened from this file, and the server stands idle.
    pub fn opened_from(mut self, file: &Path) -> Self {
        self.address = format!("file://{}", file.display());
        self
    }

    /// What the server gives in the place of files.
    pub fn overlay(&self) -> &Overlay {
        self.server.overlay()
    }

    /// Puts a script before the worker's own.
    pub fn before_the_worker(self, script: &str) -> Self {
        let body = [script.as_bytes(), b"\n", &file(WORKER)].concat();
        self.overlay().replace(WORKER, xtask::serve::Replacement::body(body));
        self
    }

    /// In a browser without service workers: whatever the server has is what the page gets, also when it comes back.
    pub fn without_a_service_worker(mut self) -> Self {
        let script = "Object.defineProperty(Navigator.prototype, 'serviceWorker', { value: undefined })";
        self.scripts.push(script.into());
        self
    }

    /// Opens the page and does not wait for it.
    pub async fn enter(self) -> Desk {
        let (driver, profile) = (ChromeDriver::start(), Profile::fresh());
        let page = visit(&driver, &profile, &self.address, &self.scripts).await;
        Desk {
            page,
            driver,
            profile,
            address: self.address,
            server: self.server,
            scripts: self.scripts,
        }
    }

    /// Opens the page and waits until it is ready.
    pub async fn open(self) -> Desk {
        let desk = self.enter().await;
        desk.becomes("ready").await;
        desk
    }
}

/// A person's desk. Its fields end in this order.
pub struct Desk {
    pub page: Page,
    driver: ChromeDriver,
    profile: Profile,
    pub server: Server,
    address: String,
    scripts: Vec<String>,
}

impl Desk {
    /// A server with the strictest headers; more can be set up before it is opened.
    pub fn set_up() -> Setup {
        Setup::new(Headers::Strict, "/")
    }

    /// A desk like everybody's.
    pub async fn open() -> Self {
        Self::set_up().open().await
    }

    /// Ends the browser and opens the page in a new one, with what the first had kept.
    pub async fn come_back(self) -> Self {
        let Self {
            page,
            driver,
            profile,
            server,
            address,
            scripts,
        } = self;
        drop((page, driver));
        let driver = ChromeDriver::start();
        let page = visit(&driver, &profile, &address, &scripts).await;
        let desk = Self {
            page,
            driver,
            profile,
            server,
            address,
            scripts,
        };
        desk.becomes("ready").await;
        desk
    }

    /// Reloads the page.
    pub async fn reload(&self) {
        self.page.driver.refresh().await.expect("the page reloads");
        self.becomes("ready").await;
    }

    // What a person does.

    /// Types a prompt, asks for a post, waits for it and returns it.
    pub async fn write(&self, prompt: &str) -> String {
        self.begin_to_write(prompt).await;
        self.becomes("ready").await;
        let post = self.newest_post().await;
        assert!(!post.is_empty(), "a post has words");
        post
    }

    /// Types a prompt and asks for a post.
    pub async fn begin_to_write(&self, prompt: &str) {
        self.page.fill("textbox", "Prompt", prompt).await;
        self.page.press("Write").await;
    }

    /// Rates the newest post: Relevance, Clarity, Originality, Engagement. Waits until that is kept: a browser that is killed
    /// in the same blink takes a rating with it.
    pub async fn rate(&self, stars: [usize; 4]) {
        for (metric, stars) in METRICS.into_iter().zip(stars) {
            let radios = self.radios(metric).await;
            self.page.click(&radios[stars - 1]).await;
        }
        let kept = "return !document.querySelector('.metrics[aria-busy=true]')";
        self.page.until("kept ratings", kept).await;
    }

    /// Teaches from the newest post and waits until the lesson is learned.
    pub async fn teach(&self) {
        let next = self.next_lesson().await;
        self.page.press("Teach").await;
        self.learns(next).await;
    }

    /// Waits until a lesson is learned.
    pub async fn learns(&self, number: u64) {
        self.hears(&format!("Lesson {number} is learned")).await;
        self.becomes("ready").await;
    }

    /// The number that the next lesson has, as long as none was deleted.
    pub async fn next_lesson(&self) -> u64 {
        let script = "return document.querySelectorAll('[aria-labelledby=lessons-title] li').length";
        self.page
            .script(script)
            .await
            .as_u64()
            .expect("the untaught model and all lessons")
    }

    /// Goes to a lesson, or to the untaught model.
    pub async fn go_to(&self, lesson: &str) {
        self.unfold().await;
        self.page.press(&format!("Go there: {lesson}")).await;
        self.becomes_the_lesson(lesson).await;
    }

    /// Waits until this lesson is the one in force.
    pub async fn becomes_the_lesson(&self, lesson: &str) {
        let script = format!(
            "const here = document.querySelector('[aria-labelledby=lessons-title] li.here .node-title');
             return here?.textContent === {}",
            json!(lesson)
        );
        self.page.until(&format!("{lesson} in force"), &script).await;
    }

    /// Lets a metric count as much as it can, or not at all.
    pub async fn weigh(&self, metric: &str, fully: bool) {
        let slider = self.page.the("slider", &format!("{metric} weight")).await;
        let end = if fully {
            thirtyfour::Key::End
        } else {
            thirtyfour::Key::Home
        };
        slider.send_keys(end + "").await.expect("a key");
    }

    /// How much a metric counts, as its slider says.
    pub async fn weight(&self, metric: &str) -> String {
        let slider = self.page.the("slider", &format!("{metric} weight")).await;
        slider.value().await.expect("a slider").unwrap_or_default()
    }

    /// Sets how strongly what was taught counts, in steps of 5 %.
    pub async fn set_strength(&self, steps: u32) {
        let script = format!(
            "const slider = document.querySelector('#strength'); slider.value = {steps} * 0.05;
             slider.dispatchEvent(new Event('input', {{ bubbles: true }}))"
        );
        self.page.script(&script).await;
    }

    /// Opens everything that can be folded away.
    pub async fn unfold(&self) {
        self.page
            .script("document.querySelectorAll('details').forEach(fold => fold.open = true)")
            .await;
    }

    /// Takes the last lesson back.
    pub async fn undo(&self) {
        self.page.press("Undo").await;
        self.hears("is taken back.").await;
    }

    /// Sets a number among the sampling controls, which may be folded away.
    pub async fn set(&self, number: &str, value: &str) {
        self.unfold().await;
        self.page.fill("spinbutton", number, value).await;
        self.page.keys(thirtyfour::Key::Tab).await;
    }

    /// Turns to another type of text.
    pub async fn choose(&self, content: &str) {
        let radio = self.page.the("radio", content).await;
        self.page.click(&radio).await;
        self.hears(&format!("{content}: ")).await;
        self.becomes("ready").await;
    }

    /// Picks files of this machine, one path a line, as a model.
    pub async fn open_files(&self, paths: &str) {
        self.page.press("Settings").await;
        self.pick(paths).await;
    }

    /// Gives files to the picker, which takes them behind closed settings too.
    async fn pick(&self, paths: &str) {
        let picker = self
            .page
            .driver
            .find(By::Css("input[aria-label='Open model files']"))
            .await;
        let picker = picker.expect("a picker");
        assert_eq!(
            picker.attr("aria-label").await.expect("a name").as_deref(),
            Some("Open model files")
        );
        picker.send_keys(paths).await.expect("files");
    }

    /// Picks files that are no model, and waits until they are refused. The sentence, and how long that took, in milliseconds.
    pub async fn is_refused(&self, paths: &str) -> (String, f64) {
        let states = self.page.script("return window.witness.states.length").await;
        self.pick(paths).await;
        let again = format!(
            "const {{ states }} = window.witness; return states.length >= {states} + 2 && states.at(-1) !== 'loading'"
        );
        self.page.until("a refusal", &again).await;
        let problem = self.problem_in_a_sentence().await;
        assert_eq!(self.state().await, "ready", "{problem}");
        let took = "const { since } = window.witness; return since.ready - since.loading";
        let millis = self.page.script(took).await.as_f64().expect("milliseconds");
        (problem, millis)
    }

    /// Downloads a repository from a hub.
    pub async fn download(&self, hub: &str, repository: &str) {
        self.page.press("Settings").await;
        let fold = "document.querySelectorAll('#settings details').forEach(fold => fold.open = true)";
        self.page.script(fold).await;
        self.page.fill("textbox", "Hub", hub).await;
        self.page.keys(thirtyfour::Key::Tab).await;
        self.page.fill("textbox", "Repository", repository).await;
        self.page.press("Download").await;
    }

    /// Chooses a model from the list.
    pub async fn choose_model(&self, name: &str) {
        self.choose_in("Model", name).await;
    }

    /// Deletes a kept model.
    pub async fn delete_model(&self, name: &str) {
        self.page.press("Settings").await;
        self.page.press(&format!("Delete {name}")).await;
    }

    /// Deletes all kept models; there must be several.
    pub async fn delete_all_models(&self) {
        self.page.press("Settings").await;
        self.page.press("Delete all").await;
    }

    /// Chooses how the open model lies in memory.
    pub async fn keep_in_memory_as(&self, form: &str) {
        self.choose_in("In memory", form).await;
    }

    /// Chooses a build of the worker.
    pub async fn choose_engine(&self, build: &str) {
        self.choose_in("Engine", build).await;
    }

    /// Chooses what begins with these words from one of the settings' lists.
    async fn choose_in(&self, list: &str, words: &str) {
        self.page.press("Settings").await;
        let options = self.page.the("combobox", list).await;
        let options = options.find_all(By::Css("option")).await.expect("options");
        for option in options {
            if option.text().await.expect("a name").starts_with(words) {
                return option.click().await.expect("it can be chosen");
            }
        }
        panic!("there is no {words} among the choices of {list}");
    }

    /// Lets the browser keep only so many bytes more for the page than it has kept already, or as many as it likes.
    pub async fn have_space(&self, bytes: Option<u64>) {
        // What the service worker keeps counts; afterwards it would take the space.
        self.works_offline().await;
        let origin = self.page.text_of("return location.origin").await;
        let mut quota = json!({ "origin": origin });
        if let Some(bytes) = bytes {
            let usage = "return navigator.storage.estimate().then(({ usage }) => usage)";
            let usage = self.page.script(usage).await.as_u64().expect("bytes");
            quota["quotaSize"] = (usage + bytes).into();
        }
        self.page.devtools("Storage.overrideQuotaForOrigin", quota).await;
    }

    /// Opens the page in a second tab and turns to it; returns the way back.
    pub async fn open_another_tab(&self) -> WindowHandle {
        let driver = &self.page.driver;
        let first = driver.window().await.expect("a tab");
        let second = driver.new_tab().await.expect("another tab");
        self.turn_to_tab(&second).await;
        prepare(&self.page, &self.scripts).await;
        driver.goto(&self.address).await.expect("the page opens");
        first
    }

    /// Turns to a tab.
    pub async fn turn_to_tab(&self, tab: &WindowHandle) {
        let turned = self.page.driver.switch_to_window(tab.clone()).await;
        turned.expect("a tab");
    }

    /// Waits until a download of the embedded model's size is between 3 and 10 MB.
    pub async fn is_half_way(&self) {
        let script = "return /: [3-9][.0-9]* of 1/.test(document.querySelector('.loading')?.innerText)";
        self.page.until("half of it", script).await;
    }

    /// Forgets everything, and confirms it.
    pub async fn forget(&self) {
        self.page.press("Settings").await;
        self.page.press("Forget everything …").await;
        self.page.press("Forget everything").await;
        self.hears("Everything is forgotten.").await;
    }

    /// Has what was taught packed, and returns the file that the browser saves.
    pub async fn export(&self, folder: &Path) -> PathBuf {
        self.save_by("Export", "is packed", "zip", folder).await
    }

    /// Has a copy of the page made, and returns it.
    pub async fn share(&self, folder: &Path) -> PathBuf {
        self.save_by("Share as a page", "is made", "html", folder).await
    }

    /// Presses a button, hears about it, and waits for the file of this kind that the browser saves.
    async fn save_by(&self, button: &str, words: &str, kind: &str, folder: &Path) -> PathBuf {
        let into = json!({ "behavior": "allow", "downloadPath": folder });
        self.page.devtools("Browser.setDownloadBehavior", into).await;
        self.page.press(button).await;
        self.hears(words).await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let files = std::fs::read_dir(folder).expect("a folder");
            let mut paths = files.map(|file| file.expect("a file").path());
            if let Some(saved) = paths.find(|path| path.extension().is_some_and(|found| found == kind)) {
                return saved;
            }
            if Instant::now() > deadline {
                self.page.fail("no file was saved").await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Picks a taste file.
    pub async fn pick_taste(&self, path: &str) {
        let picker = self.page.driver.find(By::Css("input[aria-label='Taste file']")).await;
        picker.expect("a picker").send_keys(path).await.expect("files");
    }

    /// Picks a taste file and waits until the page says what it is.
    pub async fn look_at_file(&self, path: &str) {
        self.pick_taste(path).await;
        self.page
            .until("what the file is", "return document.querySelector('.offer') !== null")
            .await;
    }

    /// What the page says that a file is.
    pub async fn offer(&self) -> String {
        self.page
            .text_of("return document.querySelector('.offer').innerText")
            .await
    }

    /// Takes in what was looked at.
    pub async fn take_in(&self) {
        self.page.press("Take it in").await;
        self.page
            .until(
                "that it is taken in",
                "return document.querySelector('.offer') === null",
            )
            .await;
        self.hears("Taken in: ").await;
        self.becomes("ready").await;
    }

    /// Does something harmless, so that the last problem is not shown any more.
    pub async fn leave_no_problem(&self) {
        self.page.press("Export").await;
        let gone = "return ![...document.querySelectorAll('[role=alert]')].some(alert => alert.innerText.trim())";
        self.page.until("no problem any more", gone).await;
    }

    /// From now on every post is the likeliest one.
    pub async fn be_greedy(&self) {
        self.set("Temperature", "0").await;
        self.set("Length", "24").await;
    }

    /// Long texts: there is time to stop one. An e-mail may be the longest, and words drawn at random do not end one soon.
    pub async fn be_long_winded(&self) {
        self.choose("E-mail").await;
        for (number, value) in [("Temperature", "3"), ("Top-p", "1"), ("Length", "1024")] {
            self.set(number, value).await;
        }
    }

    /// Acts, in the page and at once, the next time the page says these words.
    pub async fn when_said(&self, words: &str, act: &str) {
        self.page
            .script(&format!("window.witness.when({}, () => {{ {act} }})", json!(words)))
            .await;
    }

    /// Waits until the page is kept for use without a connection.
    pub async fn works_offline(&self) {
        let script = "return [...document.querySelectorAll('#settings .note')]\
             .some(note => note.textContent.startsWith('Works offline'))";
        self.page.until("“Works offline”", script).await;
    }

    /// Waits for the offer of a new version.
    pub async fn is_offered_a_new_version(&self) {
        let script = "return document.querySelector('.new-version').textContent.includes('A new version is ready.')";
        self.page.until("the offer of a new version", script).await;
    }

    // What a person sees.

    /// `data-fledge`.
    pub async fn state(&self) -> String {
        self.page
            .text_of("return document.documentElement.dataset.fledge")
            .await
    }

    /// Waits until `data-fledge` is this.
    pub async fn becomes(&self, state: &str) {
        let script = format!("return document.documentElement.dataset.fledge === {}", json!(state));
        self.page.until(&format!("the state `{state}`"), &script).await;
    }

    /// Waits until the page has said something with these words since it was loaded.
    pub async fn hears(&self, words: &str) {
        let script = format!(
            "return window.witness.said.some(text => text.includes({}))",
            json!(words)
        );
        self.page.until(&format!("“{words}”"), &script).await;
    }

    /// Everything that was said since the page was loaded.
    pub async fn said(&self) -> Vec<String> {
        let said = self.page.script("return window.witness.said").await;
        serde_json::from_value(said).expect("texts")
    }

    /// The text of the newest post.
    pub async fn newest_post(&self) -> String {
        self.page
            .text_of("return document.querySelector('article')?.textContent.trim()")
            .await
    }

    /// The instructions that the engine uses, as the settings say.
    pub async fn computes_with(&self) -> String {
        let script = "return [...document.querySelectorAll('.facts dt')]\
             .find(name => name.textContent === 'Computes with')?.nextElementSibling.textContent";
        self.page.text_of(script).await
    }

    /// How long the newest post is, and how long it may be.
    pub async fn count(&self) -> String {
        self.page
            .text_of("return document.querySelector('article').closest('section').querySelector('footer').lastElementChild.innerText")
            .await
    }

    /// The problem that is shown, or nothing.
    pub async fn problem(&self) -> String {
        self.page
            .text_of("return [...document.querySelectorAll('[role=alert]')].map(alert => alert.innerText.trim()).filter(Boolean).join(' ')")
            .await
    }

    /// Waits for a problem, which must read like one.
    pub async fn problem_in_a_sentence(&self) -> String {
        self.page
            .until(
                "a problem",
                "return [...document.querySelectorAll('[role=alert]')].some(alert => alert.innerText.trim())",
            )
            .await;
        let problem = self.problem().await;
        assert!(
            problem.ends_with('.') && problem.contains(' '),
            "no sentence: {problem}"
        );
        for word in ["panicked", "unreachable", "RuntimeError", "undefined", "JsValue"] {
            assert!(!problem.contains(word), "not a person's word: {problem}");
        }
        problem
    }

    /// Waits until a download is refused because its hash is another one.
    pub async fn is_refused_for_its_hash(&self) {
        let problem = self.problem_in_a_sentence().await;
        assert!(
            problem.contains("model.safetensors") && problem.contains("hash"),
            "{problem}"
        );
        self.becomes("ready").await;
    }

    /// The ratings of the newest post; 0 is none.
    pub async fn ratings(&self) -> [usize; 4] {
        let mut ratings = [0; 4];
        for (metric, rating) in METRICS.into_iter().zip(&mut ratings) {
            for (index, radio) in self.radios(metric).await.iter().enumerate() {
                if radio.is_selected().await.expect("a radio button") {
                    *rating = index + 1;
                }
            }
        }
        ratings
    }

    /// What the table behind the reward curve holds: the picture for those who can't see it.
    pub async fn curve(&self) -> Vec<String> {
        let rows = self.page.script("return [...document.querySelectorAll('[aria-labelledby=curve-title] tbody tr')].map(row => row.textContent.trim())").await;
        serde_json::from_value(rows).expect("texts")
    }

    /// Waits for what the taught model writes under the last lesson's seed, and returns it.
    pub async fn after_the_lesson(&self) -> String {
        let script = "const name = [...document.querySelectorAll('dt')].find(name => /^After/.test(name.textContent));
             const after = name?.nextElementSibling.textContent;
             return after && !/^(Being|Was not) written/.test(after) && after";
        let after = self.page.until("the post after the lesson", script).await;
        after.as_str().expect("a text").to_owned()
    }

    /// Posts in the history.
    pub async fn history(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('[aria-labelledby=history-title] li summary')].map(entry => entry.innerText)";
        serde_json::from_value(self.page.script(script).await).expect("texts")
    }

    /// Lessons in force.
    pub async fn lessons(&self) -> u64 {
        let script = "return document.querySelectorAll('[aria-labelledby=lessons-title] li.in-force').length - 1";
        self.page.script(script).await.as_u64().expect("a count")
    }

    /// Waits for the two texts of the blind test.
    pub async fn pair(&self) -> [String; 2] {
        let script = "const texts = [...document.querySelectorAll('.blind-text')].map(text => text.textContent);
             return texts.length === 2 && texts.every(Boolean) && texts";
        let pair = self.page.until("two texts", script).await;
        serde_json::from_value(pair).expect("two texts")
    }

    /// What the blind tests have proven, as the page says it.
    pub async fn proof(&self) -> String {
        self.page
            .text_of("return document.querySelector('[aria-labelledby=proof-title] p').textContent.trim()")
            .await
    }

    /// The texts on the sheet.
    pub async fn candidates(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('article')].map(article => article.textContent.trim())";
        serde_json::from_value(self.page.script(script).await).expect("texts")
    }

    /// Ends the test if the page or its worker stumbled.
    pub async fn is_unharmed(&self) {
        let log = self.page.driver.browser_log().await.expect("a log");
        let bad: Vec<&String> = log
            .iter()
            .filter(|entry| entry.level == "SEVERE" && !entry.message.contains("favicon"))
            .map(|entry| &entry.message)
            .collect();
        assert!(bad.is_empty(), "the console says {bad:#?}");
        let said = self.said().await;
        assert!(!said.iter().any(|text| text.starts_with("UNCAUGHT")), "{said:#?}");
    }

    async fn radios(&self, metric: &str) -> Vec<thirtyfour::WebElement> {
        let group = self.page.the("radiogroup", metric).await;
        let radios = group
            .find_all(By::Css("input[type=radio], [role=radio]"))
            .await
            .expect("radios");
        assert_eq!(radios.len(), 5, "{metric} has five radios");
        radios
    }
}

const METRICS: [&str; 4] = ["Relevance", "Clarity", "Originality", "Engagement"];

/// Opens the page in a new browser, with these scripts in it.
async fn visit(driver: &ChromeDriver, profile: &Profile, address: &str, scripts: &[String]) -> Page {
    let page = Page {
        driver: driver.browser(profile).await,
        patience: PATIENCE,
    };
    prepare(&page, scripts).await;
    page.driver.goto(address).await.expect("the page opens");
    page
}

/// Puts scripts before those of every page that the tab will open.
async fn prepare(page: &Page, scripts: &[String]) {
    for script in scripts {
        page.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }))
            .await;
    }
}
