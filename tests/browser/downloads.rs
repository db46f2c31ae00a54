//! Downloading a model from a hub, whatever the connection does, and having it ever after.

use std::path::Path;

use crate::desk::Desk;
use crate::hub::{Fault, Hub};

/// A hub with the embedded model: large enough to break off in the middle.
fn hub() -> Hub {
    let file =
        |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("public/model").join(name)).expect(name);
    let names = ["config.json", "tokenizer.json", "model.safetensors", "fledge.json"];
    let mut files: Vec<(&str, Vec<u8>)> = names.into_iter().map(|name| (name, file(name))).collect();
    // Another name, so that the two can be told apart; and so that it is another model, another last position.
    let card = String::from_utf8(files[3].1.clone())
        .expect("utf-8")
        .replace("Seedling", "Sapling");
    files[3].1 = card.into_bytes();
    let weights = &mut files[2].1;
    let last = weights.len() - 2;
    weights[last] ^= 4;
    Hub::start(files)
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_model_is_downloaded_over_bad_connections_and_there_without_any() {
    let hub = hub();
    let desk = Desk::open().await;
    desk.be_greedy().await;

    hub.set_fault(Fault::DropAfter(5_000_000));
    desk.download(&hub.url(), "test/model").await;
    desk.hears("Sapling is ready.").await;
    desk.becomes("ready").await;
    let starts = hub.ranges();
    assert_eq!(starts.len(), 2, "it went on where it stopped: {starts:?}");
    assert!(starts[1].is_some_and(|first| first > 1_000_000), "{starts:?}");
    let post = desk.write("The price").await;

    hub.go_away();
    let desk = desk.come_back().await;
    desk.hears("Sapling is ready, with 1 post and 0 lessons from before.")
        .await;
    assert_eq!(desk.write("The price").await, post);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_busy_or_silent_hub_is_asked_again() {
    let hub = hub();
    let desk = Desk::open().await;
    hub.set_fault(Fault::Busy);
    desk.download(&hub.url(), "test/model").await;
    desk.hears("Sapling is ready.").await;
    desk.becomes("ready").await;
    desk.delete_model("test/model").await;
    desk.hears("The model is deleted.").await;
    desk.page.press("Close").await;

    hub.set_fault(Fault::StallAfter(3_000_000));
    desk.download(&hub.url(), "test/model").await;
    desk.hears("The connection broke off. Trying again").await;
    desk.becomes("ready").await;
    assert!(
        hub.ranges()
            .last()
            .is_some_and(|first| first.is_some_and(|first| first >= 1_000_000))
    );
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn what_is_not_what_was_promised_is_refused() {
    let hub = hub();
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let before = desk.write("The price").await;
    hub.set_fault(Fault::WrongByte);
    desk.download(&hub.url(), "test/model").await;
    desk.is_refused_for_its_hash().await;

    hub.set_fault(Fault::LongerPointer);
    desk.download(&hub.url(), "test/model").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("model.safetensors"), "{problem}");
    desk.becomes("ready").await;

    hub.set_fault(Fault::None);
    desk.download(&hub.url(), "test/nothing").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("config.json") && problem.contains("404"), "{problem}");
    desk.becomes("ready").await;
    assert_eq!(desk.newest_post().await, before, "what was open stays open");
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_stopped_download_goes_on_later() {
    let hub = hub();
    let desk = Desk::open().await;
    hub.set_fault(Fault::StallAfter(6_000_000));
    desk.download(&hub.url(), "test/model").await;
    desk.is_half_way().await;
    desk.page.press("Stop").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("stopped") && problem.contains("kept"), "{problem}");
    desk.becomes("ready").await;
    desk.reload().await;

    desk.download(&hub.url(), "test/model").await;
    desk.hears("Sapling is ready.").await;
    assert!(
        hub.ranges()
            .last()
            .is_some_and(|first| first.is_some_and(|first| first >= 3_000_000))
    );
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_full_disk_is_said_and_everything_else_stays() {
    let hub = hub();
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let before = desk.write("The price").await;
    desk.have_space(Some(8_000_000)).await;
    desk.download(&hub.url(), "test/model").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("space"), "{problem}");
    desk.becomes("ready").await;
    assert_eq!(desk.write("The price").await, before, "what was open stays open");

    desk.have_space(None).await;
    desk.download(&hub.url(), "test/model").await;
    desk.hears("Sapling is ready").await;
    desk.becomes("ready").await;
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_second_tab_leaves_the_first_ones_download_alone() {
    let hub = hub();
    let desk = Desk::open().await;
    hub.set_fault(Fault::StallAfter(6_000_000));
    desk.download(&hub.url(), "test/model").await;
    desk.is_half_way().await;
    let first = desk.open_another_tab().await;
    desk.becomes("ready").await;
    desk.download(&hub.url(), "test/model").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("another tab"), "{problem}");
    desk.turn_to_tab(&first).await;
    desk.hears("Sapling is ready.").await;
    desk.is_unharmed().await;
}
