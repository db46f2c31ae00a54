//! Promise: a taste file from a stranger ends in a sentence or is what it says. Nothing that it carries is believed, and
//! reading it changes nothing.

use fledge::content::ContentType;
use fledge::engine::Model;
use fledge::exchange::taste::{gather, unpack};
use fledge::exchange::zip::{self, Files};
use fledge::exchange::{Error, Taste};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::fixtures::model;
use crate::taste_file::{desk, read};

/// The files of a good taste, without their checksums.
fn good() -> Files {
    let mut files = zip::read(&desk().zip()).expect("files");
    files.remove("SHA256SUMS");
    files
}

fn take(files: &Files, model: &Model) -> Result<Taste, Error> {
    read(&zip::write(files).expect("a zip"), model)
}

/// The sentence that the person would read.
#[track_caller]
fn refused(files: &Files) -> String {
    refused_by(files, &desk().model)
}

#[track_caller]
fn refused_by(files: &Files, model: &Model) -> String {
    match take(files, model) {
        Ok(_) => panic!("it is taken in"),
        Err(error) => sentence(&error),
    }
}

/// An error as a sentence's end: short, on one line, and in words.
#[track_caller]
fn sentence(error: &Error) -> String {
    let text = error.to_string();
    assert!(text.len() < 300 && text.contains(' '), "{text}");
    assert!(!text.chars().any(char::is_control), "{text}");
    text
}

/// A good taste with its first line of ratings changed.
fn with_line(change: impl FnOnce(&mut Value)) -> Files {
    let mut files = good();
    let file = String::from_utf8(files["ratings.jsonl"].clone()).expect("text");
    let (first, rest) = file.split_once('\n').expect("lines");
    let mut line: Value = serde_json::from_str(first).expect("JSON");
    change(&mut line);
    files.insert("ratings.jsonl".into(), format!("{line}\n{rest}").into_bytes());
    files
}

fn with_json(name: &str, change: impl FnOnce(&mut Value)) -> Files {
    let mut files = good();
    let mut json: Value = serde_json::from_slice(&files[name]).expect("JSON");
    change(&mut json);
    files.insert(name.into(), json.to_string().into_bytes());
    files
}

#[test]
fn what_is_good_is_taken() {
    assert!(take(&good(), &desk().model).is_ok());
}

#[test]
fn zips_that_lie_are_refused() {
    let zip = desk().zip();
    let zeros = vec![0; 100_000];
    let no_zip: [&[u8]; 4] = [b"", b"PK", b"PK\x05\x06", &zeros];
    for bytes in no_zip {
        sentence(&read(bytes, &desk().model).expect_err("no zip"));
    }
    for len in (0..zip.len()).step_by(997) {
        sentence(&read(&zip[..len], &desk().model).expect_err("half a zip"));
    }
    // One name, two files: the second one's name is changed to the first one's, in both of its headers.
    let two = Files::from([("a.json".into(), b"1".to_vec()), ("b.json".into(), b"2".to_vec())]);
    let mut twice = zip::write(&two).expect("a zip");
    for at in 0..twice.len() - 6 {
        if &twice[at..at + 6] == b"b.json" {
            twice[at] = b'a';
        }
    }
    assert!(matches!(zip::read(&twice), Err(Error::Duplicate(_))));
    // Encrypted, of several parts, too many.
    let central = zip.windows(4).position(|w| w == b"PK\x01\x02").expect("a table");
    let end = zip.len() - 22;
    for (at, value) in [
        (central + 8, 1),
        (end + 4, 1),
        (end + 8, 200),
        (end + 11, 200),
        (central + 10, 12),
    ] {
        let mut changed = zip.clone();
        changed[at] = value;
        sentence(&zip::read(&changed).expect_err("a lie"));
    }
}

#[test]
fn bombs_do_not_go_off() {
    // A million zeros in a thousand bytes, whole; then said to be ten bytes, and a gigabyte.
    let zeros = deflated_zeros();
    assert_eq!(
        zip::read(&one_deflated(&zeros, 1_000_000)).expect("a zip")["bomb"],
        vec![0; 1_000_000]
    );
    for size in [10, 1 << 30] {
        sentence(&zip::read(&one_deflated(&zeros, size)).expect_err("a bomb"));
    }
    // Many that are each within the bounds.
    let mut files = Files::new();
    for at in 0..300 {
        files.insert(format!("{at}"), Vec::new());
    }
    sentence(&zip::read(&zip::write(&files).expect("a zip")).expect_err("too many"));
}

