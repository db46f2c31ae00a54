//! What the automatic rater says of the texts on the screen: which one is best, which one it asks about, which stars it fills in.

use super::ViewState;
use crate::feedback::PartialRatings;
use crate::insight::Guess;
use crate::protocol::{Post, PostId};

impl ViewState {
    /// What the automatic rater would give a post of those that were written last, if it is to be heard.
    #[must_use]
    pub fn guess(&self, post: PostId) -> Option<&Guess> {
        self.guesses
            .get(&post)
            .filter(|_| self.insight.is_honest(&self.weights))
    }

    /// Of several candidates, the one that the automatic rater would rate highest, of those that it is sure of.
    #[must_use]
    pub fn favourite(&self) -> Option<PostId> {
        let reward = |post: &Post| {
            let guess = self.guess(post.id).filter(|guess| guess.is_sure())?;
            Some((guess.reward(&self.weights).get(), post.id))
        };
        if self.is_taught() || self.candidates().count() < 2 {
            return None;
        }
        let best = self
            .candidates()
            .filter_map(reward)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        best.map(|(_, id)| id)
    }

    /// Of those that were written last, the one that the automatic rater knows least what to make of, if it is not sure of it.
    #[must_use]
    pub fn unsure_of(&self) -> Option<PostId> {
        let doubt = |post: &Post| Some((self.guess(post.id)?, post.id));
        let unrated = self.candidates().filter(|post| post.ratings.is_empty());
        let guesses = unrated.filter_map(doubt).filter(|(guess, _)| !guess.is_sure());
        guesses
            .max_by(|(a, _), (b, _)| a.doubt.total_cmp(&b.doubt))
            .map(|(_, id)| id)
    }

    /// The stars that the automatic rater fills in where the person gave none. Of what it is not sure, it asks.
    #[must_use]
    pub fn filled_in(&self, post: &Post) -> PartialRatings {
        let is_sure = |guess: &&Guess| self.fill_in && guess.is_sure() && !self.is_taught();
        let filled_in = match self.guess(post.id).filter(is_sure) {
            Some(guess) => guess.ratings().into(),
            None => post.filled_in,
        };
        filled_in.without(&post.ratings)
    }
}
