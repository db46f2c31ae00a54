//! Promise: what a person taught travels. Out of the page and into another one it is the same, field by field and bit by bit;
//! other programs find their own formats in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use fledge::content::ContentType;
use fledge::engine::{Adapter, Model};
use fledge::exchange::merge::{Merged, merge};
use fledge::exchange::pairs::Choices;
use fledge::exchange::taste::{Source, gather, pack, unpack};
use fledge::exchange::{Error, Record, Taste, records, zip};
use fledge::feedback::{Metric, PartialRatings, Stars, Weights};
use fledge::learning::Learner;
use fledge::protocol::{Ending, Lesson, LessonKind, Post, Tally, Taught};
use fledge::settings::{Lora, Sampling, Targets, Teaching};
use fledge::timeline::Timeline;

use crate::fixtures::{Reference, embedded, file, greedy, model, values, write, write_several};

pub const PROMPT: &str = "A customer who complains";

/// Everything that a taste file is made from.
pub struct Desk {
    pub model: Model,
    pub adapter: Adapter,
    pub records: Vec<Record>,
    pub timeline: Timeline,
}

impl Desk {
    pub fn source(&self) -> Source<'_> {
        Source {
            model: &self.model,
            repository: None,
            content: ContentType::Post,
            adapter: Some(&self.adapter),
            records: &self.records,
            timeline: &self.timeline,
            weights: Weights::default(),
            ratings: true,
            made_at: 1_795_892_994_000.0,
        }
    }

    pub fn zip(&self) -> Vec<u8> {
        pack(&self.source()).expect("a taste file")
    }
}

/// Four candidates for one prompt, rated, and one of them edited; an adapter that is not zero.
pub fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| make_desk(model("tiny-gpt2")))
}

pub fn make_desk(model: Model) -> Desk {
    let sampling = Sampling {
        length: 12,
        temperature: 1.0 / 3.0,
        ..Sampling::default()
    };
    let texts = write_several(&model, None, PROMPT, &sampling, 4);
    let mut records: Vec<Record> = texts
        .into_iter()
        .zip(1..)
        .map(|(completion, id)| Record {
            post: Post {
                id,
                content: ContentType::Post,
                group: 1,
                edit_of: None,
                prompt: PROMPT.into(),
                text: completion.text.clone(),
                tokens: completion.ids.len(),
                sampling: Sampling {
                    seed: u64::from(id) << 40,
                    ..sampling
                },
                ending: Ending::Length,
                lessons_before: 0,
                written_at: 1_795_892_994_000.125 + f64::from(id),
                millis: 1000.0 / 3.0,
                strength: 0.15_f64 + 0.7,
                ratings: rated(id as u8),
                filled_in: PartialRatings::default(),
                chosen_over: Vec::new(),
            },
            completion,
        })
        .collect();
    // The third is not rated on every metric, the fourth not at all.
    records[2].post.ratings = PartialRatings::default();
    records[2].post.ratings.set(Metric::Clarity, Stars::FIVE);
    records[2].post.filled_in = rated(2);
    records[3].post.ratings = PartialRatings::default();
    let mut edit = records[0].clone();
    edit.post.id = 5;
    edit.post.group = 5;
    edit.post.edit_of = Some(1);
    edit.post.ratings = PartialRatings::default();
    edit.post.text = "<b>Mine</b> & \"yours\"\n".into();
    edit.completion.text.clone_from(&edit.post.text);
    edit.completion.ids = model.tokenizer().encode(" Mine and yours").expect("ids");
    edit.post.tokens = edit.completion.ids.len();
    edit.completion.log_probs = Vec::new();
    records.push(edit);
    let mut timeline = Timeline::default();
    timeline.learn(lesson(LessonKind::Preferred, &[2, 4]), 10);
    Desk {
        adapter: adapter(&model, Lora::default()),
        model,
        records,
        timeline,
    }
}

fn rated(stars: u8) -> PartialRatings {
    let mut ratings = PartialRatings::default();
    for metric in Metric::ALL {
        ratings.set(metric, Stars::new(stars.clamp(1, 5)).expect("stars"));
    }
    ratings
}

