//! Promise: a post is reproducible, ends where it should, and holds whole characters only.

use fledge::content::ContentType;
use fledge::engine::generation::Ending;
use fledge::engine::{Generation, Model};
use fledge::length;
use fledge::settings::{Precision, Sampling};

use crate::fixtures::{embedded, embedded_as, files, greedy, model, write, write_several};

#[test]
fn the_same_seed_gives_the_same_post_and_another_seed_another() {
    let model = embedded();
    let sampling = Sampling {
        seed: 11,
        length: 24,
        ..Sampling::default()
    };
    let first = write(&model, None, "Advice for entrepreneurs", &sampling);
    assert_eq!(first, write(&model, None, "Advice for entrepreneurs", &sampling));
    let other = write(
        &model,
        None,
        "Advice for entrepreneurs",
        &Sampling { seed: 12, ..sampling },
    );
    assert_ne!(first.ids, other.ids);
}

#[test]
fn a_post_has_at_most_the_tokens_asked_for() {
    let model = model("tiny-gpt2");
    for length in [1, 7, 20] {
        let sampling = Sampling {
            length,
            temperature: 1.0,
            ..Sampling::default()
        };
        let post = write(&model, None, "The price", &sampling);
        assert!(post.ids.len() <= length);
        assert!(post.ending.is_some());
        if post.ending == Some(Ending::Length) {
            // Tokens of an unfinished character may have been dropped, nothing else.
            assert!(post.ids.len() + 3 >= length, "{post:?}");
        }
        assert_eq!(post.ids.len(), post.log_probs.len());
    }
}

#[test]
fn no_post_exceeds_280_by_the_weighted_count() {
    // At a high temperature the embedded model rambles and never ends by itself.
    let model = embedded();
    let mut full = 0;
    for seed in 0..6 {
        let sampling = Sampling {
            temperature: 2.5,
            top_p: 1.0,
            seed,
            length: 128,
            repetition_penalty: 1.0,
            ..Sampling::default()
        };
        let post = write(&model, None, "Pricing", &sampling);
        assert!(length::weighted_length(&post.text) <= 280, "{}", post.text);
        full += usize::from(post.ending == Some(Ending::Full));
    }
    assert!(full > 0, "not one of these posts reached the limit");
}

#[test]
fn unfinished_characters_never_show() {
    // The tiny model is random: its bytes are mostly no whole characters.
    let model = model("tiny-gpt2");
    for seed in 0..20 {
        let sampling = Sampling {
            temperature: 1.5,
            top_p: 1.0,
            seed,
            length: 24,
            ..Sampling::default()
        };
        let mut generation = Generation::new(&model, ContentType::Post, "The price", &sampling, 1).expect("generation");
        while generation.next(&model, None).expect("token") {
            assert!(!generation.candidates()[0].text().ends_with(char::REPLACEMENT_CHARACTER));
        }
        assert!(
            !generation.finish(&model).expect("posts")[0]
                .text
                .ends_with(char::REPLACEMENT_CHARACTER)
        );
    }
}

#[test]
fn a_stopped_post_keeps_what_it_has() {
    let model = embedded();
    let mut generation = Generation::new(
        &model,
        ContentType::Post,
        "How to keep customers",
        &Sampling::default(),
        1,
    )
    .expect("generation");
    for _ in 0..5 {
        generation.next(&model, None).expect("token");
    }
    let text = generation.candidates()[0].text().trim().to_owned();
    let post = generation.finish(&model).expect("posts").remove(0);
    assert_eq!((post.text, post.ending), (text, None));
}

#[test]
fn the_end_of_a_long_prompt_is_kept_and_that_is_said() {
    let model = embedded();
    let prompt = format!(
        "{} and how to price a coffee",
        "We talked about many things. ".repeat(80)
    );
    let generation = Generation::new(&model, ContentType::Post, &prompt, &Sampling::default(), 1).expect("generation");
    assert!(generation.prompt_cut());
    let post = generation.finish(&model).expect("posts").remove(0);
    assert!(post.prompt_ids.len() < model.config().n_positions);
    let read = model.tokenizer().decode(&post.prompt_ids).expect("text");
    assert!(read.ends_with("and how to price a coffee"), "{read}");
    let short = Generation::new(&model, ContentType::Post, "Coffee", &Sampling::default(), 1).expect("generation");
    assert!(!short.prompt_cut());
}

#[test]
fn an_empty_prompt_is_refused() {
    let model = model("tiny-gpt2");
    for prompt in ["", "  \n\t "] {
        let Err(error) = Generation::new(&model, ContentType::Post, prompt, &Sampling::default(), 1) else {
            panic!("an empty prompt was accepted");
        };
        assert_eq!(error.to_string(), "the prompt is empty");
    }
}

#[test]
fn log_probs_are_the_models_own() {
    let model = embedded();
    let post = write(
        &model,
        None,
        "Customer service",
        &Sampling {
            length: 12,
            ..Sampling::default()
        },
    );
    assert!(post.log_probs.iter().all(|p| *p <= 0.0 && p.is_finite()));
}

#[test]
fn format_and_prompt_are_read_as_one_text() {
    let mut files = files("tiny-gpt2");
    files.card = Some(br#"{"name":"Tiny","prompt_format":"<|endoftext|> {prompt}:"}"#.to_vec());
    let model = Model::load(files, Precision::Exact).expect("model");
    let encoded = model
        .encode_prompt(ContentType::Post, "  The customer ", 60)
        .expect("prompt");
    let whole = model.tokenizer().encode("<|endoftext|> The customer:").expect("ids");
    assert_eq!((encoded.ids, encoded.cut), (whole.clone(), false));
    let cut = model
        .encode_prompt(ContentType::Post, "The customer", whole.len() - 2)
        .expect("prompt");
    assert_eq!((cut.ids, cut.cut), ([&whole[..1], &whole[3..]].concat(), true));
}

#[test]
fn a_post_is_never_empty() {
    let mut files = files("tiny-gpt2");
    // The likeliest first token becomes the end of text.
    let config = String::from_utf8(files.config).expect("utf-8");
    let first = write(&model("tiny-gpt2"), None, "The price", &greedy(1)).ids[0];
    files.config = config
        .replace("\"eos_token_id\": 0", &format!("\"eos_token_id\": {first}"))
        .into_bytes();
    let model = Model::load(files, Precision::Exact).expect("model");
    assert_eq!(model.tokenizer().end_of_text(), Some(first));
    let post = write(&model, None, "The price", &greedy(12));
    assert!(!post.text.is_empty() && post.ids[0] != first, "{post:?}");
}

#[test]
fn candidates_written_together_are_those_written_alone() {
    // f32: in 8 bits a product of several rows may be rounded in another order.
    let model = embedded_as(Precision::Exact);
    let sampling = Sampling {
        seed: 40,
        ..Sampling::default()
    };
    let together = write_several(&model, None, "How to keep customers", &sampling, 4);
    for (at, candidate) in together.iter().enumerate() {
        let sampling = Sampling {
            seed: 40 + at as u64,
            ..sampling
        };
        let alone = write(&model, None, "How to keep customers", &sampling);
        assert_eq!((&candidate.text, candidate.ending), (&alone.text, alone.ending));
        assert_eq!(candidate.ids, alone.ids);
    }
    let lengths: Vec<usize> = together.iter().map(|candidate| candidate.ids.len()).collect();
    assert!(
        lengths.windows(2).any(|pair| pair[0] != pair[1]),
        "one goes on when another has ended: {lengths:?}"
    );
}
