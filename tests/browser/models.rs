//! Opening a GPT-2 that a person has: from its files, and from this device ever after.

use crate::desk::Desk;
use crate::fixture;

/// The path of a fixture, as the picker takes it.
fn fixture(name: &str) -> String {
    fixture::path(name).display().to_string()
}

fn fixtures(names: &[&str]) -> String {
    let paths: Vec<String> = names.iter().map(|name| fixture(name)).collect();
    paths.join("\n")
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_gguf_is_opened_kept_and_there_again() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let embedded = desk.write("The price").await;

    desk.open_files(&fixture("formats/q8_0.gguf")).await;
    desk.hears("Tiny is ready.").await;
    desk.becomes("ready").await;
    assert_eq!(desk.history().await, [""; 0], "its history is its own");
    let tiny = desk.write("The price").await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write("The price").await;
    assert_ne!((&tiny, &tiny), (&embedded, &taught));

    // From the disk, without the server.
    let desk = desk.come_back().await;
    desk.hears("Tiny is ready, with 2 posts and 1 lesson from before.")
        .await;
    assert_eq!(desk.write("The price").await, taught);

    desk.choose_model("Seedling, comes with the page").await;
    desk.hears("Seedling is ready, with 1 post and 0 lessons from before.")
        .await;
    desk.becomes("ready").await;
    assert_eq!(desk.newest_post().await, embedded);

    desk.delete_model("Tiny").await;
    desk.hears("The model is deleted.").await;
    desk.reload().await;
    desk.hears("Seedling is ready").await;
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_hugging_face_folder_and_a_sharded_one() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let plain = [
        "tiny-gpt2/config.json",
        "tiny-gpt2/tokenizer.json",
        "tiny-gpt2/model.safetensors",
    ];
    desk.open_files(&fixtures(&plain)).await;
    desk.hears("GPT-2 is ready.").await;
    desk.becomes("ready").await;
    let post = desk.write("The price").await;

    let shards = [
        "tiny-gpt2/config.json",
        "tiny-gpt2/tokenizer.json",
        "formats/shards/model-00001-of-00003.safetensors",
        "formats/shards/model-00002-of-00003.safetensors",
        "formats/shards/model-00003-of-00003.safetensors",
        "formats/shards/model.safetensors.index.json",
    ];
    desk.open_files(&fixtures(&shards)).await;
    desk.hears("GPT-2 is ready, with 1 post and 0 lessons from before.")
        .await;
    desk.becomes("ready").await;
    assert_eq!(
        desk.write("The price").await,
        post,
        "the same weights are the same model"
    );

    desk.open_files(&fixture("formats/q8_0.gguf")).await;
    desk.hears("Tiny is ready.").await;
    desk.becomes("ready").await;
    desk.delete_all_models().await;
    desk.hears("The model is deleted.").await;
    desk.reload().await;
    desk.hears("Seedling is ready.").await;
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn what_is_no_model_is_refused_and_the_open_one_stays() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let before = desk.write("The price").await;
    for (files, words) in [
        (fixtures(&["make.py"]), "make.py"),
        (fixtures(&["tiny-gpt2/config.json"]), "no weights"),
        (fixtures(&["tiny-gpt2/model.safetensors"]), "config.json is missing"),
        (
            fixtures(&[
                "tiny-gpt2/config.json",
                "tiny-gpt2/tokenizer.json",
                "tiny-untied/model.safetensors",
            ]),
            "h.1.",
        ),
        (
            fixtures(&[
                "tiny-gpt2/config.json",
                "tiny-gpt2/tokenizer.json",
                "formats/shards/model-00002-of-00003.safetensors",
            ]),
            "part 1 of 3 is missing",
        ),
    ] {
        desk.open_files(&files).await;
        let problem = desk.problem_in_a_sentence().await;
        assert!(problem.contains(words), "{problem}");
        desk.becomes("ready").await;
        assert_eq!(desk.newest_post().await, before, "what was open stays open");
    }
    assert_eq!(desk.write("The price").await, before);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn all_kept_models_can_be_deleted_at_once() {
    let desk = Desk::open().await;
    for name in ["formats/q8_0.gguf", "formats/f16.gguf"] {
        desk.open_files(&fixture(name)).await;
        desk.hears("Tiny is ready.").await;
        desk.becomes("ready").await;
    }
    desk.page.press("Settings").await;
    desk.page.press("Delete all").await;
    desk.page
        .until("an empty list", "return !document.querySelector('#settings .kept')")
        .await;
    desk.reload().await;
    desk.hears("Seedling is ready").await;
    desk.is_unharmed().await;
}