fn lesson(kind: LessonKind, posts: &[u32]) -> Lesson {
    let taught = |post: &u32| Taught {
        post: *post,
        reward: None,
        baseline: 0.5,
        coefficient: 0.1,
        log_prob_before: -3.0,
        log_prob_after: -2.0,
    };
    Lesson {
        posts: posts.iter().map(taught).collect(),
        kind,
        teaching: Teaching::default(),
        steps: Vec::new(),
        replayed: 0,
        practised: 0,
        rater: None,
        learned_at: 0.0,
        after: None,
        breach: None,
        tally: Tally {
            taught: 9,
            untaught: 2,
            ties: 1,
        },
        measured: None,
    }
}

/// An adapter whose both halves are not zero.
pub fn adapter(model: &Model, lora: Lora) -> Adapter {
    let a = Adapter::fresh(model.config(), lora, 1).expect("an adapter");
    let mut seed = 0u32;
    a.map(|tensor| {
        let count = tensor.elem_count() as u32;
        seed += 1;
        let values: Vec<f32> = (0..count)
            .map(|i| ((i * 31 + seed * 17) % 101) as f32 / 1000.0 - 0.05)
            .collect();
        candle_core::Tensor::from_vec(values, tensor.dims(), tensor.device()).expect("a tensor")
    })
}

pub fn read(zip: &[u8], model: &Model) -> Result<Taste, Error> {
    let files = gather(vec![("taste.zip".into(), zip.to_vec())])?;
    unpack(&files, model, ContentType::Post)
}

fn bits(adapter: &Adapter) -> BTreeMap<String, Vec<u32>> {
    let bits = |tensor| values(tensor).iter().map(|value| value.to_bits()).collect();
    adapter.tensors().map(|(name, tensor)| (name, bits(tensor))).collect()
}

#[test]
fn out_and_in_again_is_the_identity() {
    let desk = desk();
    let taste = read(&desk.zip(), &desk.model).expect("a taste");
    let mut expected = desk.records.clone();
    // What a lesson said there, the text itself says here.
    expected[1].post.chosen_over = vec![4];
    assert_eq!(taste.records, expected);
    let adapter = taste.adapter.expect("an adapter");
    assert_eq!(adapter.lora(), desk.adapter.lora());
    assert_eq!(bits(&adapter), bits(&desk.adapter));
    let info = taste.info;
    assert_eq!((info.texts, info.ratings, info.lessons), (5, 2, 1));
    assert_eq!(info.base_id, desk.model.id());
    assert_eq!(info.tally.count(), 12);
    // And packed again by whoever took it in, the texts are the same bytes.
    let mut timeline = Timeline::default();
    timeline.learn(lesson(LessonKind::Imported, &[1, 2, 3, 4, 5]), 10);
    let again = pack(&Source {
        adapter: Some(&adapter),
        records: &taste.records,
        timeline: &timeline,
        ..desk.source()
    });
    let file = |zip: &[u8], name: &str| zip::read(zip).expect("files")[name].clone();
    let (first, second) = (desk.zip(), again.expect("a taste file"));
    for name in [
        "ratings.jsonl",
        "adapter_model.safetensors",
        "adapter.gguf",
        "kto.jsonl",
        "preferences.jsonl",
    ] {
        assert!(file(&first, name) == file(&second, name), "{name}");
    }
}

#[test]
fn the_same_taste_is_the_same_bytes() {
    assert!(desk().zip() == desk().zip());
}

#[test]
fn any_shape_of_adapter_travels() {
    let model = model("tiny-gpt2");
    for mask in 1..16 {
        let targets = Targets {
            attention_in: mask & 1 != 0,
            attention_out: mask & 2 != 0,
            mlp_in: mask & 4 != 0,
            mlp_out: mask & 8 != 0,
        };
        let lora = Lora {
            rank: 1 + mask,
            alpha: mask as f64 / 10.0,
            targets,
        };
        let mine = Desk {
            adapter: adapter(&model, lora),
            model: crate::fixtures::model("tiny-gpt2"),
            records: Vec::new(),
            timeline: Timeline::default(),
        };
        let taste = read(&mine.zip(), &model).expect("a taste");
        let adapter = taste.adapter.expect("an adapter");
        assert_eq!(adapter.lora(), &lora);
        assert_eq!(bits(&adapter), bits(&mine.adapter));
    }
}

