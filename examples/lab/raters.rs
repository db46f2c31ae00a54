//! Simulated raters: rules that stand for people with a taste. They are instruments of measurement, not people, and what they
//! say is never more than that.
//!
//! Each gives all four ratings, from properties of a text that its name says, with its own weights and its own noise. None sees
//! a feature of the model, and the automatic rater sees none of their rules.

use fledge::feedback::{Metric, Ratings, Reward, Stars, Weights};
use rand::Rng;
use rand::rngs::StdRng;

/// A rule that judges a text about a prompt: the four metrics' scores, each from 0 to 1.
type Rule = fn(&Text) -> [f64; 4];

/// Somebody with a taste.
pub struct Rater {
    /// What they are called.
    pub name: &'static str,
    /// What they like.
    pub about: &'static str,
    rule: Rule,
    /// How much each metric counts for them, in the order of [`Metric::ALL`].
    weights: [f64; 4],
    /// The standard deviation of their ratings, in stars.
    noise: f64,
    /// Added to every rating, in stars: the strict and the generous.
    mood: f64,
}

/// All of them.
pub const RATERS: [Rater; 7] = [
    Rater {
        name: "mentor",
        about: "speaks to the reader: you, your, a first word that says what to do; no talk of oneself",
        rule: |text| {
            [
                text.on_topic(),
                text.says_what_to_do(),
                1.0 - text.first_person(),
                text.to_the_reader(),
            ]
        },
        weights: [15.0, 30.0, 10.0, 45.0],
        noise: 0.5,
        mood: 0.0,
    },
    Rater {
        name: "storyteller",
        about: "wants to hear of somebody: I, we, my; what was; no advice",
        rule: |text| [text.on_topic(), text.calm(), text.past(), text.first_person()],
        weights: [20.0, 15.0, 25.0, 40.0],
        noise: 0.5,
        mood: 0.0,
    },
    Rater {
        name: "asker",
        about: "likes questions, strict with everything else",
        rule: |text| {
            [
                text.on_topic(),
                text.short_sentences(),
                text.rare_words(),
                text.questions(),
            ]
        },
        weights: [25.0, 15.0, 15.0, 45.0],
        noise: 0.5,
        mood: -0.5,
    },
    Rater {
        name: "tagger",
        about: "likes tags, emoji and numbers, generous and erratic",
        rule: |text| [text.on_topic(), text.brief(), text.numbers(), text.decoration()],
        weights: [20.0, 15.0, 25.0, 40.0],
        noise: 0.9,
        mood: 0.3,
    },
    Rater {
        name: "minimalist",
        about: "the fewer words the better, no decoration",
        rule: |text| {
            [
                text.on_topic(),
                text.brief(),
                1.0 - text.decoration(),
                text.short_sentences(),
            ]
        },
        weights: [15.0, 55.0, 5.0, 25.0],
        noise: 0.5,
        mood: 0.0,
    },
    Rater {
        name: "torn (length)",
        about: "in conflict: clarity is for brevity, originality for many different words",
        rule: |text| [text.on_topic(), text.brief(), 1.0 - text.brief(), text.to_the_reader()],
        weights: [20.0, 30.0, 20.0, 30.0],
        noise: 0.5,
        mood: 0.0,
    },
    Rater {
        name: "torn (voice)",
        about: "in conflict: engagement wants to be asked, clarity wants calm statements in the first person",
        rule: |text| {
            [
                text.on_topic(),
                0.5 * (text.calm() + text.first_person()),
                text.past(),
                text.questions(),
            ]
        },
        weights: [15.0, 30.0, 20.0, 35.0],
        noise: 0.5,
        mood: 0.0,
    },
];

impl Rater {
    /// What they give a text, noise and mood included: what the model is taught from.
    pub fn rate(&self, prompt: &str, text: &str, rng: &mut StdRng) -> Ratings {
        self.ratings(prompt, text, || {
            // Twelve uniform draws make a normal one, nearly.
            let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            self.mood + self.noise * normal
        })
    }

    /// What they think of it: the reward of ratings without noise, and what is measured.
    pub fn true_reward(&self, prompt: &str, text: &str) -> Reward {
        self.weights().reward(&self.true_ratings(prompt, text))
    }

    /// Their ratings without noise.
    pub fn true_ratings(&self, prompt: &str, text: &str) -> Ratings {
        self.ratings(prompt, text, || self.mood)
    }

    /// How they weigh the metrics.
    pub fn weights(&self) -> Weights {
        Weights::from(self.weights)
    }

