//! The whole page is one file that opens by a double click: it writes, learns and remembers, asks nobody for anything, and can be
//! handed on with what was taught inside.

use std::path::PathBuf;

use crate::desk::{Desk, dist};

const PROMPT: &str = "Selling online";
const EMAIL: &str = "Thank a customer for a large order";

/// An empty folder of this test's own: there is nothing beside a file in it that it could read.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fledge-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Desk {
    /// Ends the test if the page has asked anybody for anything.
    async fn asked_for_nothing(&self) {
        let script = "return performance.getEntriesByType('resource').map(entry => entry.name)\
             .filter(name => !/^(data|blob):/.test(name))";
        assert_eq!(self.page.script(script).await, serde_json::json!([]));
        assert!(self.server.requests().is_empty(), "{:?}", self.server.requests());
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_file_writes_learns_and_remembers_without_a_request() {
    let folder = folder("one-file");
    let file = folder.join("fledge.html");
    std::fs::copy(dist().join("fledge.html"), &file).expect("the bundle is built");

    let desk = Desk::set_up().opened_from(&file).open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    assert_ne!(taught, untaught);
    desk.asked_for_nothing().await;
    desk.is_unharmed().await;

    let desk = desk.come_back().await;
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(desk.write(PROMPT).await, taught);

    // It hands itself on.
    let copy = desk.share(&folder.join("made")).await;
    desk.asked_for_nothing().await;
    desk.is_unharmed().await;
    let friend = Desk::set_up().opened_from(&copy).open().await;
    friend.becomes_the_lesson("lesson 1").await;
    friend.be_greedy().await;
    assert_eq!(friend.write(PROMPT).await, taught);
    std::fs::remove_dir_all(&folder).expect("the folder");
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_shared_copy_writes_as_it_was_taught_and_learns_on_by_itself() {
    let folder = folder("shared");
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    desk.choose("E-mail").await;
    desk.write(EMAIL).await;
    desk.rate([5, 4, 5, 5]).await;
    desk.teach().await;
    desk.choose("Post").await;
    let copy = desk.share(&folder).await;
    desk.is_unharmed().await;

    let friend = Desk::set_up().opened_from(&copy).open().await;
    friend.becomes_the_lesson("lesson 1").await;
    assert_eq!(
        friend.history().await.len(),
        1,
        "what was rated is there; what was not, is nobody's business"
    );
    friend.be_greedy().await;
    assert_eq!(friend.write(PROMPT).await, taught, "word for word");
    friend.asked_for_nothing().await;
    friend.rate([1, 1, 1, 1]).await;
    friend.teach().await;
    let friend = friend.come_back().await;
    assert_eq!(
        friend.lessons().await,
        2,
        "it goes on from there, and takes nothing in twice"
    );

    // What was taught to e-mails is there once somebody asks for one.
    let email = friend.page.the("radio", "E-mail").await;
    friend.page.click(&email).await;
    friend.becomes_the_lesson("lesson 1").await;
    assert_eq!((friend.lessons().await, friend.history().await.len()), (1, 1));

    // All files of a device share one database; each keeps to its own part of it.
    let plain = folder.join("plain.html");
    std::fs::copy(dist().join("fledge.html"), &plain).expect("the bundle is built");
    let url = format!("file://{}", plain.display());
    friend.page.driver.goto(&url).await.expect("the page opens");
    friend.becomes("ready").await;
    assert_eq!((friend.lessons().await, friend.history().await.len()), (0, 0));
    friend.is_unharmed().await;
    std::fs::remove_dir_all(&folder).expect("the folder");
}
