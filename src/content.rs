//! What can be written: posts, e-mails, marketing copy. Each type has a tag that the model knows, a length, a limit, and
//! examples of what to ask for; the worker keeps a history and an adapter for each, so that teaching e-mails does not bend
//! posts.

use serde::{Deserialize, Serialize};

use crate::length::Limit;

/// A kind of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// A short business post, as on X.
    #[default]
    Post,
    /// A short business e-mail, from the greeting to the name.
    Email,
    /// An advertisement, a product's description, a line for the shop window.
    Copy,
}

impl ContentType {
    /// All types, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Post, Self::Email, Self::Copy];

    /// The name on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "Post",
            Self::Email => "E-mail",
            Self::Copy => "Marketing copy",
        }
    }

    /// What one of them is called in a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Email => "e-mail",
            Self::Copy => "text",
        }
    }

    /// One of them by its number, at the beginning of a sentence: "E-mail 3".
    #[must_use]
    pub fn numbered(self, number: u32) -> String {
        let noun = match self {
            Self::Post => "Post",
            Self::Email => "E-mail",
            Self::Copy => "Text",
        };
        format!("{noun} {number}")
    }

    /// Several by their numbers, at the beginning of a sentence: "E-mails 3 to 5".
    #[must_use]
    pub fn numbered_from(self, first: u32, last: u32) -> String {
        let nouns = match self {
            Self::Post => "Posts",
            Self::Email => "E-mails",
            Self::Copy => "Texts",
        };
        format!("{nouns} {first} to {last}")
    }

    /// Its key in a model's `fledge.json` and in the database.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Email => "email",
            Self::Copy => "copy",
        }
    }

    /// How long one of them may be: X's 280 for a post; what is read without scrolling for an e-mail; what search
    /// advertising and shop windows leave room for, roughly, for copy.
    #[must_use]
    pub const fn limit(self) -> Limit {
        match self {
            Self::Post => Limit::Weighted(280),
            Self::Email => Limit::Words(120),
            Self::Copy => Limit::Characters(300),
        }
    }

    /// The most tokens that one of them has, unless the person sets another number.
    #[must_use]
    pub const fn tokens(self) -> usize {
        match self {
            Self::Post | Self::Copy => 80,
            Self::Email => 160,
        }
    }

    /// Prompts to begin with.
    #[must_use]
    pub const fn examples(self) -> [&'static str; 4] {
        match self {
            Self::Post => [
                "Advice for entrepreneurs",
                "Raising your prices",
                "Hiring the first employee",
                "Saying no to a customer",
            ],
            Self::Email => [
                "Thank a customer",
                "Ask a client to pay",
                "Invite the team to lunch",
                "Say sorry for a delay",
            ],
            Self::Copy => [
                "An ad for a small bakery",
                "Copy for warm winter boots",
                "A summer sale in a flower shop",
                "Fresh coffee to your door",
            ],
        }
    }

    /// Prompts on which the taught model is held against the untaught one. They are fixed: none is an example, and none is
    /// watched by the guard rails.
    #[must_use]
    pub const fn held_out(self) -> &'static [&'static str] {
        match self {
            Self::Post => &[
                "Customer service",
                "How to negotiate",
                "Learning from failure",
                "Marketing for a bakery",
                "Saving time at work",
                "Starting a business",
                "Team building",
                "Social media for small firms",
                "Raising money",
                "Managing risk",
                "Product design",
                "Writing better e-mails",
            ],
            Self::Email => &[
                "Confirm an order",
                "Ask for a discount",
                "Apologize for a wrong delivery",
                "Congratulate a colleague",
                "Cancel an appointment",
                "Recommend a supplier",
                "Answer a complaint",
                "Announce new opening hours",
            ],
            Self::Copy => &[
                "A toy shop before the holidays",
                "Honey from the village",
                "A language course",
                "Window cleaning",
                "A family hotel in the hills",
                "Running shoes",
                "A new lunch menu",
                "A bookshop's anniversary",
            ],
        }
    }
}
