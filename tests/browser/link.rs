//! What was taught goes into a link, and comes out of it in somebody else's browser, who is asked first.

use serde_json::json;
use thirtyfour::By;

use crate::desk::Desk;

const PROMPT: &str = "Raising your prices";

impl Desk {
    /// Has a link made, and returns what comes after the page's own address.
    async fn make_link(&self) -> String {
        self.page.press("Make a link").await;
        self.hears("The link is made. It carries ").await;
        let field = self.page.the("textbox", "Link").await;
        let address = field.value().await.expect("a value").expect("an address");
        let (page, fragment) = address.split_once('#').expect("a fragment");
        assert_eq!(page, self.page.text_of("return location.href").await);
        assert!(fragment.len() <= 32_000, "{} characters", fragment.len());
        fragment.to_owned()
    }

    /// Opens the page with a fragment in its address, in a tab that shows another page.
    async fn arrive_with(&self, fragment: &str) {
        let page = self.page.text_of("return location.href").await;
        let driver = &self.page.driver;
        driver.goto("about:blank").await.expect("another page");
        driver
            .goto(&format!("{page}#{fragment}"))
            .await
            .expect("the page opens");
        self.becomes("ready").await;
    }

    /// Pastes a fragment into the address of the page that is open.
    async fn paste(&self, fragment: &str) {
        self.page.script(&format!("location.hash = {}", json!(fragment))).await;
    }

    /// Waits until the page says what the link is, and asks.
    async fn is_asked(&self) {
        let script = "return document.querySelector('.offer') !== null";
        self.page.until("what the link is", script).await;
    }

    async fn address_has_no_fragment(&self) {
        assert_eq!(self.page.text_of("return location.hash").await, "");
    }
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_friend_opens_a_link_and_is_asked_first() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.page.press("Make a link").await;
    assert!(
        desk.problem_in_a_sentence()
            .await
            .contains("nothing to put into a link")
    );
    for stars in [1, 2] {
        desk.rate([stars, 1, 1, 1]).await;
        desk.teach().await;
        desk.write(PROMPT).await;
    }
    let fragment = desk.make_link().await;
    assert!(
        !fragment.contains(PROMPT) && desk.server.requests().iter().all(|path| !path.contains("taste")),
        "nobody is told"
    );
    let copy = "return [...document.querySelectorAll('.link button')].map(button => button.innerText)";
    assert_eq!(desk.page.script(copy).await, json!(["Copy"]));
    desk.page.press("Copy").await;
    desk.page
        .until(
            "that it is copied or selected",
            "return window.witness.said.some(text => text.includes('Copied.') || text.includes('is selected'))",
        )
        .await;

    // Another lesson is in force: the link is gone.
    desk.undo().await;
    assert!(desk.page.driver.find(By::Css(".link")).await.is_err());
    desk.is_unharmed().await;

    let friend = Desk::open().await;
    friend.arrive_with(&fragment).await;
    friend.is_asked().await;
    let facts = friend.offer().await;
    for fact in ["Seedling", "posts", "none", "rank 8", "from 2 lessons"] {
        assert!(facts.contains(fact), "{fact} is not in {facts}");
    }
    friend.address_has_no_fragment().await;
    assert_eq!(friend.lessons().await, 0, "it only looked");
    friend.be_greedy().await;
    assert_eq!(friend.write(PROMPT).await, untaught, "nothing has changed");

    // Leaving it is leaving it, also after a reload.
    friend.page.press("Leave it").await;
    friend.reload().await;
    assert!(friend.page.driver.find(By::Css(".offer")).await.is_err());
    assert_eq!(friend.lessons().await, 0);

    // In an open tab it works too, and takes the person to what it is for.
    friend.choose("E-mail").await;
    friend.paste(&fragment).await;
    friend.is_asked().await;
    friend.address_has_no_fragment().await;
    friend.take_in().await;
    friend.becomes_the_lesson("lesson 1").await;
    let taught = friend.write(PROMPT).await;
    assert_ne!(taught, untaught);

    friend.reload().await;
    assert_eq!(friend.lessons().await, 1, "it is durable");
    friend.be_greedy().await;
    assert_eq!(friend.write(PROMPT).await, taught);
    friend.undo().await;
    assert_eq!(friend.write(PROMPT).await, untaught, "it is a lesson like others");
    friend.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_damaged_link_ends_in_a_sentence() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    let fragment = desk.make_link().await;
    let half = &fragment[..fragment.len() / 2];
    for bad in [
        half.to_owned(),
        fragment.replacen("=1.", "=2.", 1),
        "taste=".into(),
        "taste=<img src=x onerror='window.evil = true'>".into(),
        format!("taste=1.post.{}", "A".repeat(40_000)),
    ] {
        desk.paste(&bad).await;
        let problem = desk.problem_in_a_sentence().await;
        assert!(problem.ends_with("Nothing has changed."), "{problem}");
        desk.address_has_no_fragment().await;
        desk.leave_no_problem().await;
    }
    // Other fragments are none of its business.
    desk.paste("travel-title").await;
    assert_eq!(desk.problem().await, "");
    let harm = "return window.evil === true || document.querySelector('img[src=x]') !== null";
    assert_eq!(desk.page.script(harm).await, json!(false));
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(desk.write(PROMPT).await, taught);
    desk.is_unharmed().await;
}
