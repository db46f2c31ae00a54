//! The worker comes in two builds: this browser gets the fast one, any browser can have the other.

use xtask::serve::Replacement;

use crate::desk::Desk;

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn the_fast_engine_is_chosen_and_the_other_can_be() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    assert!(desk.computes_with().await.starts_with("relaxed-simd"));
    let fast = desk.write("The price").await;

    desk.choose_engine("For every browser").await;
    desk.becomes("ready").await;
    assert_eq!(desk.computes_with().await, "simd128");
    assert_eq!(desk.newest_post().await, fast, "what was kept is there");
    assert_eq!(desk.write("The price").await, fast, "both compute the same");
    desk.rate([5, 4, 3, 2]).await;
    desk.teach().await;
    desk.write("The price").await;

    // The choice lasts, and so does what the other engine taught.
    desk.reload().await;
    assert_eq!(desk.computes_with().await, "simd128");
    desk.choose_engine("The fastest").await;
    desk.becomes("ready").await;
    assert!(desk.computes_with().await.starts_with("relaxed-simd"));
    assert_eq!((desk.history().await.len(), desk.lessons().await), (3, 1));
    desk.write("The price").await;
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn where_the_fast_engine_does_not_start_the_other_takes_over() {
    let setup = Desk::set_up();
    setup
        .overlay()
        .replace("fast/worker.js", Replacement::body("throw new Error('not here')"));
    let desk = setup.open().await;
    let problem = desk.problem_in_a_sentence().await;
    assert!(problem.contains("takes over"), "{problem}");
    assert_eq!(desk.computes_with().await, "simd128");
    desk.set("Length", "12").await;
    desk.write("The price").await;
    assert_eq!(desk.problem().await, "");
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn exact_weights_write_and_learn_in_both_engines() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.keep_in_memory_as("Exact").await;
    desk.becomes("ready").await;
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        // The page is cross-origin isolated, and by now the helpers are there.
        assert!(desk.computes_with().await.ends_with(" threads"));
    }
    let mut posts = Vec::new();
    for engine in ["Fast", "For every browser"] {
        desk.choose_engine(engine).await;
        desk.becomes("ready").await;
        posts.push(desk.write("The price").await);
        desk.rate([1, 1, 1, 1]).await;
        desk.teach().await;
        assert_ne!(Some(&desk.write("The price").await), posts.last());
        desk.undo().await;
    }
    assert_eq!(posts[0], posts[1], "both compute the same");
    desk.is_unharmed().await;
}
