//! The lessons of a history as a tree: every lesson is a node, its parent is what was known before it. Going back and teaching
//! again makes a branch; nothing is overwritten.
//!
//! Both towers use it: the worker to know what is kept and what is in force, the page to show it. What was learned at a node,
//! the snapshot, is kept elsewhere; a node only says how large it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::protocol::{Lesson, PostId};

/// Names a lesson within one history; counts up from 1. [`ROOT`] is the untaught model.
pub type NodeId = u32;

/// The untaught model. It is no node, and it is always there.
pub const ROOT: NodeId = 0;

/// So many of the lessons before the one in force are never thinned out.
pub const KEPT_BEFORE: usize = 8;

/// One lesson.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// The lesson before it, or [`ROOT`].
    pub parent: NodeId,
    /// What the person calls it; empty if they call it nothing.
    #[serde(default)]
    pub name: String,
    /// What was taught.
    pub lesson: Lesson,
    /// Bytes of its snapshot; 0 once that was thinned out: then one can't go there any more.
    pub bytes: u64,
}

/// All lessons of a history, and which of them is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    nodes: BTreeMap<NodeId, Node>,
    at: NodeId,
    /// Where Redo leads: a node that `at` is an ancestor of, or `at` itself.
    tip: NodeId,
    last: NodeId,
}

impl Timeline {
    /// From what was kept. What contradicts itself is mended: a node without its parent is not reachable and left out.
    #[must_use]
    pub fn restored(nodes: impl IntoIterator<Item = Node>, at: NodeId, tip: NodeId, last: NodeId) -> Self {
        let mut timeline = Self::default();
        let mut all: Vec<Node> = nodes.into_iter().collect();
        all.sort_by_key(|node| node.id);
        for node in all {
            let is_known = node.parent == ROOT || timeline.nodes.contains_key(&node.parent);
            if node.id != ROOT && node.parent < node.id && is_known {
                timeline.last = timeline.last.max(node.id);
                timeline.nodes.insert(node.id, node);
            }
        }
        timeline.last = timeline.last.max(last);
        if timeline.holds(at) {
            timeline.at = at;
        }
        timeline.tip = if timeline.path_to(tip).contains(&timeline.at) || timeline.at == ROOT && timeline.holds(tip) {
            tip
        } else {
            timeline.at
        };
        timeline
    }

    /// The lesson in force; [`ROOT`] if none is.
    #[must_use]
    pub const fn at(&self) -> NodeId {
        self.at
    }

    /// Where Redo leads in the end.
    #[must_use]
    pub const fn tip(&self) -> NodeId {
        self.tip
    }

    /// The greatest number that was ever given.
    #[must_use]
    pub const fn last(&self) -> NodeId {
        self.last
    }

    /// The number of the next lesson.
    #[must_use]
    pub const fn next(&self) -> NodeId {
        self.last + 1
    }

    /// A lesson.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// A lesson, to name it or to complete it.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    /// Every lesson, oldest first.
    #[must_use]
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = &Node> {
        self.nodes.values()
    }

    /// The lessons that lead to one, the first one first, it included. None lead to [`ROOT`].
    #[must_use]
    pub fn path_to(&self, id: NodeId) -> Vec<NodeId> {
        let mut path: Vec<NodeId> = std::iter::successors(self.nodes.get(&id), |node| self.nodes.get(&node.parent))
            .map(|node| node.id)
            .collect();
        path.reverse();
        path
    }

    /// The lessons in force, the first one first.
    pub fn in_force(&self) -> impl Iterator<Item = &Node> {
        self.path_to(self.at).into_iter().filter_map(|id| self.nodes.get(&id))
    }

