//! Files that were damaged on their way: each ends in a sentence, soon, and the model that is open stays open.

use std::path::PathBuf;

use fledge::engine::weights::WeightFile;
use fledge::engine::{Model, ModelFiles};
use fledge::settings::Precision;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::damage::damage;
use crate::desk::Desk;
use crate::fixture;

/// Damaged models that are shown to the page.
const COUNT: usize = 200;
/// So long, in milliseconds, a refusal may take.
const SOON: f64 = 2000.0;

/// The files of a model, one of which is damaged. `turn` says which.
fn damaged(turn: usize, rng: &mut StdRng) -> Vec<(&'static str, Vec<u8>)> {
    let gguf = ["f16.gguf", "q8_0.gguf", "q4_0.gguf", "k.gguf"][turn / 4 % 4];
    if turn % 4 == 3 {
        return vec![(gguf, damage(&fixture::bytes(&format!("formats/{gguf}")), rng, 8000))];
    }
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    let mut files: Vec<(&str, Vec<u8>)> = names
        .into_iter()
        .map(|name| (name, fixture::bytes(&format!("tiny-gpt2/{name}"))))
        .collect();
    let (_, bytes) = &mut files[turn % 4];
    *bytes = damage(bytes, rng, 3500);
    files
}

/// Whether these files are a model after all: a letter of the vocabulary is another one, or a weight.
fn is_a_model(files: &[(&str, Vec<u8>)]) -> bool {
    let file = |at: usize| files[at].1.clone();
    let weights = |at: usize| WeightFile::from_bytes(files[at].0, file(at));
    let files = if files.len() == 1 {
        ModelFiles::from_gguf(weights(0))
    } else {
        Ok(ModelFiles {
            config: file(0),
            tokenizer: file(1),
            weights: vec![weights(2)],
            card: None,
            name: None,
        })
    };
    files.and_then(|files| Model::load(files, Precision::default())).is_ok()
}

#[tokio::test]
#[ignore = "needs a built page: cargo xtask test"]
async fn two_hundred_damaged_models_are_refused_and_the_open_one_stays() {
    let desk = Desk::open().await;
    desk.be_greedy().await;
    let before = desk.write("The price").await;
    let folder = Folder::new();
    let mut rng = StdRng::seed_from_u64(2);
    let damaged = (0..)
        .map(|turn| damaged(turn, &mut rng))
        .filter(|files| !is_a_model(files));
    let mut slowest = 0f64;
    for (turn, files) in damaged.take(COUNT).enumerate() {
        let paths = files.iter().map(|(name, bytes)| folder.write(name, bytes));
        let (problem, millis) = desk.is_refused(&paths.collect::<Vec<_>>().join("\n")).await;
        assert!(millis < SOON, "{turn}: {problem} ({millis} ms)");
        slowest = slowest.max(millis);
    }
    println!("the slowest of {COUNT} refusals took {slowest:.0} ms");
    assert_eq!(desk.write("The price").await, before);
    desk.is_unharmed().await;
}

/// A folder that is deleted in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fledge-damaged-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// Writes a file; returns its path.
    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
