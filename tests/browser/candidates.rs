//! Several texts for one prompt: rated one by one, or the best is chosen, or one is rewritten by hand.

use thirtyfour::Key;

use crate::desk::Desk;

const PROMPT: &str = "Hiring the first employee";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn candidates_differ_are_rated_one_by_one_and_taught_together() {
    let desk = Desk::open().await;
    desk.set("Candidates", "3").await;
    desk.write(PROMPT).await;
    let candidates = desk.candidates().await;
    assert_eq!(candidates.len(), 3);
    assert!(
        candidates[0] != candidates[1] && candidates[1] != candidates[2],
        "{candidates:?}"
    );
    desk.rate([5, 5, 4, 5]).await;
    desk.page.press("Rate 3").await;
    assert_eq!(desk.ratings().await, [0; 4], "each has its own ratings");
    desk.rate([1, 2, 1, 1]).await;
    desk.page.press("Rate 1").await;
    assert_eq!(desk.ratings().await, [5, 5, 4, 5]);
    desk.hears("2 of 3 are rated. Ready to teach.").await;
    desk.teach().await;
    desk.hears("from 2 ratings").await;

    let (history, curve) = (desk.history().await, desk.curve().await);
    assert_eq!((history.len(), curve.len()), (3, 2));
    desk.reload().await;
    assert_eq!(desk.candidates().await, candidates, "they are still side by side");
    assert_eq!(desk.history().await, history);
    assert_eq!(desk.lessons().await, 1);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn the_best_one_is_chosen_with_a_key() {
    let desk = Desk::open().await;
    desk.set("Candidates", "2").await;
    desk.write(PROMPT).await;
    desk.page.script("document.activeElement.blur()").await;
    desk.page.keys("n").await;
    desk.page.keys("b").await;
    desk.learns(1).await;
    desk.hears("finds your choice").await;
    desk.after_the_lesson().await;
    desk.reload().await;
    assert_eq!(desk.lessons().await, 1);
    desk.undo().await;
    assert_eq!(desk.lessons().await, 0);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_text_can_be_rewritten_and_that_is_taught() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.page.press("Edit").await;
    desk.page.press("Teach my version").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("the same, word for word"), "{problem}");
    let field = desk.page.the("textbox", "Your version").await;
    field.send_keys(Key::Control + "a").await.expect("all of it");
    field
        .send_keys("Hire for the work that you do twice a week. <b>Ask them to try it.</b>")
        .await
        .expect("a text");
    desk.page.press("Teach my version").await;
    desk.learns(1).await;
    desk.hears("finds your version").await;
    assert_ne!(desk.write(PROMPT).await, untaught);
    let history = desk.history().await;
    assert!(
        history.iter().any(|entry| entry.contains("<b>Ask")),
        "it is text, not markup: {history:?}"
    );
    desk.is_unharmed().await;
}
