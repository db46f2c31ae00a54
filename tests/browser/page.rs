//! Reaching things on the page as a screen reader does: by role and accessible name, as the browser computes them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::error::WebDriverResult;
use thirtyfour::{Key, WebDriver, WebElement};

/// For what the machine does: loading a model, teaching a lesson. Generous, because machines are busy at times.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A page in a browser.
pub struct Page {
    pub driver: WebDriver,
    /// How long [`Page::until`] waits.
    pub patience: Duration,
}

impl Page {
    /// Sends a command of Chrome's `DevTools` protocol.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, Vec::new()).await;
        answer
            .unwrap_or_else(|error| panic!("{script}: {error}"))
            .json()
            .clone()
    }

    /// What a script returns, as text.
    pub async fn text_of(&self, script: &str) -> String {
        self.script(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script returns something that is neither null, false nor empty.
    pub async fn until(&self, what: &str, script: &str) -> Value {
        let deadline = Instant::now() + self.patience;
        loop {
            let found = self.script(script).await;
            if !matches!(&found, Value::Null | Value::Bool(false)) && found != json!("") {
                return found;
            }
            if Instant::now() > deadline {
                self.fail(&format!("{what} did not come about")).await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Every element of this role and name.
    pub async fn all(&self, role: &str, name: &str) -> Vec<WebElement> {
        // The node numbers go stale whenever the page changes: then once more.
        for _ in 0..20 {
            if let Ok(found) = self.query(role, name).await {
                return found;
            }
        }
        self.fail(&format!(
            "the accessibility tree could not be asked for the {role} “{name}”"
        ))
        .await
    }

    /// The element of this role and name; waits for it.
    pub async fn the(&self, role: &str, name: &str) -> WebElement {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut found = self.all(role, name).await;
            match found.len() {
                1 => return found.remove(0),
                0 if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(30)).await,
                count => self.fail(&format!("there are {count} of the {role} “{name}”")).await,
            }
        }
    }

    /// Clicks the button of this name.
    pub async fn press(&self, button: &str) {
        let button = self.the("button", button).await;
        self.click(&button).await;
    }

    /// Clicks where a person would: on the element, or on its label where that covers it.
    pub async fn click(&self, element: &WebElement) {
        if let Err(first) = element.click().await {
            let on_label = "(arguments[0].labels && arguments[0].labels[0] || arguments[0]).click()";
            let clicked = self
                .driver
                .execute(on_label, vec![element.to_json().expect("an element")])
                .await;
            if let Err(error) = clicked {
                self.fail(&format!("it can't be clicked: {first}; nor can its label: {error}"))
                    .await;
            }
        }
    }

    /// Types into the field of this role and name, in the place of what is there.
    pub async fn fill(&self, role: &str, name: &str, text: &str) {
        let field = self.the(role, name).await;
        let typed = async {
            field.focus().await?;
            field.send_keys(Key::Control + "a").await?;
            field
                .send_keys(if text.is_empty() {
                    Key::Delete.into()
                } else {
                    thirtyfour::TypingData::from(text)
                })
                .await
        };
        if let Err(error) = typed.await {
            self.fail(&format!("“{text}” can't be typed into “{name}”: {error}"))
                .await;
        }
    }

    /// Presses keys, wherever the focus is.
    pub async fn keys(&self, keys: impl Into<thirtyfour::TypingData>) {
        let typed = self.driver.action_chain().send_keys(keys).perform().await;
        typed.expect("keys can be pressed");
    }

    /// Ends the test with what is seen on the page, and a picture of it.
    pub async fn fail(&self, problem: &str) -> ! {
        let seen = self
            .driver
            .execute(
                "return { state: document.documentElement.dataset.fledge, page: document.body?.innerText, \
                 said: window.witness?.said.slice(-12) }",
                Vec::new(),
            )
            .await
            .map_or_else(|error| error.to_string(), |seen| format!("{:#}", seen.json()));
        let log = self.driver.browser_log().await.unwrap_or_default();
        let log: Vec<String> = log.iter().map(|entry| entry.message.clone()).collect();
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let picture = pictures().join(format!("failed-{name}.png"));
        drop(self.driver.screenshot(&picture).await);
        panic!(
            "{problem}\nseen: {seen}\nconsole: {log:#?}\npicture: {}",
            picture.display()
        );
    }

    async fn query(&self, role: &str, name: &str) -> WebDriverResult<Vec<WebElement>> {
        let cdp = self.driver.cdp();
        let document = cdp.send_raw("DOM.getDocument", json!({ "depth": 0 })).await?;
        let root = &document["root"]["nodeId"];
        let query = json!({ "nodeId": root, "role": role, "accessibleName": name });
        let tree = cdp.send_raw("Accessibility.queryAXTree", query).await?;
        let mut found = Vec::new();
        for node in tree["nodes"].as_array().into_iter().flatten() {
            if node["ignored"] == true {
                continue;
            }
            let node = json!({ "backendNodeId": node["backendDOMNodeId"] });
            let object = cdp.send_raw("DOM.resolveNode", node).await?;
            let hand_over = json!({
                "objectId": object["object"]["objectId"],
                "functionDeclaration": "function () { window.witness.found = this; }",
            });
            cdp.send_raw("Runtime.callFunctionOn", hand_over).await?;
            found.push(
                self.driver
                    .execute("return window.witness.found", Vec::new())
                    .await?
                    .element()?,
            );
        }
        Ok(found)
    }
}

/// Where pictures of the page go.
pub fn pictures() -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}