    fn ratings(&self, prompt: &str, text: &str, mut error: impl FnMut() -> f64) -> Ratings {
        let scores = (self.rule)(&Text::new(prompt, text));
        Metric::ALL
            .into_iter()
            .zip(scores)
            .fold(Ratings::all(Stars::ONE), |ratings, (metric, score)| {
                let stars = (1.0 + 4.0 * score + error()).round().clamp(1.0, 5.0);
                ratings.with(metric, Stars::new(stars as u8).unwrap_or(Stars::ONE))
            })
    }
}

/// A text as the raters see it.
struct Text<'a> {
    prompt: &'a str,
    whole: &'a str,
    words: Vec<String>,
}

impl<'a> Text<'a> {
    fn new(prompt: &'a str, text: &'a str) -> Self {
        let plain = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let words = text
            .split_whitespace()
            .map(plain)
            .filter(|word| !word.is_empty())
            .collect();
        Self {
            prompt,
            whole: text,
            words,
        }
    }

    fn count(&self, list: &[&str]) -> f64 {
        self.words.iter().filter(|word| list.contains(&word.as_str())).count() as f64
    }

    fn length(&self) -> f64 {
        self.words.len().max(1) as f64
    }

    /// A longer word of the prompt occurs, in any form: 1; another: still 0.25, for the effort.
    fn on_topic(&self) -> f64 {
        let stem = |word: &str| word.to_lowercase().chars().take(4).collect::<String>();
        let wanted: Vec<String> = self
            .prompt
            .split_whitespace()
            .filter(|word| word.len() > 3)
            .map(stem)
            .collect();
        let there = self.words.iter().any(|word| wanted.contains(&stem(word)));
        if there { 1.0 } else { 0.25 }
    }

    /// 1 up to four words a sentence, 0 from twelve up.
    fn short_sentences(&self) -> f64 {
        let sentences = self.whole.matches(['.', '!', '?']).count().max(1) as f64;
        ((12.0 - self.length() / sentences) / 8.0).clamp(0.0, 1.0)
    }

    /// 1 up to eight words, 0 from thirty up.
    fn brief(&self) -> f64 {
        ((30.0 - self.length()) / 22.0).clamp(0.0, 1.0)
    }

    /// The first word.
    fn says_what_to_do(&self) -> f64 {
        const FIRST: [&str; 24] = [
            "ask", "try", "make", "take", "put", "write", "keep", "use", "start", "find", "give", "show", "tell",
            "look", "check", "let", "do", "go", "get", "say", "set", "choose", "read", "talk",
        ];
        if self.words.first().is_some_and(|word| FIRST.contains(&word.as_str())) {
            1.0
        } else {
            0.0
        }
    }

    /// Every eighth word.
    fn to_the_reader(&self) -> f64 {
        (8.0 * self.count(&["you", "your", "yours"]) / self.length()).min(1.0)
    }

    /// Every tenth word.
    fn first_person(&self) -> f64 {
        (10.0 * self.count(&["i", "my", "me", "we", "our", "us"]) / self.length()).min(1.0)
    }

    /// Two such words.
    fn past(&self) -> f64 {
        let was = self.count(&[
            "was", "were", "had", "did", "said", "made", "went", "took", "told", "thought", "came", "sold",
        ]);
        let ed = self
            .words
            .iter()
            .filter(|word| word.len() > 4 && word.ends_with("ed"))
            .count() as f64;
        (0.5 * (was + ed)).min(1.0)
    }

    /// Two of them.
    fn questions(&self) -> f64 {
        (0.5 * self.whole.matches('?').count() as f64).min(1.0)
    }

    /// No question and nothing exclaimed.
    fn calm(&self) -> f64 {
        if self.whole.contains(['?', '!']) { 0.0 } else { 1.0 }
    }

    /// A tag or an emoji: most of it; both, or two: all.
    fn decoration(&self) -> f64 {
        let emoji = self.whole.chars().filter(|c| u32::from(*c) >= 0x2600).count();
        match self.whole.matches('#').count() + emoji.min(2) {
            0 => 0.0,
            1 => 0.75,
            _ => 1.0,
        }
    }

    /// A figure or a number in words.
    fn numbers(&self) -> f64 {
        let words = self.count(&[
            "one", "two", "three", "four", "five", "six", "seven", "ten", "twenty", "half", "first",
        ]);
        let figures = self
            .words
            .iter()
            .filter(|word| word.chars().any(|c| c.is_ascii_digit()))
            .count() as f64;
        (0.5 * words + figures).min(1.0)
    }

    /// One in six has eight letters or more.
    fn rare_words(&self) -> f64 {
        let long = self.words.iter().filter(|word| word.chars().count() >= 8).count() as f64;
        (6.0 * long / self.length()).min(1.0)
    }
}