/// A million zeros as zlib packs them, raw: `zlib.compressobj(9, zlib.DEFLATED, -15)` in Python 3.11.
fn deflated_zeros() -> Vec<u8> {
    let head = [0xed, 0xc1, 1, 1, 0, 0, 0, 0x82, 0x20, 0xff, 0xaf, 0x6e, 0x48, 0x40, 1];
    [&head[..], &[0; 968], &[0xaf, 6]].concat()
}

/// A zip of one deflated file that says it has this size.
fn one_deflated(data: &[u8], size: u32) -> Vec<u8> {
    let mut zip = zip::write(&Files::from([("bomb".into(), data.to_vec())])).expect("a zip");
    let central = zip.windows(4).position(|w| w == b"PK\x01\x02").expect("a table");
    for at in [8, central + 10] {
        zip[at] = 8;
    }
    for at in [22, central + 24] {
        zip[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    for at in [14, central + 16] {
        zip[at..at + 4].copy_from_slice(&crc32fast::hash(&vec![0; 1_000_000]).to_le_bytes());
    }
    zip
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../adapter_config.json", "/etc/passwd", "a/../../b", "C:\\x", "a\\b"] {
        let mut files = good();
        files.insert(name.into(), b"x".to_vec());
        let text = refused(&files);
        assert!(text.contains("no plain name"), "{text}");
    }
}

#[test]
fn another_models_taste_is_refused() {
    let other = model("tiny-untied");
    assert!(refused_by(&good(), &other).contains("another model"));
    // Without its papers the shapes decide.
    let mut bare = good();
    bare.retain(|name, _| name.starts_with("adapter_"));
    let embedded = crate::fixtures::embedded();
    assert!(refused_by(&bare, &embedded).contains("another model"));
    // Papers that say one thing, and ratings that say another.
    assert!(refused(&with_line(|line| line["base"] = "00".into())).contains("another model"));
    assert!(refused(&with_line(|line| line["content"] = "email".into())).contains("E-mail"));
    assert!(refused(&with_json("fledge.json", |about| about["content"] = "copy".into())).contains("Marketing copy"));
}

#[test]
fn adapters_that_make_no_sense_are_refused() {
    let config = |key: &'static str, value: Value| with_json("adapter_config.json", move |json| json[key] = value);
    for (key, value) in [
        ("r", json!(0)),
        ("r", json!(65)),
        ("r", json!(u64::MAX)),
        ("r", json!(-1)),
        ("r", json!("8")),
        ("r", json!(4)),
        ("lora_alpha", json!(0)),
        ("lora_alpha", json!(-16)),
        ("lora_alpha", json!(1e300)),
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("modules_to_save", json!(["lm_head"])),
        ("rank_pattern", json!({ "c_attn": 4 })),
        ("alpha_pattern", json!({ "c_attn": 4 })),
        ("peft_type", json!("IA3")),
        ("peft_type", json!("<script>alert(1)</script>")),
    ] {
        refused(&config(key, value));
    }
    for bytes in [&b""[..], b"{}", b"[]", b"{\"r\":", b"\xff\xfe"] {
        let mut files = good();
        files.insert("adapter_config.json".into(), bytes.to_vec());
        refused(&files);
    }
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let mut files = good();
        files.remove(name);
        assert!(refused(&files).contains("missing"));
    }
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let good = good();
    let weights = &good["adapter_model.safetensors"];
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let mut files = good.clone();
        let mut weights = weights.clone();
        let last = weights.len() - 4;
        weights[last..].copy_from_slice(&bad.to_le_bytes());
        files.insert("adapter_model.safetensors".into(), weights);
        assert!(refused(&files).contains("no usable numbers"));
    }
    // A header that promises more than there is, a header of 2⁶⁴ bytes, no header, a name that is none of the model's.
    let mut promises = weights.clone();
    promises.truncate(weights.len() - 8);
    let mut huge = weights.clone();
    huge[..8].fill(0xff);
    let mut renamed = weights.clone();
    let at = renamed.windows(6).position(|w| w == b"c_attn").expect("a name");
    renamed[at..at + 6].copy_from_slice(b"c_evil");
    for weights in [promises, huge, renamed, Vec::new(), vec![0; 8], b"<html>".to_vec()] {
        let mut files = good.clone();
        files.insert("adapter_model.safetensors".into(), weights);
        refused(&files);
    }
}

