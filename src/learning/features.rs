//! What a text looks like to the automatic rater: a few properties with names, and the model's own reading of it.

use std::collections::HashSet;

use super::Error;
use super::batch::Batch;
use super::loss::Reference;
use crate::engine::{Completion, Model};

/// The properties that have names, in their order.
pub const NAMES: [&str; 12] = [
    "words",
    "letters a word",
    "words a sentence",
    "different words",
    "words of the prompt",
    "you",
    "I and we",
    "questions",
    "exclamations",
    "numbers",
    "commas",
    "ended",
];

/// Lower-case words, without punctuation around them.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
}

/// The properties of a text, each of the order of 1.
#[must_use]
pub fn properties(prompt: &str, completion: &Completion) -> [f64; NAMES.len()] {
    let text = completion.text.as_str();
    let all: Vec<String> = words(text).collect();
    let count = all.len().max(1) as f64;
    let of = |list: &[&str]| all.iter().filter(|word| list.contains(&word.as_str())).count() as f64;
    let marks = |set: &[char]| text.chars().filter(|c| set.contains(c)).count() as f64;
    let sentences = marks(&['.', '!', '?']).max(1.0);
    let letters: usize = all.iter().map(|word| word.chars().count()).sum();
    let different: HashSet<&String> = all.iter().collect();
    let wanted: HashSet<String> = words(prompt)
        .filter(|word| word.len() > 3)
        .map(|word| stem(&word))
        .collect();
    let there: HashSet<String> = all.iter().map(|word| stem(word)).collect();
    [
        count / 20.0,
        letters as f64 / count / 5.0,
        count / sentences / 10.0,
        different.len() as f64 / count,
        wanted.intersection(&there).count() as f64 / wanted.len().max(1) as f64,
        of(&["you", "your", "yours", "yourself"]),
        of(&["i", "my", "me", "we", "our", "us"]),
        marks(&['?']),
        marks(&['!']),
        all.iter()
            .filter(|word| word.chars().any(|c| c.is_ascii_digit()))
            .count() as f64,
        marks(&[',']),
        f64::from(u8::from(text.ends_with(['.', '!', '?']))),
    ]
}

/// A word's beginning: enough to know "customers" and "customer" as one.
fn stem(word: &str) -> String {
    word.chars().take(5).collect()
}

/// The lengths of the two parts of [`of`].
#[must_use]
pub const fn parts(model: &Model) -> [usize; 2] {
    [model.config().n_embd, NAMES.len()]
}

/// All features of texts about a prompt: the model's reading, then their properties.
pub fn of(model: &Model, prompt: &str, texts: &[Completion]) -> Result<Vec<Vec<f64>>, Error> {
    let references = Batch::new(texts, model.config().n_positions)?.references(model)?;
    Ok(of_read(model, prompt, texts, &references))
}

/// The same of texts that the untaught model has read already. Its reading of a text are its hidden states, averaged over the text's
/// tokens; teaching does not change it, so that what was fitted stays fitted.
#[must_use]
pub fn of_read(model: &Model, prompt: &str, texts: &[Completion], references: &[Reference]) -> Vec<Vec<f64>> {
    let all = texts.iter().zip(references).map(|(text, reference)| {
        let mut features = reference.mean(model.config().n_embd);
        features.extend(properties(prompt, text));
        features
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_what_their_names_say() {
        let completion = Completion {
            prompt_ids: vec![1],
            ids: vec![2],
            log_probs: vec![-1.0],
            text: "Do you know your 12 best customers? Ask them, then ask again!".into(),
            ending: None,
        };
        let found = properties("How to keep a customer", &completion);
        let named = |name: &str| found[NAMES.iter().position(|other| *other == name).expect("a name")];
        for (name, expected) in [
            ("words", 12.0 / 20.0),
            ("you", 2.0),
            ("questions", 1.0),
            ("exclamations", 1.0),
            ("numbers", 1.0),
            ("commas", 1.0),
            ("ended", 1.0),
            ("words of the prompt", 0.5),
        ] {
            assert!((named(name) - expected).abs() < 1e-12, "{name}: {}", named(name));
        }
    }
}