#[test]
fn who_keeps_the_ratings_to_themselves_sends_none() {
    let desk = desk();
    let zip = pack(&Source {
        ratings: false,
        ..desk.source()
    });
    let zip = zip.expect("a taste file");
    let names: Vec<String> = zip::read(&zip).expect("files").into_keys().collect();
    let expected = [
        "README.md",
        "SHA256SUMS",
        "adapter.gguf",
        "adapter_config.json",
        "adapter_model.safetensors",
        "fledge.json",
    ];
    assert_eq!(names, expected);
    let text = String::from_utf8_lossy(&zip).into_owned();
    assert!(!text.contains(PROMPT) && !text.contains("Mine"));
    assert_eq!(read(&zip, &desk.model).expect("a taste").records, []);
}

#[test]
fn ratings_travel_without_an_adapter_and_nothing_does_not() {
    let desk = desk();
    let nothing = Timeline::default();
    let without = |records| Source {
        adapter: None,
        records,
        timeline: &nothing,
        ..desk.source()
    };
    let zip = pack(&without(&desk.records[..2])).expect("a taste file");
    let taste = read(&zip, &desk.model).expect("a taste");
    assert!(taste.adapter.is_none() && taste.records == desk.records[..2]);
    assert!(matches!(pack(&without(&desk.records[3..4])), Err(Error::Nothing)));
}

fn lines(zip: &[u8], name: &str) -> Vec<serde_json::Value> {
    let file = zip::read(zip).expect("files").remove(name).expect("a file");
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

#[test]
fn trl_finds_its_columns() {
    let desk = desk();
    let zip = desk.zip();
    let text = |id: usize| records::text(&desk.records[id - 1], &desk.model).expect("a text");
    let pair = |chosen: usize, rejected: usize| {
        let prompt = PROMPT;
        serde_json::json!({ "prompt": prompt, "chosen": text(chosen), "rejected": text(rejected) })
    };
    // The choice of 2 over 4, the edit over its original, and 2 stars over 1.
    assert_eq!(lines(&zip, "preferences.jsonl"), [pair(2, 4), pair(5, 1), pair(2, 1)]);
    let label =
        |id: usize, label: bool| serde_json::json!({ "prompt": PROMPT, "completion": text(id), "label": label });
    // Rewards of 0 and 0.25: the mean lies between.
    assert_eq!(
        lines(&zip, "kto.jsonl"),
        [label(1, false), label(2, true), label(5, true)]
    );
    let first = &lines(&zip, "ratings.jsonl")[1];
    assert_eq!(first["metrics"]["clarity"], 2);
    assert_eq!(first["reward"], 0.25);
    assert_eq!(first["weights"]["relevance"], 30.0);
    assert_eq!(first["base"], desk.model.id());
    assert_eq!(first["time"], "2026-11-28T19:09:54.002Z");
    assert_eq!(first["seed"], 2u64 << 40);
    assert!(first["log_prob"].as_f64().expect("a number") < 0.0);
}

#[test]
fn the_card_says_what_it_is() {
    let desk = desk();
    let card = zip::read(&desk.zip())
        .expect("files")
        .remove("README.md")
        .expect("a card");
    let card = String::from_utf8(card).expect("text");
    assert!(card.starts_with("---\nlibrary_name: peft\n"), "{card}");
    for words in [
        "2 of 5 texts",
        "advantage over the person's usual reward",
        "79 % of 12 blind comparisons",
        "95 % interval",
        "2026-11-28T19:09:54.000Z",
    ] {
        assert!(card.contains(words), "{words} is not in {card}");
    }
}

#[test]
fn checksums_are_those_of_sha256sum() {
    use sha2::Digest as _;
    let files = zip::read(&desk().zip()).expect("files");
    let sums = String::from_utf8(files["SHA256SUMS"].clone()).expect("text");
    assert_eq!(sums.lines().count(), files.len() - 1);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").expect("two columns");
        let byte = |at| u8::from_str_radix(&sum[at..at + 2], 16).expect("hexadecimal");
        let found: Vec<u8> = (0..64).step_by(2).map(byte).collect();
        assert_eq!(found, sha2::Sha256::digest(&files[name]).to_vec(), "{name}");
    }
}