#[test]
fn ratings_that_make_no_sense_are_refused() {
    for (key, value) in [
        ("id", json!(0)),
        ("id", json!(2)),
        ("id", json!(u32::MAX)),
        ("id", json!(-1)),
        ("group", json!(u32::MAX)),
        ("edit_of", json!(u32::MAX)),
        ("chosen_over", json!([1])),
        ("chosen_over", json!([u32::MAX])),
        ("chosen_over", json!((2..100).collect::<Vec<_>>())),
        (
            "metrics",
            json!({ "relevance": 6, "clarity": 1, "originality": 1, "engagement": 1 }),
        ),
        ("ids", json!([])),
        ("ids", json!([4_000_000_000u32])),
        ("ids", json!([1.5])),
        ("ids", json!([-1])),
        ("ids", json!(vec![1; 100_000])),
        ("prompt_ids", json!([])),
        ("log_probs", json!([0.5])),
        ("log_probs", json!(null)),
        ("tokens", json!(1_000_000)),
        ("prompt", json!("x".repeat(50_000))),
        ("text", json!(7)),
        ("strength", json!(1e300)),
        ("strength", json!(-1)),
        ("millis", json!(-1)),
        ("written_at", json!(1e300)),
        ("exact", json!(["7ff8000000000000"])),
        ("exact", json!(["zz"])),
        ("lessons_before", json!(u32::MAX)),
        ("sampling", json!({ "temperature": 1e9 })),
        ("sampling", json!({ "length": u64::MAX })),
    ] {
        let name = format!("{key} = {}", value.to_string().chars().take(30).collect::<String>());
        let files = with_line(|line| line[key] = value);
        assert!(take(&files, &desk().model).is_err(), "{name}");
        refused(&files);
    }
    for file in [&b"{"[..], b"[]\n", b"null", b"\xff\xff", b"{\"id\":1,\"id\":2}"] {
        let mut files = good();
        files.insert("ratings.jsonl".into(), file.to_vec());
        refused(&files);
    }
}

#[test]
fn a_million_ratings_are_too_many() {
    let mut files = good();
    files.insert("ratings.jsonl".into(), b"{}\n".repeat(1_000_000));
    assert!(refused(&files).contains("20000 texts"));
}

#[test]
fn a_changed_file_is_found_by_its_checksum() {
    let files = zip::read(&desk().zip()).expect("files");
    for name in files.keys().filter(|name| *name != "SHA256SUMS") {
        let mut changed = files.clone();
        changed.get_mut(name).expect("a file").push(b' ');
        assert!(refused(&changed).contains("checksum"), "{name}");
    }
    // What somebody has taken out is no damage.
    let mut without = files.clone();
    without.remove("adapter.gguf");
    assert!(take(&without, &desk().model).is_ok());
}

#[test]
fn html_stays_text() {
    let evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
    let files = with_line(|line| {
        line["prompt"] = evil.into();
        line["text"] = evil.into();
    });
    let taste = take(&files, &desk().model).expect("text is text");
    assert_eq!(taste.records[0].post.prompt, evil);
    assert_eq!(taste.records[0].post.text, evil);
    // Where it is written into Markdown, it is none.
    let files = with_json("fledge.json", |about| {
        about["base"] = evil.into();
        about["repository"] = format!("{evil}\n\"injected: true").into();
    });
    let info = take(&files, &desk().model).expect("text is text").info;
    let card = fledge::exchange::card::write(&info);
    assert!(!card.contains('<') && !card.contains("\ninjected"), "{card}");
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let zip = desk().zip();
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..400 {
        let mut changed = zip.clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..changed.len());
            changed[at] = rng.random();
        }
        if let Err(error) = read(&changed, &desk().model) {
            sentence(&error);
        }
        // The same inside the zip, where no checksum is in the way.
        let mut files = good();
        let name = files
            .keys()
            .nth(rng.random_range(0..files.len()))
            .expect("a name")
            .clone();
        let bytes = files.get_mut(&name).expect("a file");
        let at = rng.random_range(0..bytes.len().min(2000));
        bytes[at] = rng.random();
        if let Err(error) = take(&files, &desk().model) {
            sentence(&error);
        }
    }
}

#[test]
fn files_that_are_no_taste_are_told_apart() {
    for picked in [
        vec![("photo.jpg".to_owned(), vec![0xff, 0xd8])],
        vec![
            ("config.json".into(), b"{}".to_vec()),
            ("model.safetensors".into(), Vec::new()),
        ],
        Vec::new(),
    ] {
        let files = gather(picked).expect("files");
        let error = unpack(&files, &desk().model, ContentType::Post).expect_err("no taste");
        assert!(matches!(error, Error::Nothing));
    }
}
