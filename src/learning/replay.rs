//! Replay: past ratings that are taught along with a new one, so that it does not overwrite them.
//!
//! A past text is drawn with a probability in proportion to how fresh it is and how much its rating differed from the usual:
//! `0.97^age · (0.05 + |reward − baseline|)`, without replacement (Efraimidis & Spirakis 2006: the largest keys `u^(1/w)`).
//! Its reward is what its stars are worth under today's weights; the log-probabilities that were stored when it was written
//! damp what has become unlikely since, as they do for a new one ([`objective`](super::objective)).

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::engine::Completion;
use crate::feedback::Reward;

/// How much less a text counts for every lesson since its own.
const RECENCY: f64 = 0.97;

/// What a text counts whose rating was no surprise.
const NO_SURPRISE: f64 = 0.05;

/// A text that was taught before.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The text.
    pub completion: &'a Completion,
    /// What it is worth now.
    pub reward: Reward,
    /// Lessons since its own.
    pub age: u32,
}

/// Draws `count` of them, or all if there are fewer. The same seed draws the same.
#[must_use]
pub fn draw<'a>(past: &[Past<'a>], baseline: f64, count: usize, seed: u64) -> Vec<Past<'a>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut keyed: Vec<(f64, &Past)> = past
        .iter()
        .map(|past| {
            let surprise = (past.reward.get() - baseline).abs();
            let weight = RECENCY.powi(past.age as i32) * (NO_SURPRISE + surprise);
            (rng.random::<f64>().ln() / weight, past)
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    keyed.into_iter().take(count).map(|(_, past)| *past).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{Ratings, Stars, Weights};

    fn completion() -> Completion {
        Completion {
            prompt_ids: vec![1],
            ids: vec![2],
            log_probs: vec![-1.0],
            text: String::new(),
            ending: None,
        }
    }

    #[test]
    fn fresh_surprises_come_back_most_often() {
        let completion = completion();
        let past = |stars, age| Past {
            completion: &completion,
            reward: Weights::default().reward(&Ratings::all(Stars::new(stars).expect("1 to 5"))),
            age,
        };
        let all = [past(3, 0), past(5, 0), past(5, 60)];
        let mut drawn = [0; 3];
        for seed in 0..400 {
            for one in draw(&all, 0.5, 1, seed) {
                let at = all
                    .iter()
                    .position(|past| past.age == one.age && past.reward == one.reward);
                drawn[at.expect("one of them")] += 1;
            }
        }
        assert!(drawn[1] > 2 * drawn[0] && drawn[1] > 2 * drawn[2], "{drawn:?}");
        assert!(drawn[0] > 0 && drawn[2] > 0, "{drawn:?}");
    }

    #[test]
    fn none_is_drawn_twice_and_no_more_than_there_are() {
        let completion = completion();
        let past = [0, 1, 2].map(|age| Past {
            completion: &completion,
            reward: Weights::default().reward(&Ratings::all(Stars::FIVE)),
            age,
        });
        let mut ages: Vec<u32> = draw(&past, 0.5, 9, 3).iter().map(|past| past.age).collect();
        ages.sort_unstable();
        assert_eq!(ages, [0, 1, 2]);
    }
}