#[test]
fn a_bare_folder_of_peft_is_an_adapter_too() {
    let desk = desk();
    let files = zip::read(&desk.zip()).expect("files");
    let two = ["adapter_config.json", "adapter_model.safetensors"];
    let picked: Vec<_> = two
        .iter()
        .map(|name| ((*name).to_owned(), files[*name].clone()))
        .collect();
    let loose = unpack(&gather(picked.clone()).expect("files"), &desk.model, ContentType::Email).expect("an adapter");
    assert_eq!(bits(&loose.adapter.expect("an adapter")), bits(&desk.adapter));
    let in_a_folder = picked
        .into_iter()
        .map(|(name, bytes)| (format!("my/adapter/{name}"), bytes));
    let zip = zip::write(&in_a_folder.collect()).expect("a zip");
    let zipped = read(&zip, &desk.model).expect("an adapter");
    assert_eq!(bits(&zipped.adapter.expect("an adapter")), bits(&desk.adapter));
    assert_eq!((zipped.info.base_id.as_str(), zipped.info.ratings), ("", 0));
}

#[test]
fn what_peft_wrote_itself_is_taken_in() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let names = ["adapter_config.json", "adapter_model.safetensors"];
    let picked = names.map(|name| (name.to_owned(), file(&format!("tiny-lora/{name}"))));
    let files = gather(picked.to_vec()).expect("files");
    let taste = unpack(&files, &model, ContentType::Post).expect("an adapter");
    let expected = reference.adapter(&model, "tiny/init");
    let adapter = taste.adapter.expect("an adapter");
    assert_eq!(adapter.lora(), expected.lora());
    assert_eq!(
        bits(&adapter),
        bits(&expected),
        "adapters.rs shows that these give peft's logits"
    );
}

#[test]
fn merging_twice_changes_nothing() {
    let desk = desk();
    let none = Choices::new();
    let first = merge(&[], 1, &none, &desk.records);
    assert_eq!(
        (first.changed.as_slice(), first.new),
        (desk.records.as_slice(), 5),
        "an empty desk keeps every number"
    );
    let again = merge(&first.changed, 6, &none, &desk.records);
    assert_eq!((again.changed.len(), again.new), (0, 0));
    assert_eq!(again.ids, [1, 2, 3, 4, 5]);

    // Beside other texts they get other numbers, and stay what they are to each other.
    let mut own = desk.records[..1].to_vec();
    own[0].post.prompt = "Another one".into();
    own[0].post.id = 3;
    let merged = merge(&own, 4, &none, &desk.records);
    assert_eq!(merged.ids, [4, 5, 6, 7, 8]);
    let of = |at: usize| (merged.changed[at].post.group, merged.changed[at].post.edit_of);
    assert_eq!([of(0), of(3), of(4)], [(4, None), (4, None), (8, Some(4))]);

    // One's own stars stay; missing ones are taken over.
    let mut own = desk.records[..2].to_vec();
    own[0].post.ratings = rated(5);
    own[1].post.ratings = PartialRatings::default();
    let merged = merge(&own, 3, &none, &desk.records[..2]);
    assert_eq!((merged.changed.len(), merged.new), (1, 0));
    assert_eq!(merged.changed[0], desk.records[1]);
}

#[test]
fn a_choice_travels_with_the_texts_that_it_was_made_among() {
    let desk = desk();
    let mut read = desk.records.clone();
    read[1].post.chosen_over = vec![4, 9];
    let chosen = |merged: &Merged, id| -> Vec<u32> {
        let record = merged.changed.iter().find(|record| record.post.id == id);
        record.map_or_else(Vec::new, |record| record.post.chosen_over.clone())
    };
    let mut other = desk.records[0].clone();
    other.post.prompt = "Another one".into();
    let beside = merge(&[other], 2, &Choices::new(), &read);
    assert_eq!(
        chosen(&beside, 3),
        [5],
        "under its new number, and without what is not there"
    );

    // Where the same texts are, it is taken over unless it was made there too.
    let here = merge(&desk.records, 6, &Choices::new(), &read);
    assert_eq!((chosen(&here, 2), here.changed.len(), here.new), (vec![4], 1, 0));
    let known = Choices::from([(2, [4].into())]);
    assert_eq!(merge(&desk.records, 6, &known, &read).changed, []);
}

#[test]
fn the_taken_in_adapter_writes_the_same_text() {
    let model = embedded();
    let mine = make_desk(embedded());
    let taste = read(&mine.zip(), &model).expect("a taste");
    let learner = Learner::from_adapter(model.config(), &taste.adapter.expect("an adapter")).expect("a learner");
    let text = |adapter| write(&model, Some(adapter), PROMPT, &greedy(12)).ids;
    assert_eq!(text(learner.adapter()), text(&mine.adapter));
}
