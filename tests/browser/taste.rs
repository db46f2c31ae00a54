//! What was taught leaves the page as a file and comes back as it was; a stranger's file does no harm.

use std::path::{Path, PathBuf};

use fledge::exchange::zip;
use serde_json::{Value, json};

use crate::desk::Desk;

const PROMPT: &str = "Raising your prices";

/// An empty folder of this test's own, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn fresh(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fledge-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// Writes a file and returns its path as the picker wants it.
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path_of(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn path_of(path: &Path) -> String {
    path.to_str().expect("a path").to_owned()
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn what_was_exported_and_forgotten_comes_back() {
    let folder = Folder::fresh("travels");
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.weigh("Clarity", true).await;
    let weight = desk.weight("Clarity").await;
    let untaught = desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 2]).await;
    desk.teach().await;
    let taught = desk.write(PROMPT).await;
    assert_ne!(taught, untaught);
    desk.rate([3, 4, 5, 2]).await;
    let (history, curve) = (desk.history().await, desk.curve().await);
    let file = path_of(&desk.export(&folder.0).await);

    desk.forget().await;
    desk.weigh("Clarity", false).await;
    desk.look_at_file(&file).await;
    let facts = desk.offer().await;
    for fact in ["Seedling", "2 of 2 texts", "rank 8", "from 1 lesson"] {
        assert!(facts.contains(fact), "{fact} is not in {facts}");
    }
    assert_eq!(
        (desk.lessons().await, desk.history().await.len()),
        (0, 0),
        "it only looked"
    );
    desk.take_in().await;
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(
        desk.weight("Clarity").await,
        weight,
        "who has rated nothing weighs as the file does"
    );
    assert_eq!(
        (desk.history().await, desk.curve().await),
        (history.clone(), curve.clone())
    );
    assert_eq!(desk.newest_post().await, taught);

    desk.reload().await;
    assert_eq!(
        (desk.lessons().await, desk.history().await),
        (1, history.clone()),
        "it is durable"
    );
    assert_eq!(desk.ratings().await, [3, 4, 5, 2]);
    desk.be_greedy().await;
    assert_eq!(desk.write(PROMPT).await, taught, "to the letter");
    desk.undo().await;
    assert_eq!(desk.write(PROMPT).await, untaught, "it is a lesson like others");

    // A second time, nothing is taken twice.
    let posts = desk.history().await.len();
    desk.weigh("Clarity", false).await;
    let own = desk.weight("Clarity").await;
    desk.look_at_file(&file).await;
    desk.take_in().await;
    assert_eq!(desk.history().await.len(), posts);
    assert_eq!(
        desk.weight("Clarity").await,
        own,
        "who has rated weighs on as before, unless they say so"
    );
    assert_eq!(desk.write(PROMPT).await, taught);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn what_is_no_taste_is_refused_in_a_sentence() {
    let folder = Folder::fresh("refused");
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let taught = {
        desk.write(PROMPT).await;
        desk.rate([1, 1, 1, 1]).await;
        desk.teach().await;
        desk.write(PROMPT).await
    };
    let good = std::fs::read(desk.export(&folder.0).await).expect("a taste file");
    let mut nan = zip::read(&good).expect("files");
    nan.remove("SHA256SUMS");
    let weights = nan.get_mut("adapter_model.safetensors").expect("weights");
    let last = weights.len() - 4;
    weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let files = [
        folder.file("text.zip", b"no zip"),
        folder.file("half.zip", &good[..good.len() / 2]),
        folder.file("nan.zip", &zip::write(&nan).expect("a zip")),
        folder.file("notes.json", b"{}"),
    ];
    for file in files {
        desk.pick_taste(&file).await;
        let problem = desk.problem_in_a_sentence().await;
        assert!(problem.ends_with("Nothing has changed."), "{problem}");
        // A new try takes the old problem away.
        desk.leave_no_problem().await;
    }

    // The same by dropping a file on the page.
    let drop = "const data = new DataTransfer();
        data.items.add(new File(['no zip'], 'dropped.zip'));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))";
    desk.page.script(drop).await;
    assert!(desk.problem_in_a_sentence().await.ends_with("Nothing has changed."));
    assert_eq!(desk.lessons().await, 1);
    assert_eq!(desk.write(PROMPT).await, taught);
    desk.is_unharmed().await;
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn html_in_a_strangers_file_is_text() {
    let folder = Folder::fresh("html");
    let evil = "<img src=x onerror=\"window.evil = true\"><script>window.evil = true</script>";
    let desk = Desk::open().await;
    desk.be_greedy().await;
    desk.write(PROMPT).await;
    desk.rate([1, 2, 1, 2]).await;
    let mut files = zip::read(&std::fs::read(desk.export(&folder.0).await).expect("a file")).expect("files");
    files.remove("SHA256SUMS");
    let change = |bytes: &[u8], keys: &[&str]| {
        let mut json: Value = serde_json::from_slice(bytes).expect("JSON");
        for key in keys {
            json[*key] = json!(evil);
        }
        format!("{json}\n").into_bytes()
    };
    files.insert(
        "ratings.jsonl".into(),
        change(&files["ratings.jsonl"], &["prompt", "text"]),
    );
    files.insert(
        "fledge.json".into(),
        change(&files["fledge.json"], &["base", "repository"]),
    );
    let file = folder.file("evil.zip", &zip::write(&files).expect("a zip"));

    desk.forget().await;
    desk.look_at_file(&file).await;
    assert!(desk.offer().await.contains("<img"), "it is shown as what it is");
    desk.take_in().await;
    assert_eq!(desk.newest_post().await, evil);
    let harm = "return window.evil === true || document.querySelector('img[src=x]') !== null";
    assert_eq!(desk.page.script(harm).await, json!(false));
    desk.reload().await;
    assert_eq!(desk.page.script(harm).await, json!(false));
    desk.is_unharmed().await;
}
