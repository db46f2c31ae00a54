//! Promise: with GPT-2's own vocabulary, the ids are those of transformers' GPT2Tokenizer, and they give the text back.
//!
//! GPT-2's files are not part of this repository. Where they are at hand:
//! `FLEDGE_GPT2_TOKENIZER=folder cargo test --no-default-features --test native gpt2 -- --ignored`

use std::path::PathBuf;

use fledge::engine::{Config, Tokenizer, tokenizer};
use serde_json::Value;

use crate::fixtures::file;

fn gpt2(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("FLEDGE_GPT2_TOKENIZER").expect("FLEDGE_GPT2_TOKENIZER names GPT-2's folder");
    std::fs::read(PathBuf::from(folder).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
#[ignore = "needs GPT-2's vocabulary, which is not ours to ship"]
fn a_page_of_mixed_text_has_the_ids_of_transformers() {
    let config = Config::from_json(b"{}").expect("GPT-2's config");
    let whole = gpt2("tokenizer.json");
    let parts = tokenizer::from_parts(&gpt2("vocab.json"), &gpt2("merges.txt")).expect("parts");
    let expected: Value = serde_json::from_slice(&file("gpt2_tokenizer.json")).expect("JSON");
    for json in [whole, parts] {
        let tokenizer = Tokenizer::from_json(&json, &config).expect("a tokenizer");
        assert_eq!(tokenizer.end_of_text(), Some(50256));
        for row in expected.as_array().expect("rows") {
            let text = row["text"].as_str().expect("a text");
            let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).expect("ids");
            assert_eq!(tokenizer.encode(text).expect("ids"), ids, "{text:?}");
            let back = tokenizer.decode(&ids).expect("a text");
            assert_eq!(back, text.replace("<|endoftext|>", ""), "round trip");
        }
    }
}
