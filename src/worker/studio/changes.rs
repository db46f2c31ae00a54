//! What changes a studio: every change is saved first and comes into force when it is durable.

use super::Studio;
use crate::exchange::merge::{Merged, merge};
use crate::exchange::{Taste, pairs};
use crate::feedback::PartialRatings;
use crate::learning::Learner;
use crate::protocol::{Lesson, Post, PostId, SNAPSHOT_BUDGET};
use crate::timeline::{Node, NodeId, ROOT, Timeline};
use crate::worker::history::{History, Record};
use crate::worker::parcel;
use crate::worker::problem::Problem;
use crate::worker::store::{self, Change};

impl Studio {
    /// Keeps new posts. If that fails, they are still there until the tab is closed.
    pub async fn write_down(&mut self, records: Vec<Record>) -> Result<(), Problem> {
        for record in &records {
            self.history.put(record.clone());
        }
        self.save(&records).await.map_err(Problem::KeepPost)
    }

    /// Keeps ratings. If that fails, they still hold until the tab is closed.
    pub async fn rate(&mut self, id: PostId, ratings: PartialRatings) -> Result<(), Problem> {
        let mut record = self.record(id)?.clone();
        record.post.ratings = ratings;
        self.history.put(record.clone());
        self.save(&[record]).await.map_err(Problem::KeepRatings)
    }

    /// Ends a lesson: ratings, adapter and optimiser state are kept together, and only then is the pupil in force. `records`
    /// are the posts that it changes or adds.
    pub async fn learn(
        &mut self,
        pupil: Learner,
        records: Vec<Record>,
        lesson: Lesson,
    ) -> Result<(Vec<Post>, Node), Problem> {
        let snapshot = pupil.snapshot()?;
        // What is new is only true once it is durable.
        let mut next = self.history.clone();
        for record in &records {
            next.put(record.clone());
        }
        let id = next.timeline.learn(lesson, snapshot.as_bytes().len() as u64);
        let thinned = next.timeline.thin(SNAPSHOT_BUDGET);
        let changed = thinned.iter().chain([&id]);
        let nodes: Vec<Node> = changed.filter_map(|id| next.timeline.node(*id).cloned()).collect();
        self.store
            .save(Change {
                head: next.head(),
                posts: &records,
                nodes: &nodes,
                snapshot: Some((id, snapshot.as_bytes())),
                thinned: &thinned,
                ..Change::default()
            })
            .await
            .map_err(Problem::KeepLesson)?;
        self.history = next;
        self.learner = Some(pupil);
        let node = nodes.into_iter().next_back().ok_or(Problem::NoSuchLesson(id))?;
        Ok((records.into_iter().map(|record| record.post).collect(), node))
    }

    /// Takes in what was taught elsewhere: its ratings beside those that are here, its adapter as a lesson after the one in
    /// force, all in one transaction. Returns the posts that have changed, how many of them are new, and the lesson.
    pub async fn take_in(&mut self, taste: Taste, now: f64) -> Result<(Vec<Post>, usize, Option<Node>), Problem> {
        let own = &self.history;
        let lessons = own.timeline.in_force().map(|node| &node.lesson);
        let choices = pairs::choices(&own.records, lessons);
        let Merged { changed, new, ids } = merge(&own.records, own.next_post, &choices, &taste.records);
        let mut next = self.history.clone();
        for record in &changed {
            next.put(record.clone());
        }
        let learner = match &taste.adapter {
            Some(adapter) => {
                let weights = &taste.info.weights;
                let rated = taste.records.iter().filter_map(|record| record.post.ratings.complete());
                let rewards = rated.map(|ratings| weights.reward(&ratings));
                let learner = Learner::taken_over(self.model.config(), adapter, rewards).map_err(Problem::TakeIn)?;
                let snapshot = learner.snapshot().map_err(Problem::TakeIn)?;
                Some((learner, snapshot))
            }
            None => None,
        };
        let (mut nodes, mut thinned, mut at) = (Vec::new(), Vec::new(), ROOT);
        if let Some((learner, snapshot)) = &learner {
            let lesson = parcel::lesson(&taste.info, &next, ids, learner, now);
            at = next.timeline.learn(lesson, snapshot.as_bytes().len() as u64);
            thinned = next.timeline.thin(SNAPSHOT_BUDGET);
            let ids = thinned.iter().chain([&at]);
            nodes = ids.filter_map(|id| next.timeline.node(*id).cloned()).collect();
        }
        let snapshot = learner.as_ref().map(|(_, snapshot)| (at, snapshot.as_bytes()));
        self.store
            .save(Change {
                head: next.head(),
                posts: &changed,
                nodes: &nodes,
                snapshot,
                thinned: &thinned,
                ..Change::default()
            })
            .await
            .map_err(Problem::KeepImport)?;
        self.history = next;
        if let Some((learner, _)) = learner {
            self.learner = Some(learner);
        }
        let posts = changed.into_iter().map(|record| record.post).collect();
        Ok((posts, new, nodes.pop()))
    }

    /// Changes what is said of a lesson.
    pub async fn note(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) -> Result<(), Problem> {
        let mut node = self.history.timeline.node(id).ok_or(Problem::NoSuchLesson(id))?.clone();
        change(&mut node);
        let kept = self
            .store
            .save(Change {
                head: self.history.head(),
                nodes: std::slice::from_ref(&node),
                ..Change::default()
            })
            .await;
        kept.map_err(Problem::KeepNote)?;
        if let Some(old) = self.history.timeline.node_mut(id) {
            *old = node;
        }
        Ok(())
    }

    /// Puts another lesson in force.
    pub async fn go(&mut self, to: NodeId) -> Result<(), Problem> {
        if !self.history.timeline.can_go(to) {
            return Err(Problem::NoSuchLesson(to));
        }
        let learner = self.learner_after(to).await.map_err(Problem::KeepUndo)?;
        let learner = learner.map_err(Problem::Undo)?;
        let mut timeline = self.history.timeline.clone();
        timeline.go(to);
        self.turn(timeline, &[], learner).await
    }

    /// Deletes a lesson and what follows from it.
    pub async fn delete(&mut self, id: NodeId) -> Result<(), Problem> {
        let mut timeline = self.history.timeline.clone();
        let deleted = timeline.delete(id);
        if deleted.is_empty() {
            return Err(Problem::NoSuchLesson(id));
        }
        // Where the lesson in force goes too, what is in force then must be there.
        let learner = self.learner_after(timeline.at()).await.map_err(Problem::KeepUndo)?;
        let learner = learner.map_err(Problem::Undo)?;
        self.turn(timeline, &deleted, learner).await
    }

    async fn turn(&mut self, timeline: Timeline, deleted: &[NodeId], learner: Option<Learner>) -> Result<(), Problem> {
        let next = History {
            timeline,
            ..self.history.clone()
        };
        self.store
            .save(Change {
                head: next.head(),
                deleted,
                ..Change::default()
            })
            .await
            .map_err(Problem::KeepUndo)?;
        self.history = next;
        self.learner = learner;
        Ok(())
    }

    /// Deletes everything that belongs to this model and type.
    pub async fn forget(&mut self) -> Result<(), Problem> {
        self.store.forget().await.map_err(Problem::Forget)?;
        self.history = History::default();
        self.seen.clear();
        self.learner = None;
        Ok(())
    }

    async fn save(&mut self, posts: &[Record]) -> Result<(), store::Error> {
        self.store
            .save(Change {
                head: self.history.head(),
                posts,
                ..Change::default()
            })
            .await
    }
}