    /// How many lessons are in force.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.path_to(self.at).len() as u32
    }

    /// The lesson in force that was taught from a post.
    #[must_use]
    pub fn lesson_of(&self, post: PostId) -> Option<&Node> {
        self.in_force()
            .find(|node| node.lesson.posts.iter().any(|taught| taught.post == post))
    }

    /// The reward that each post in force was taught with; what was taught again counts as it was taught last.
    #[must_use]
    pub fn rewards(&self) -> BTreeMap<PostId, f64> {
        let taught = self.in_force().flat_map(|node| &node.lesson.posts);
        taught.filter_map(|post| Some((post.post, post.reward?))).collect()
    }

    /// Where Undo leads.
    #[must_use]
    pub fn before(&self) -> Option<NodeId> {
        let parent = self.nodes.get(&self.at)?.parent;
        self.can_go(parent).then_some(parent)
    }

    /// Where Redo leads.
    #[must_use]
    pub fn after(&self) -> Option<NodeId> {
        let path = self.path_to(self.tip);
        let next = match path.iter().position(|id| *id == self.at) {
            Some(at) => path.get(at + 1),
            None => path.first().filter(|_| self.at == ROOT),
        };
        next.copied().filter(|next| self.can_go(*next))
    }

    /// Whether one can go there: what was learned is still kept.
    #[must_use]
    pub fn can_go(&self, id: NodeId) -> bool {
        id == ROOT || self.nodes.get(&id).is_some_and(|node| node.bytes > 0)
    }

    fn holds(&self, id: NodeId) -> bool {
        id == ROOT || self.nodes.contains_key(&id)
    }

    /// Goes to a lesson, or to [`ROOT`]. Redo keeps leading where it led, if that lies behind it.
    pub fn go(&mut self, id: NodeId) {
        if !self.holds(id) {
            return;
        }
        if id != ROOT && !self.path_to(self.tip).contains(&id) {
            self.tip = id;
        }
        self.at = id;
    }

    /// Adds a lesson after the one in force, and goes there.
    pub fn learn(&mut self, lesson: Lesson, bytes: u64) -> NodeId {
        let id = self.next();
        let node = Node {
            id,
            parent: self.at,
            name: String::new(),
            lesson,
            bytes,
        };
        self.nodes.insert(id, node);
        (self.last, self.at, self.tip) = (id, id, id);
        id
    }

    /// Deletes a lesson and all that follow from it, and says which those were. If one of them was in force, its parent is now.
    pub fn delete(&mut self, id: NodeId) -> Vec<NodeId> {
        let Some(parent) = self.nodes.get(&id).map(|node| node.parent) else {
            return Vec::new();
        };
        let gone: Vec<NodeId> = self
            .nodes
            .keys()
            .copied()
            .filter(|other| self.path_to(*other).contains(&id))
            .collect();
        if gone.contains(&self.at) {
            self.at = parent;
        }
        if gone.contains(&self.tip) {
            self.tip = self.at;
        }
        self.nodes.retain(|id, _| !gone.contains(id));
        gone
    }

    /// Bytes of all snapshots.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.nodes.values().map(|node| node.bytes).sum()
    }

    /// Marks snapshots as given up until the others take at most `budget` bytes, and says whose: the oldest that are neither
    /// named, nor at the end of a branch, nor among the last [`KEPT_BEFORE`] before the lesson in force.
    pub fn thin(&mut self, budget: u64) -> Vec<NodeId> {
        let path = self.path_to(self.at);
        let near = &path[path.len().saturating_sub(KEPT_BEFORE + 1)..];
        let is_spared = |node: &Node| {
            !node.name.is_empty() || near.contains(&node.id) || self.nodes.values().all(|other| other.parent != node.id)
        };
        let candidates: Vec<NodeId> = self
            .nodes
            .values()
            .filter(|node| node.bytes > 0 && !is_spared(node))
            .map(|node| node.id)
            .collect();
        let mut bytes = self.bytes();
        let mut thinned = Vec::new();
        for id in candidates {
            if bytes <= budget {
                break;
            }
            if let Some(node) = self.nodes.get_mut(&id) {
                bytes -= node.bytes;
                node.bytes = 0;
                thinned.push(id);
            }
        }
        thinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::test_lesson;

    /// Lessons, each with this parent, of 10 bytes each.
    fn grown(parents: &[NodeId]) -> Timeline {
        let mut timeline = Timeline::default();
        for parent in parents {
            timeline.go(*parent);
            timeline.learn(test_lesson(&[]), 10);
        }
        timeline
    }

    #[test]
    fn undo_and_redo_walk_the_same_way() {
        let mut timeline = grown(&[0, 1, 2]);
        assert_eq!((timeline.at(), timeline.after()), (3, None));
        for (at, before) in [(3, Some(2)), (2, Some(1)), (1, Some(0)), (0, None)] {
            assert_eq!((timeline.at(), timeline.before()), (at, before));
            timeline.go(before.unwrap_or(ROOT));
        }
        for next in [1, 2, 3] {
            assert_eq!(timeline.after(), Some(next));
            timeline.go(next);
        }
    }

    #[test]
    fn teaching_after_undo_makes_a_branch_and_loses_nothing() {
        let mut timeline = grown(&[0, 1, 2]);
        timeline.go(1);
        assert_eq!(timeline.learn(test_lesson(&[]), 10), 4);
        assert_eq!(timeline.path_to(4), [1, 4]);
        assert_eq!(timeline.path_to(3), [1, 2, 3]);
        timeline.go(1);
        assert_eq!(timeline.after(), Some(4), "Redo leads where one was last");
        timeline.go(3);
        timeline.go(1);
        assert_eq!(timeline.after(), Some(2));
    }

    #[test]
    fn deleting_takes_what_follows_along() {
        let mut timeline = grown(&[0, 1, 2, 1]);
        timeline.go(3);
        assert_eq!(timeline.delete(2), [2, 3]);
        assert_eq!(timeline.at(), 1);
        assert_eq!(timeline.next(), 5, "a number is never given twice");
        assert_eq!(timeline.delete(9), [0; 0]);
    }

    #[test]
    fn only_lessons_on_the_way_are_in_force() {
        let mut timeline = Timeline::default();
        timeline.learn(test_lesson(&[1]), 10);
        timeline.learn(test_lesson(&[2, 3]), 10);
        timeline.go(1);
        timeline.learn(test_lesson(&[4]), 10);
        assert_eq!(timeline.lesson_of(1).map(|node| node.id), Some(1));
        assert_eq!(timeline.lesson_of(3), None);
        assert_eq!(timeline.lesson_of(4).map(|node| node.id), Some(3));
        assert_eq!(timeline.depth(), 2);
    }

    #[test]
    fn old_nameless_lessons_are_thinned_out_first() {
        let parents: Vec<NodeId> = (0..20).collect();
        let mut timeline = grown(&parents);
        timeline.node_mut(2).expect("a lesson").name = "good".into();
        assert_eq!(timeline.thin(170), [1, 3, 4]);
        assert_eq!(timeline.bytes(), 170);
        assert!(!timeline.can_go(1) && timeline.can_go(2));
        assert_eq!(
            timeline.thin(0).last(),
            Some(&11),
            "the last eight and the one in force stay"
        );
    }

    #[test]
    fn what_contradicts_itself_is_mended() {
        let nodes: Vec<Node> = grown(&[0, 1, 2]).nodes().filter(|node| node.id != 2).cloned().collect();
        let timeline = Timeline::restored(nodes, 3, 3, 0);
        assert_eq!((timeline.at(), timeline.tip(), timeline.next()), (0, 0, 2));
        let whole = grown(&[0, 1, 2]);
        let same = Timeline::restored(whole.nodes().cloned().collect::<Vec<_>>(), 1, 3, 3);
        assert_eq!((same.at(), same.after()), (1, Some(2)));
    }
}
