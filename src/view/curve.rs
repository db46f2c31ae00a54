//! The reward curve: what the rated posts say about the lessons.

use crate::content::ContentType;
use crate::feedback::Weights;
use crate::protocol::{Post, PostId};

/// One rated post on the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The post.
    pub post: PostId,
    /// Its reward under the current weights.
    pub reward: f64,
    /// Mean reward of all rated posts up to this one.
    pub running_mean: f64,
    /// The untaught model wrote it.
    pub untaught: bool,
}

/// Every rated post in the order of writing, with its reward under `weights`.
#[must_use]
pub fn points(posts: &[Post], weights: &Weights) -> Vec<Point> {
    let mut sum = 0.0;
    posts
        .iter()
        .filter_map(|post| Some((post, post.rated()?)))
        .enumerate()
        .map(|(before, (post, ratings))| {
            let reward = weights.reward(&ratings).get();
            sum += reward;
            Point {
                post: post.id,
                reward,
                running_mean: sum / (before + 1) as f64,
                untaught: post.lessons_before == 0,
            }
        })
        .collect()
}

/// The mean reward of the posts that the untaught model wrote; `None` without any.
#[must_use]
pub fn untaught_mean(points: &[Point]) -> Option<f64> {
    mean(points, true).map(|(mean, _)| mean)
}

/// What the curve shows, in a sentence or two.
#[must_use]
pub fn sentence(content: ContentType, points: &[Point]) -> String {
    let noun = content.noun();
    let Some(last) = points.last() else {
        return format!("Every {noun} that you rate becomes a dot here.");
    };
    let overall = match points.len() {
        1 => format!("One {noun} is rated, at {:.2}.", last.reward),
        count => format!("{count} {noun}s are rated, {:.2} on average.", last.running_mean),
    };
    match (mean(points, true), mean(points, false)) {
        (Some((before, n)), Some((after, m))) => {
            format!("{overall} Before any lesson {before:.2} ({n}), after lessons {after:.2} ({m}).")
        }
        (Some(_), None) => format!("{overall} All from before the first lesson."),
        (None, _) => overall,
    }
}

/// Mean reward and number of the posts that the untaught model wrote, or of the others.
fn mean(points: &[Point], untaught: bool) -> Option<(f64, usize)> {
    let rewards = || {
        points
            .iter()
            .filter(|point| point.untaught == untaught)
            .map(|point| point.reward)
    };
    let count = rewards().count();
    (count > 0).then(|| (rewards().sum::<f64>() / count as f64, count))
}
