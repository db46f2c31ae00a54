//! The posts of one model and type of text, and its lessons, as plain data.

use serde::{Deserialize, Serialize};

use crate::protocol::{LessonKind, Memory, PostId};
use crate::settings::Lora;
use crate::timeline::{NodeId, Timeline};

pub use crate::exchange::Record;

/// Where a history stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Head {
    /// The lesson in force. Before lessons were a tree, this was their number.
    #[serde(alias = "lessons")]
    pub at: NodeId,
    /// Where Redo leads.
    pub tip: NodeId,
    /// The greatest number of a lesson so far.
    pub last: NodeId,
    /// The id of the next post.
    pub next_post: PostId,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            at: 0,
            tip: 0,
            last: 0,
            next_post: 1,
        }
    }
}

/// All posts, oldest first, and all lessons.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The posts.
    pub records: Vec<Record>,
    /// The lessons.
    pub timeline: Timeline,
    /// The id of the next post.
    pub next_post: PostId,
}

impl Default for History {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            timeline: Timeline::default(),
            next_post: 1,
        }
    }
}

impl History {
    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head {
            at: self.timeline.at(),
            tip: self.timeline.tip(),
            last: self.timeline.last(),
            next_post: self.next_post,
        }
    }

    /// A post.
    #[must_use]
    pub fn record(&self, id: PostId) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.post.id == id)
    }

    /// Replaces the post of that id, or adds it as the newest.
    pub fn put(&mut self, record: Record) {
        self.next_post = self.next_post.max(record.post.id + 1);
        match self.records.iter_mut().rev().find(|old| old.post.id == record.post.id) {
            Some(old) => *old = record,
            None => self.records.push(record),
        }
    }

    /// Makes up for a head that is lost or older than the posts: no post is ever overwritten by a new one.
    pub fn cover(&mut self) {
        let newest = self.records.iter().map(|record| record.post.id).max().unwrap_or(0);
        self.next_post = self.next_post.max(newest + 1);
    }

    /// The rated posts that lessons in force were taught from, each with how many lessons ago that was.
    pub fn taught(&self) -> impl Iterator<Item = (&Record, u32)> {
        let depth = self.timeline.depth();
        self.timeline.in_force().zip(0..).flat_map(move |(node, at)| {
            // What is taught again is there already, and what the automatic rater said is not replayed as if it were the person's.
            let is_told = matches!(node.lesson.kind, LessonKind::Rated | LessonKind::Imported);
            let rated = node
                .lesson
                .posts
                .iter()
                .filter(move |taught| is_told && taught.reward.is_some());
            rated.filter_map(move |taught| Some((self.record(taught.post)?, depth - at)))
        })
    }

    /// What the page gets.
    #[must_use]
    pub fn memory(&self, lora: Option<Lora>) -> Memory {
        Memory {
            posts: self.records.iter().map(|record| record.post.clone()).collect(),
            timeline: self.timeline.clone(),
            lora,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ContentType;
    use crate::engine::Completion;
    use crate::feedback::PartialRatings;
    use crate::protocol::{Ending, Post, test_lesson};
    use crate::settings::Sampling;

    fn record(id: PostId) -> Record {
        let post = Post {
            id,
            content: ContentType::default(),
            group: id,
            edit_of: None,
            prompt: String::new(),
            text: String::new(),
            tokens: 1,
            sampling: Sampling::default(),
            ending: Ending::EndOfText,
            lessons_before: id - 1,
            written_at: 0.0,
            millis: 0.0,
            strength: 1.0,
            ratings: PartialRatings::default(),
            filled_in: PartialRatings::default(),
            chosen_over: Vec::new(),
        };
        let completion = Completion {
            prompt_ids: vec![1],
            ids: vec![2],
            log_probs: vec![-1.0],
            text: String::new(),
            ending: None,
        };
        Record { post, completion }
    }

    #[test]
    fn what_was_taught_on_another_branch_is_not_replayed() {
        let mut history = History::default();
        for id in 1..=3 {
            history.put(record(id));
            if id == 3 {
                history.timeline.go(1);
            }
            history.timeline.learn(test_lesson(&[id]), 10);
        }
        let taught: Vec<(PostId, u32)> = history.taught().map(|(record, age)| (record.post.id, age)).collect();
        assert_eq!(taught, [(1, 2), (3, 1)]);
    }

    #[test]
    fn a_lost_head_overwrites_no_post() {
        let mut history = History {
            records: vec![record(4), record(9)],
            ..History::default()
        };
        history.cover();
        assert_eq!(history.next_post, 10);
    }

    #[test]
    fn a_head_from_before_there_was_a_tree_can_be_read() {
        let head: Head = serde_json::from_str(r#"{"lessons":5,"undoable":5,"next_post":9}"#).expect("a head");
        assert_eq!((head.at, head.next_post), (5, 9));
    }
}
