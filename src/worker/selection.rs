//! Which of the files that a person picked make up a model, and in plain words why others don't.

use thiserror::Error;

/// Why files can't be opened as a model. Nothing of them has been read.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nothing was picked.
    #[error("no file was chosen")]
    Nothing,
    /// A pickle is a program in disguise.
    #[error(
        "{0} is a Python pickle, and opening one can run any program that somebody hid in it. Convert it where you trust it: \
         `model.save_pretrained(\"folder\", safe_serialization=True)` writes a model.safetensors"
    )]
    Pickle(String),
    /// Another program's format.
    #[error(
        "{0} is of no use here. Choose a .gguf file, or a .safetensors file with its config.json and its tokenizer.json"
    )]
    Unknown(String),
    /// There are weights, but something that belongs to them was not picked.
    #[error("{0} is missing. Choose it together with {1}")]
    Missing(&'static str, String),
    /// There are no weights.
    #[error("there are no weights among the chosen files: no .safetensors and no .gguf")]
    NoWeights,
    /// A model in pieces, one of which was not picked.
    #[error("part {part} of {of} is missing. Choose all parts together")]
    MissingShard {
        /// Counts from 1.
        part: usize,
        /// Parts in all.
        of: usize,
    },
    /// Two models at once.
    #[error("these are several models ({0} and {1}). Choose the files of one")]
    Several(String, String),
}

/// The picked files by their positions.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// One file with everything.
    Gguf(usize),
    /// A Hugging Face folder.
    Folder {
        /// `config.json`
        config: usize,
        /// Its tokenizer.
        tokenizer: Tokenizer,
        /// `.safetensors`, in the order of their parts.
        weights: Vec<usize>,
        /// `fledge.json`
        card: Option<usize>,
    },
}

/// The two forms in which tokenizers come.
#[derive(Debug, PartialEq, Eq)]
pub enum Tokenizer {
    /// `tokenizer.json`
    Whole(usize),
    /// `vocab.json` and `merges.txt`
    Parts(usize, usize),
}

/// Python's serialisations, under the names that they go by.
const PICKLES: [&str; 6] = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"];
/// What lies in a model's folder besides, and does no harm.
const HARMLESS: [&str; 6] = [".json", ".txt", ".md", ".gitattributes", ".gitignore", ".model"];

impl Selection {
    /// Sorts files by their names.
    pub fn of(names: &[String]) -> Result<Self, Refusal> {
        let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let find = |wanted: &str| lower.iter().position(|name| name == wanted);
        let ending = |end: &str| -> Vec<usize> { (0..names.len()).filter(|at| lower[*at].ends_with(end)).collect() };
        let name = |at: usize| names[at].clone();

        let (gguf, weights) = (ending(".gguf"), ending(".safetensors"));
        match (gguf.as_slice(), weights.as_slice()) {
            ([one], []) => return Ok(Self::Gguf(*one)),
            ([first, other, ..], _) | ([first], [other, ..]) => {
                return Err(Refusal::Several(name(*first), name(*other)));
            }
            ([], []) => return Err(Refusal::without_weights(names, &lower)),
            ([], [_, ..]) => {}
        }
        let weights = shards(&weights, names)?;
        let with = name(weights[0]);
        let config = find("config.json").ok_or_else(|| Refusal::Missing("config.json", with.clone()))?;
        let tokenizer = match (find("tokenizer.json"), find("vocab.json"), find("merges.txt")) {
            (Some(whole), _, _) => Tokenizer::Whole(whole),
            (None, Some(vocabulary), Some(merges)) => Tokenizer::Parts(vocabulary, merges),
            (None, Some(_), None) => return Err(Refusal::Missing("merges.txt", with)),
            (None, None, _) => return Err(Refusal::Missing("tokenizer.json", with)),
        };
        Ok(Self::Folder {
            config,
            tokenizer,
            weights,
            card: find("fledge.json"),
        })
    }
}

