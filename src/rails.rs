//! Guard rails: how a model writes, in a few numbers, and when what was taught has bent it too far.
//!
//! The worker measures [`Signs`] after each lesson, on prompts that nobody teaches; [`breach`] holds them against the untaught
//! model's. Plain rules: the page puts a [`Breach`] into words.

use serde::{Deserialize, Serialize};

/// How a model writes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signs {
    /// Mean divergence from the untaught model per token of its own texts, in nats.
    pub kl: f64,
    /// Mean entropy of the next token, in nats.
    pub entropy: f64,
    /// Different pairs of neighbouring words, as a share of all pairs in all texts (Li et al. 2016, arXiv 1510.03055).
    pub distinct_2: f64,
    /// The share of pairs that occur again within their own text.
    pub repeats: f64,
    /// The share of texts that are equal to another text for the same prompt.
    pub doubles: f64,
    /// The share of texts that end by themselves.
    pub ended: f64,
    /// Words in a text, on average.
    pub words: f64,
}

/// How far the taught model may go, compared with the untaught one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The most divergence, in nats a token.
    pub kl: f64,
    /// The least share of the untaught model's entropy.
    pub entropy: f64,
    /// The least share of its different pairs.
    pub distinct_2: f64,
    /// How much larger the share of repeated pairs may be.
    pub repeats: f64,
    /// How much larger the share of equal texts may be.
    pub doubles: f64,
    /// How much smaller the share of texts that end may be.
    pub ended: f64,
    /// The least share of the untaught model's words.
    pub words: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            kl: 0.6,
            entropy: 0.85,
            distinct_2: 0.85,
            repeats: 0.06,
            doubles: 0.1,
            ended: 0.25,
            words: 0.5,
        }
    }
}

/// Which bound was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breach {
    /// It writes too differently from the untaught model.
    Kl,
    /// Its choice of words has become narrow.
    Entropy,
    /// Its texts have become alike.
    Distinct,
    /// Its texts repeat themselves.
    Repeats,
    /// It writes the same text again and again.
    Doubles,
    /// Its texts do not come to an end.
    Ended,
    /// Its texts have become very short.
    Words,
}

/// The first bound that the taught model crosses, if it crosses one.
#[must_use]
pub fn breach(untaught: &Signs, taught: &Signs, bounds: &Bounds) -> Option<Breach> {
    [
        (Breach::Kl, taught.kl > bounds.kl),
        (Breach::Entropy, taught.entropy < bounds.entropy * untaught.entropy),
        (
            Breach::Distinct,
            taught.distinct_2 < bounds.distinct_2 * untaught.distinct_2,
        ),
        (Breach::Repeats, taught.repeats > untaught.repeats + bounds.repeats),
        (Breach::Doubles, taught.doubles > untaught.doubles + bounds.doubles),
        (Breach::Ended, taught.ended < untaught.ended - bounds.ended),
        (Breach::Words, taught.words < bounds.words * untaught.words),
    ]
    .into_iter()
    .find_map(|(breach, crossed)| crossed.then_some(breach))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTAUGHT: Signs = Signs {
        kl: 0.0,
        entropy: 3.0,
        distinct_2: 0.8,
        repeats: 0.02,
        doubles: 0.0,
        ended: 1.0,
        words: 20.0,
    };

    #[test]
    fn the_untaught_model_is_within_its_own_bounds() {
        assert_eq!(breach(&UNTAUGHT, &UNTAUGHT, &Bounds::default()), None);
    }

    #[test]
    fn each_way_to_collapse_has_a_name() {
        for (taught, expected) in [
            (Signs { kl: 9.0, ..UNTAUGHT }, Breach::Kl),
            (
                Signs {
                    entropy: 1.0,
                    ..UNTAUGHT
                },
                Breach::Entropy,
            ),
            (
                Signs {
                    distinct_2: 0.3,
                    ..UNTAUGHT
                },
                Breach::Distinct,
            ),
            (
                Signs {
                    repeats: 0.5,
                    ..UNTAUGHT
                },
                Breach::Repeats,
            ),
            (
                Signs {
                    doubles: 0.5,
                    ..UNTAUGHT
                },
                Breach::Doubles,
            ),
            (Signs { ended: 0.2, ..UNTAUGHT }, Breach::Ended),
            (Signs { words: 2.0, ..UNTAUGHT }, Breach::Words),
        ] {
            assert_eq!(breach(&UNTAUGHT, &taught, &Bounds::default()), Some(expected));
        }
    }
}
