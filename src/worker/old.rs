//! What version 1 of the database holds otherwise: lessons were a line, each in the post that it was taught from.

use serde::Deserialize;

use crate::protocol::{Lesson, LessonKind, PostId, Step, Tally, Taught};
use crate::settings::Teaching;
use crate::timeline::Node;

/// The part of a stored post that has moved.
#[derive(Deserialize)]
pub struct Stored {
    pub post: Post,
}

#[derive(Deserialize)]
pub struct Post {
    pub id: PostId,
    pub lesson: Option<OldLesson>,
}

#[derive(Deserialize)]
pub struct OldLesson {
    pub number: u32,
    reward: f64,
    baseline: f64,
    coefficient: f64,
    teaching: Teaching,
    steps: Vec<Step>,
    log_prob_before: f64,
    log_prob_after: f64,
    after: Option<String>,
}

impl OldLesson {
    /// The same as a node after the lesson before it.
    pub fn into_node(self, post: PostId, bytes: u64) -> Node {
        let taught = Taught {
            post,
            reward: Some(self.reward),
            baseline: self.baseline,
            coefficient: self.coefficient,
            log_prob_before: self.log_prob_before,
            log_prob_after: self.log_prob_after,
        };
        Node {
            id: self.number,
            parent: self.number.saturating_sub(1),
            name: String::new(),
            lesson: Lesson {
                posts: vec![taught],
                kind: LessonKind::Rated,
                teaching: self.teaching,
                steps: self.steps,
                replayed: 0,
                practised: 0,
                rater: None,
                learned_at: 0.0,
                after: self.after,
                breach: None,
                tally: Tally::default(),
                measured: None,
            },
            bytes,
        }
    }
}