impl Refusal {
    fn without_weights(names: &[String], lower: &[String]) -> Self {
        let find =
            |wanted: &dyn Fn(&str) -> bool| lower.iter().position(|name| wanted(name)).map(|at| names[at].clone());
        let is_pickle = |name: &str| PICKLES.iter().any(|end| name.ends_with(end));
        let is_harmless = |name: &str| HARMLESS.iter().any(|end| name.ends_with(end));
        if names.is_empty() {
            Self::Nothing
        } else if let Some(pickle) = find(&is_pickle) {
            Self::Pickle(pickle)
        } else if let Some(unknown) = find(&|name| !is_harmless(name)) {
            Self::Unknown(unknown)
        } else {
            Self::NoWeights
        }
    }
}

/// One file, or all parts of a model that was cut: `model-00002-of-00003.safetensors`.
fn shards(weights: &[usize], names: &[String]) -> Result<Vec<usize>, Refusal> {
    let part_of = |at: &usize| -> Option<(usize, usize)> {
        let stem = names[*at].strip_suffix(".safetensors")?;
        let (rest, of) = stem.rsplit_once("-of-")?;
        let (_, part) = rest.rsplit_once('-')?;
        Some((part.parse().ok()?, of.parse().ok()?))
    };
    let parts: Vec<(usize, usize, usize)> = weights
        .iter()
        .filter_map(|at| part_of(at).map(|(part, of)| (part, of, *at)))
        .collect();
    match (weights, parts.as_slice()) {
        ([one], []) => Ok(vec![*one]),
        ([first, other, ..], []) => Err(Refusal::Several(names[*first].clone(), names[*other].clone())),
        (_, [(_, of, _), ..]) => (1..=*of)
            .map(|part| {
                let found = parts.iter().find(|found| (found.0, found.1) == (part, *of));
                found
                    .map(|(_, _, at)| *at)
                    .ok_or(Refusal::MissingShard { part, of: *of })
            })
            .collect(),
        ([], []) => Err(Refusal::NoWeights),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Selection, Refusal> {
        Selection::of(&names.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_folder_in_any_order_with_other_things_in_it() {
        let found = of(&[
            "README.md",
            "merges.txt",
            "model.safetensors",
            "vocab.json",
            "config.json",
            "pytorch_model.bin",
        ]);
        assert_eq!(
            found,
            Ok(Selection::Folder {
                config: 4,
                tokenizer: Tokenizer::Parts(3, 1),
                weights: vec![2],
                card: None
            })
        );
        assert_eq!(of(&["notes.txt", "Tiny.GGUF"]), Ok(Selection::Gguf(1)));
    }

    #[test]
    fn parts_come_in_their_order_and_none_may_be_missing() {
        let parts = [
            "model-00002-of-00002.safetensors",
            "config.json",
            "model-00001-of-00002.safetensors",
            "tokenizer.json",
        ];
        let Ok(Selection::Folder { weights, .. }) = of(&parts) else {
            panic!("refused")
        };
        assert_eq!(weights, [2, 0]);
        assert_eq!(of(&parts[..2]), Err(Refusal::MissingShard { part: 1, of: 2 }));
    }

    #[test]
    fn what_cannot_be_opened_is_refused_in_words() {
        for (names, words) in [
            (&[][..], "no file"),
            (&["pytorch_model.bin", "config.json"][..], "pickle"),
            (&["model.onnx"][..], "model.onnx"),
            (&["config.json", "tokenizer.json"][..], "no weights"),
            (&["model.safetensors"][..], "config.json is missing"),
            (&["model.safetensors", "config.json"][..], "tokenizer.json is missing"),
            (
                &["model.safetensors", "config.json", "vocab.json"][..],
                "merges.txt is missing",
            ),
            (&["a.gguf", "b.gguf"][..], "several"),
            (&["a.safetensors", "b.safetensors", "config.json"][..], "several"),
        ] {
            let sentence = of(names).expect_err("refused").to_string();
            assert!(sentence.contains(words), "{names:?}: {sentence}");
        }
    }
}
