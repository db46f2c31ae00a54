//! The posts of one model and type of text, and the lessons in force, as plain data.

use serde::{Deserialize, Serialize};

use crate::engine::Completion;
use crate::protocol::{Memory, Post, PostId, UNDO_DEPTH};
use crate::settings::Lora;

/// A post, with what teaching from it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// As the page sees it.
    pub post: Post,
    /// As the model wrote it.
    pub completion: Completion,
}

/// Where a history stands. It says which snapshots are kept: those from `lessons - undoable` to `lessons`,
/// except 0, which is the untaught model and needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Lessons in force.
    pub lessons: u32,
    /// How many of them can be taken back.
    pub undoable: u32,
    /// The id of the next post.
    pub next_post: PostId,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            lessons: 0,
            undoable: 0,
            next_post: 1,
        }
    }
}

impl Head {
    /// After one more post.
    #[must_use]
    pub const fn written(self, post: PostId) -> Self {
        Self {
            next_post: post + 1,
            ..self
        }
    }

    /// After one more lesson.
    #[must_use]
    pub fn learned(self) -> Self {
        Self {
            lessons: self.lessons + 1,
            undoable: (self.undoable + 1).min(UNDO_DEPTH),
            ..self
        }
    }

    /// With the last lesson taken back; `None` if there is none, or it lies too far back.
    #[must_use]
    pub fn undone(self) -> Option<Self> {
        Some(Self {
            lessons: self.lessons.checked_sub(1)?,
            undoable: self.undoable.checked_sub(1)?,
            ..self
        })
    }

    /// The first lesson whose snapshot is kept, and the last.
    #[must_use]
    pub const fn snapshots(self) -> (u32, u32) {
        (self.lessons.saturating_sub(self.undoable), self.lessons)
    }

    /// A head for posts whose own is lost.
    #[must_use]
    pub fn rebuilt(records: &[Record]) -> Self {
        let numbers = records
            .iter()
            .filter_map(|record| Some(record.post.lesson.as_ref()?.number));
        let lessons = numbers.max().unwrap_or(0);
        Self {
            lessons,
            undoable: lessons.min(UNDO_DEPTH),
            ..Self::default()
        }
    }

    /// Makes up for a head that is lost or older than the posts: no post is ever overwritten by a new one.
    #[must_use]
    pub fn covering(self, records: &[Record]) -> Self {
        let newest = records.iter().map(|record| record.post.id).max().unwrap_or(0);
        Self {
            next_post: self.next_post.max(newest + 1),
            ..self
        }
    }
}

/// All posts, oldest first, and where they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Where it stands.
    pub head: Head,
    /// The posts.
    pub records: Vec<Record>,
}

impl History {
    /// A post.
    #[must_use]
    pub fn record(&self, id: PostId) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.post.id == id)
    }

    /// The post that the last lesson in force was taught from.
    #[must_use]
    pub fn last_taught(&self) -> Option<&Record> {
        let last = |record: &&Record| {
            record
                .post
                .lesson
                .as_ref()
                .is_some_and(|l| l.number == self.head.lessons)
        };
        self.records.iter().find(last)
    }

    /// Replaces the post of that id, or adds it as the newest.
    pub fn put(&mut self, head: Head, record: Record) {
        self.head = head;
        match self.records.iter_mut().rev().find(|old| old.post.id == record.post.id) {
            Some(old) => *old = record,
            None => self.records.push(record),
        }
    }

    /// Goes back to a lesson, because later ones are lost, and returns the posts that changed by that.
    pub fn fall_back(&mut self, lesson: u32) -> Vec<Record> {
        let lost = self.head.lessons.saturating_sub(lesson);
        self.head.lessons = lesson;
        self.head.undoable = self.head.undoable.saturating_sub(lost).min(lesson);
        let is_lost = |record: &&mut Record| record.post.lesson.as_ref().is_some_and(|l| l.number > lesson);
        let clear = |record: &mut Record| {
            record.post.lesson = None;
            record.clone()
        };
        self.records.iter_mut().filter(is_lost).map(clear).collect()
    }

    /// What the page gets.
    #[must_use]
    pub fn memory(&self, lora: Option<Lora>) -> Memory {
        Memory {
            posts: self.records.iter().map(|record| record.post.clone()).collect(),
            lessons: self.head.lessons,
            undoable: self.head.undoable,
            lora,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::ContentType;
    use crate::feedback::PartialRatings;
    use crate::protocol::{Ending, Lesson};
    use crate::settings::{Sampling, Teaching};

    fn lesson(number: u32) -> Lesson {
        Lesson {
            number,
            reward: 0.5,
            baseline: 0.5,
            coefficient: 0.0,
            teaching: Teaching::default(),
            steps: Vec::new(),
            log_prob_before: -2.0,
            log_prob_after: -1.0,
            after: None,
        }
    }

    /// Post `id`, taught as lesson `id`.
    fn taught(id: PostId) -> Record {
        let post = Post {
            id,
            content: ContentType::default(),
            prompt: String::new(),
            text: String::new(),
            tokens: 1,
            sampling: Sampling::default(),
            ending: Ending::EndOfText,
            lessons_before: id - 1,
            written_at: 0.0,
            millis: 0.0,
            ratings: PartialRatings::default(),
            lesson: Some(lesson(id)),
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

    fn after_lessons(count: u32) -> History {
        let mut history = History::default();
        for id in 1..=count {
            history.put(history.head.written(id).learned(), taught(id));
        }
        history
    }

    #[test]
    fn the_last_eight_lessons_can_be_taken_back() {
        let mut head = after_lessons(20).head;
        assert_eq!(
            head,
            Head {
                lessons: 20,
                undoable: 8,
                next_post: 21
            }
        );
        assert_eq!(head.snapshots(), (12, 20));
        for _ in 0..8 {
            head = head.undone().expect("undoable");
            assert_eq!(head.snapshots().0, 12, "what undoing needs stays");
        }
        assert_eq!(head.undone(), None);
        assert_eq!(
            head.learned(),
            Head {
                lessons: 13,
                undoable: 1,
                next_post: 21
            }
        );
    }

    #[test]
    fn few_lessons_can_all_be_taken_back() {
        let head = after_lessons(2).head;
        assert_eq!(head.snapshots(), (0, 2));
        assert_eq!(head.undone().and_then(Head::undone).map(|head| head.lessons), Some(0));
        assert_eq!(Head::default().undone(), None);
    }

    #[test]
    fn falling_back_clears_the_lessons_that_are_lost() {
        let mut history = after_lessons(10);
        let changed: Vec<PostId> = history.fall_back(8).iter().map(|record| record.post.id).collect();
        assert_eq!(changed, [9, 10]);
        assert_eq!(
            history.head,
            Head {
                lessons: 8,
                undoable: 6,
                next_post: 11
            }
        );
        assert_eq!(history.last_taught().map(|record| record.post.id), Some(8));
        history.fall_back(0);
        assert_eq!(
            history.head,
            Head {
                lessons: 0,
                undoable: 0,
                next_post: 11
            }
        );
        assert!(history.records.iter().all(|record| record.post.lesson.is_none()));
    }

    #[test]
    fn a_lost_head_is_rebuilt_from_the_posts() {
        let history = after_lessons(10);
        let head = Head::rebuilt(&history.records).covering(&history.records);
        assert_eq!(head, history.head);
        assert_eq!(Head::default().covering(&history.records).next_post, 11);
    }
}
