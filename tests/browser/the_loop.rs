//! Write, rate, teach, write again: the one loop that everything is for, and every way to leave it halfway.

use crate::desk::Desk;

const PROMPT: &str = "Advice for entrepreneurs";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn it_learns_from_ratings_and_writes_differently() {
    let desk = Desk::open().await;
    desk.be_greedy().await;

    let untaught = desk.write(PROMPT).await;
    assert_eq!(
        desk.write(PROMPT).await,
        untaught,
        "nothing was taught in between: the same post"
    );
    desk.rate([1, 2, 1, 1]).await;
    desk.teach().await;
    let after = desk.after_the_lesson().await;
    assert_ne!(
        after, untaught,
        "the likeliest post was rated badly, so another one is likelier now"
    );
    assert_eq!(
        desk.write(PROMPT).await,
        after,
        "what the lesson promised is what is written"
    );
    desk.rate([5, 4, 5, 5]).await;
    desk.teach().await;
    desk.write(PROMPT).await;

    let steps: Vec<String> = desk
        .said()
        .await
        .into_iter()
        .filter(|text| text.starts_with("Step "))
        .collect();
    let first = steps.iter().position(|step| step.starts_with("Step 1 of "));
    assert!(
        first.is_some() && steps.len() > 2,
        "the steps of a lesson are told: {steps:?}"
    );
    assert_eq!(desk.lessons().await, 2);
    assert_eq!(desk.history().await.len(), 4);
    assert_eq!(desk.curve().await.len(), 2, "two posts are rated");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn undo_takes_a_lesson_back_to_the_letter() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    assert_ne!(desk.write(PROMPT).await, untaught);
    desk.undo().await;
    assert_eq!(desk.lessons().await, 0);
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn stopping_a_post_keeps_what_is_written() {
    let desk = Desk::open().await;
    desk.be_long_winded().await;
    desk.page.script("new MutationObserver(() => { if (document.querySelector('article').textContent.length > 20) witness.press('Stop') })\
         .observe(document.querySelector('article'), { subtree: true, childList: true, characterData: true })").await;
    desk.begin_to_write(PROMPT).await;
    desk.hears("is stopped").await;
    desk.becomes("ready").await;
    let post = desk.newest_post().await;
    assert!(post.len() > 20, "what was written is there: {post}");
    desk.reload().await;
    assert_eq!(desk.newest_post().await, post, "and kept");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn stopping_a_lesson_leaves_no_trace_of_it() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.set("Steps", "32").await;
    desk.when_said("Step 1 of", "witness.press('Stop')").await;
    desk.page.press("Teach").await;
    desk.hears("Nothing of this lesson was learned.").await;
    desk.becomes("ready").await;
    assert_eq!(desk.lessons().await, 0);
    assert_eq!(desk.ratings().await, [1, 1, 1, 1], "the ratings stay");
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.is_unharmed().await;
}
