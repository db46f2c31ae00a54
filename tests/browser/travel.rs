//! The folder works wherever it is put.

use xtask::serve::Headers;

use crate::desk::Setup;

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn under_a_path_of_a_plain_host_it_works_too() {
    let desk = Setup::new(Headers::Plain, "/some/where/").open().await;
    desk.be_greedy().await;
    let untaught = desk.write("Advice for entrepreneurs").await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    assert_ne!(desk.write("Advice for entrepreneurs").await, untaught);
    desk.reload().await;
    assert_eq!(desk.lessons().await, 1);

    let astray: Vec<String> = desk
        .server
        .requests()
        .into_iter()
        .filter(|path| !path.starts_with("/some/where/"))
        .collect();
    assert!(
        astray.iter().all(|path| path == "/favicon.ico"),
        "asked for outside the folder: {astray:?}"
    );
    desk.is_unharmed().await;
}
