//! Promise: going back to a lesson is the identity, bit for bit, however one came there: by Undo, Redo, a jump, a branch or a
//! reload.

use std::collections::BTreeMap;

use fledge::engine::Completion;
use fledge::learning::{Learner, Material, Snapshot};
use fledge::protocol::{Lesson, LessonKind, Tally};
use fledge::settings::{Lora, Sampling, Teaching};
use fledge::timeline::{NodeId, ROOT, Timeline};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::fixtures::{model, reward, teach, write_several};

/// Moves of each random walk.
const MOVES: usize = 30;

fn lesson() -> Lesson {
    Lesson {
        posts: Vec::new(),
        kind: LessonKind::Rated,
        teaching: Teaching::default(),
        steps: Vec::new(),
        replayed: 0,
        practised: 0,
        rater: None,
        learned_at: 0.0,
        after: None,
        breach: None,
        tally: Tally::default(),
        measured: None,
    }
}

#[test]
fn every_lesson_is_found_again_bit_for_bit() {
    let model = model("tiny-gpt2");
    let sampling = Sampling {
        length: 12,
        ..Sampling::default()
    };
    let posts = write_several(&model, None, "A customer who complains", &sampling, 4);
    for seed in 0..6 {
        let mut rng = StdRng::seed_from_u64(seed);
        let fresh = || Learner::new(&model, Lora::default(), 0).expect("a learner");
        let mut timeline = Timeline::default();
        let mut learner = fresh();
        let mut kept = BTreeMap::from([(ROOT, learner.snapshot().expect("a snapshot"))]);
        let mut ways: BTreeMap<(NodeId, usize), Snapshot> = BTreeMap::new();
        for _ in 0..MOVES {
            let to = match rng.random_range(0..6) {
                0 | 1 => {
                    let (at, which) = (timeline.at(), rng.random_range(0..posts.len()));
                    let mut pupil = Learner::from_snapshot(&kept[&at], &model).expect("a pupil");
                    learn(&mut pupil, &model, &posts[which]);
                    let snapshot = pupil.snapshot().expect("a snapshot");
                    // The same lesson from the same place makes the same learner.
                    let before = ways.insert((at, which), snapshot.clone());
                    assert!(before.is_none_or(|before| before == snapshot), "seed {seed}");
                    let id = timeline.learn(lesson(), snapshot.as_bytes().len() as u64);
                    kept.insert(id, snapshot);
                    learner = pupil;
                    continue;
                }
                2 => timeline.before(),
                3 => timeline.after(),
                4 => {
                    let all: Vec<NodeId> = timeline.nodes().map(|node| node.id).collect();
                    all.get(rng.random_range(0..all.len().max(1))).copied()
                }
                _ => {
                    // A reload: all that is left is bytes.
                    let nodes: Vec<_> = timeline.nodes().cloned().collect();
                    timeline = Timeline::restored(nodes, timeline.at(), timeline.tip(), timeline.last());
                    Some(timeline.at())
                }
            };
            if let Some(to) = to {
                timeline.go(to);
                let bytes = kept[&to].as_bytes().to_vec();
                learner = Learner::from_snapshot(&Snapshot::from_bytes(bytes), &model).expect("a learner");
            }
            assert_eq!(
                learner.snapshot().expect("a snapshot"),
                kept[&timeline.at()],
                "seed {seed}"
            );
        }
        assert!(timeline.nodes().count() > 3, "seed {seed} taught something");
    }
}

fn learn(pupil: &mut Learner, model: &fledge::engine::Model, post: &Completion) {
    let teaching = Teaching {
        steps: 2,
        ..Teaching::default()
    };
    teach(pupil, model, &Material::Rated(vec![(post, reward(5))]), &teaching);
}
