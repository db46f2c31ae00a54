//! A worker that dies and a database that is denied: the page says so and goes on.

use crate::desk::Desk;

const PROMPT: &str = "Hiring the first employee";

/// In the worker: an uncaught error, or a silent end, when the test's channel asks for it.
const MORTAL: &str = "new BroadcastChannel('mortality').onmessage = ({ data }) => {
    if (data === 'throw') throw new Error('thrown by a test');
    if (data === 'close') close();
};";

async fn dies_in_a_lesson(how: &str) {
    let desk = Desk::set_up().before_the_worker(MORTAL).open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 2]).await;

    desk.when_said(
        "Step 1 of",
        &format!("new BroadcastChannel('mortality').postMessage('{how}')"),
    )
    .await;
    desk.page.press("Teach").await;
    desk.hears("The engine stopped in the middle of a lesson.").await;
    desk.hears("with 2 posts and 1 lesson from before").await;
    desk.becomes("ready").await;
    assert_eq!(desk.lessons().await, 1, "the lesson in which it died is not learned");
    assert_eq!(desk.newest_post().await, taught);
    assert_eq!(desk.ratings().await, [1, 1, 1, 2], "the ratings are kept");
    assert_eq!(
        desk.write(PROMPT).await,
        taught,
        "the model is as it was before that lesson"
    );

    desk.rate([2, 1, 1, 1]).await;
    desk.teach().await;
    assert_eq!(desk.lessons().await, 2);
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_worker_that_throws_in_a_lesson_is_replaced() {
    dies_in_a_lesson("throw").await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_worker_that_dies_silently_in_a_lesson_is_replaced() {
    dies_in_a_lesson("close").await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn an_engine_that_never_starts_is_given_up_in_words() {
    let desk = Desk::set_up()
        .before_the_worker("throw new Error('thrown by a test');")
        .enter()
        .await;
    desk.becomes("error").await;
    desk.problem_in_a_sentence().await;
    desk.server.overlay().restore(crate::desk::WORKER);
    desk.page.press("Try again").await;
    desk.becomes("ready").await;
    desk.write(PROMPT).await;
}

async fn works_without_a_database(denial: &str) {
    let desk = Desk::set_up().before_the_worker(denial).open().await;
    desk.hears("Nothing will be kept").await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    assert_ne!(desk.write(PROMPT).await, untaught);
    desk.undo().await;
    desk.reload().await;
    assert_eq!(desk.history().await, [""; 0], "as it said");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_database_that_refuses_is_said_and_lived_with() {
    works_without_a_database(
        "IDBFactory.prototype.open = () => { throw new DOMException('denied by a test', 'SecurityError'); };",
    )
    .await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_database_that_is_missing_is_said_and_lived_with() {
    works_without_a_database("Object.defineProperty(self, 'indexedDB', { value: undefined });").await;
}
