//! A model of GPT-2's whole size (124M, half a gigabyte): fetched over a bad connection, kept, opened without any, and exact.

use std::time::Duration;

use safetensors::SafeTensors;

use crate::desk::Desk;
use crate::hub::{Fault, Hub};
use crate::{fixture, formula};

/// What transformers writes after the prompt, always taking the likeliest token; every word is a token.
fn expected_words() -> Vec<String> {
    let reference = fixture::bytes("reference.safetensors");
    let reference = SafeTensors::deserialize(&reference).expect("reference.safetensors");
    let ids = reference.tensor("large/greedy").expect("ids");
    let ids = ids.data().chunks_exact(8);
    ids.map(|id| format!("w{}", i64::from_le_bytes(id.try_into().expect("8 bytes"))))
        .collect()
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn gpt2_is_fetched_refused_resumed_kept_and_writes_what_transformers_writes() {
    let hub = Hub::start(vec![
        ("config.json", formula::config(12)),
        (
            "tokenizer.json",
            formula::tokenizer(&fixture::bytes("tiny-gpt2/tokenizer.json")),
        ),
        ("model.safetensors", formula::weights(12, 0.24)),
    ]);
    let mut desk = Desk::open().await;
    desk.page.patience = Duration::from_mins(5);
    desk.set("Temperature", "0").await;
    desk.set("Repetition penalty", "1").await;
    desk.set("Length", "32").await;

    hub.set_fault(Fault::WrongByte);
    desk.download(&hub.url(), "test/model").await;
    desk.is_refused_for_its_hash().await;
    let before = hub.ranges().len();

    hub.set_fault(Fault::DropAfter(200_000_000));
    desk.download(&hub.url(), "test/model").await;
    desk.hears("test/model is ready.").await;
    desk.becomes("ready").await;
    let starts = &hub.ranges()[before..];
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert!(starts[1].is_some_and(|first| first > 100_000_000), "{starts:?}");
    let in_8_bits = desk.write("Advice").await;

    hub.go_away();
    let mut desk = desk.come_back().await;
    desk.page.patience = Duration::from_mins(5);
    desk.hears("test/model is ready, with 1 post and 0 lessons from before.")
        .await;
    assert_eq!(desk.write("Advice").await, in_8_bits);

    // Stop while it is read again; the one that is open stays open.
    desk.keep_in_memory_as("Exact").await;
    desk.becomes("loading").await;
    desk.page.press("Stop").await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("stopped"), "{problem}");
    desk.becomes("ready").await;
    assert_eq!(desk.write("Advice").await, in_8_bits);

    desk.reload().await;
    desk.hears("test/model is ready, with 3 posts and 0 lessons from before.")
        .await;
    let expected = expected_words();
    let found = desk.write("Advice").await;
    assert_eq!(found.split(' ').collect::<Vec<_>>(), expected, "f32");
    let same = in_8_bits.split(' ').zip(&expected).take_while(|(a, b)| a == b).count();
    println!("in 8 bits the first {same} of 32 tokens are those of f32");
    desk.delete_model("test/model").await;
    desk.hears("The model is deleted.").await;
    desk.is_unharmed().await;
}
