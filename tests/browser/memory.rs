//! Leaving the page loses nothing; forgetting leaves nothing.

use crate::desk::Desk;

const PROMPT: &str = "Raising your prices";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn everything_is_back_in_a_new_browser() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 2]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    desk.rate([3, 4, 5, 2]).await;
    let (history, curve) = (desk.history().await, desk.curve().await);

    let desk = desk.come_back().await;
    desk.hears("with 2 posts and 1 lesson from before").await;
    assert_eq!(desk.newest_post().await, taught);
    assert_eq!(
        desk.ratings().await,
        [3, 4, 5, 2],
        "ratings are kept before they are taught"
    );
    assert_eq!(desk.history().await, history);
    assert_eq!(desk.curve().await, curve);
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(
        desk.write(PROMPT).await,
        taught,
        "the adapter is the one from before, to the letter"
    );

    desk.rate([2, 2, 2, 2]).await;
    desk.teach().await;
    desk.undo().await;
    assert_eq!(
        desk.write(PROMPT).await,
        taught,
        "what came back can be taught and undone"
    );
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn forgetting_asks_first_and_then_leaves_nothing() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;

    desk.page.press("Settings").await;
    desk.page.press("Forget everything …").await;
    desk.page.press("Keep everything").await;
    assert_eq!(desk.lessons().await, 1, "it asked, and kept everything");
    desk.page.press("Close").await;
    desk.forget().await;
    assert_eq!(desk.history().await, [""; 0]);
    assert_eq!(desk.curve().await, [""; 0]);
    assert_eq!(desk.newest_post().await, "");

    desk.reload().await;
    assert_eq!(desk.history().await, [""; 0], "nor does it come back");
    assert_eq!(desk.write(PROMPT).await, untaught);
    desk.is_unharmed().await;
}
