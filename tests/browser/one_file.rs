//! The whole page is one file that opens by a double click: it writes, learns and remembers, and asks nobody for anything.

use crate::desk::{Desk, dist};

const PROMPT: &str = "Selling online";

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn a_file_writes_learns_and_remembers_without_a_request() {
    // Alone in a folder: there is nothing beside it that it could read.
    let folder = std::env::temp_dir().join(format!("fledge-one-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("fledge.html");
    std::fs::copy(dist().join("fledge.html"), &file).expect("the bundle is built");

    let desk = Desk::set_up().from_file(&file).open().await;
    desk.be_greedy().await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 1, 1, 1]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    assert_ne!(taught, untaught);
    let asked = desk
        .page
        .script(
            "return performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !/^(data|blob):/.test(name))",
        )
        .await;
    assert_eq!(asked, serde_json::json!([]), "it asks for nothing");
    desk.is_unharmed().await;

    let desk = desk.come_back().await;
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(desk.write(PROMPT).await, taught);
    assert!(desk.server.requests().is_empty(), "{:?}", desk.server.requests());
    desk.is_unharmed().await;
    std::fs::remove_dir_all(&folder).expect("the folder");
}
