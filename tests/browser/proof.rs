//! A blind test: two texts, nobody says whose, and a verdict that says "not proven yet" until it is.

use crate::desk::Desk;

const PROMPT: &str = "Advice for entrepreneurs";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_blind_test_goes_on_to_a_verdict_and_survives_a_reload() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;

    desk.page.press("Blind test").await;
    for verdict in 1..=6 {
        let [a, b] = desk.pair().await;
        assert!(!a.is_empty() && !b.is_empty());
        // Always the first one, with the mouse and with the keyboard: whose it is is drawn anew each time.
        if verdict % 2 == 0 {
            desk.page.keys("a").await;
        } else {
            desk.page.press("A is better").await;
        }
        desk.hears(&format!("of {verdict}")).await;
    }
    let proof = desk.proof().await;
    assert!(
        proof.starts_with("The taught model was better in ") && proof.contains(" of 6"),
        "{proof}"
    );
    let proven = proof.contains("proven: chance alone");
    let unanimous = proof.contains(" 0 of 6") || proof.contains(" 6 of 6");
    assert_eq!(proven, unanimous, "six of six prove something, fewer do not: {proof}");
    desk.page.press("Close").await;
    desk.reload().await;
    assert_eq!(desk.proof().await, proof);
    desk.undo().await;
    assert!(desk.proof().await.starts_with("Once something is taught"));
    desk.is_unharmed().await;
}
