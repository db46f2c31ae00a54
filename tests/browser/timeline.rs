//! Every lesson is a place that one can go back to, and on from there; a lesson that bends the model too far is taken back.

use crate::desk::Desk;

const PROMPT: &str = "Saying no to a customer";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn one_goes_back_and_forth_and_on_from_anywhere() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let first = desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let second = desk.write(PROMPT).await;
    assert!(
        untaught != first && first != second,
        "each lesson changed the likeliest text"
    );

    desk.page.press("Undo").await;
    desk.becomes_the_lesson("lesson 1").await;
    assert_eq!(desk.write(PROMPT).await, first);
    desk.page.press("Redo").await;
    desk.becomes_the_lesson("lesson 2").await;
    assert_eq!(desk.write(PROMPT).await, second, "to the letter");
    desk.go_to("Untaught").await;
    assert_eq!((desk.write(PROMPT).await, desk.lessons().await), (untaught.clone(), 0));

    // Another branch, from the first day on.
    desk.rate([5, 5, 5, 5]).await;
    desk.teach().await;
    desk.becomes_the_lesson("lesson 3").await;
    assert_eq!(desk.lessons().await, 1);
    desk.page.press("Name lesson 2").await;
    desk.page.fill("textbox", "Name of lesson 2", "short and clear").await;
    desk.page.keys(thirtyfour::Key::Enter).await;
    desk.hears("Lesson 2 is called “short and clear”.").await;

    desk.reload().await;
    desk.becomes_the_lesson("lesson 3").await;
    desk.be_greedy().await;
    desk.go_to("lesson 2, “short and clear”").await;
    assert_eq!(desk.write(PROMPT).await, second, "a branch survives a reload");
    desk.unfold().await;
    desk.page.press("Delete lesson 1").await;
    desk.hears("Lesson 1 and 1 that followed are deleted.").await;
    assert_eq!((desk.write(PROMPT).await, desk.lessons().await), (untaught, 0));
    desk.reload().await;
    assert_eq!(desk.next_lesson().await, 2, "the untaught model and lesson 3");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn strength_scales_what_was_taught() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    assert_ne!(taught, untaught);
    desk.set_strength(0).await;
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.reload().await;
    assert_eq!(desk.write(PROMPT).await, untaught, "it stays where it was set");
    desk.set_strength(20).await;
    assert_eq!(desk.write(PROMPT).await, taught);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_lesson_that_ruins_the_model_is_taken_back_by_itself() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([5, 5, 5, 5]).await;
    desk.set("Learning rate", "0.1").await;
    desk.set("Steps", "32").await;
    desk.teach().await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(
        problem.contains("Lesson 1 was taken back by itself: after it, "),
        "{problem}"
    );
    assert_eq!(desk.lessons().await, 0);
    assert_eq!(desk.ratings().await, [5, 5, 5, 5], "the ratings are kept");
    desk.reload().await;
    assert_eq!(desk.lessons().await, 0);
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.is_unharmed().await;
}
