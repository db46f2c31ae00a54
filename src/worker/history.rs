//! The posts of one model and the lessons in force, as plain data.

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

/// Where a model's history stands. It says which snapshots are kept: those from `lessons - undoable` to `lessons`,
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
    pub const fn written(self, post: PostId) -> Self {
        Self {
            next_post: post + 1,
            ..self
        }
    }

    /// After one more lesson.
    pub fn learned(self) -> Self {
        Self {
            lessons: self.lessons + 1,
            undoable: (self.undoable + 1).min(UNDO_DEPTH),
            ..self
        }
    }

    /// With the last lesson taken back; `None` if there is none, or it lies too far back.
    pub fn undone(self) -> Option<Self> {
        Some(Self {
            lessons: self.lessons.checked_sub(1)?,
            undoable: self.undoable.checked_sub(1)?,
            ..self
        })
    }

    /// The first lesson whose snapshot is kept, and the last.
    pub const fn snapshots(self) -> (u32, u32) {
        (self.lessons.saturating_sub(self.undoable), self.lessons)
    }

    /// A head for posts whose own is lost.
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
    pub fn record(&self, id: PostId) -> Option<&Record> {
        self.records.iter().rev().find(|record| record.post.id == id)
    }

    /// The post that the last lesson in force was taught from.
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
    pub fn memory(&self, lora: Option<Lora>) -> Memory {
        Memory {
            posts: self.records.iter().map(|record| record.post.clone()).collect(),
            lessons: self.head.lessons,
            undoable: self.head.undoable,
            lora,
        }
    }
}
