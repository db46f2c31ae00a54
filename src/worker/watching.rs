//! The job that watches the guard rails after a lesson, in the background: a lesson that breaks one is taken back.

use super::dispatch::Page;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use crate::learning::trial::Trial;
use crate::protocol::{Event, RequestId};
use crate::rails::{Bounds, breach};
use crate::timeline::NodeId;

/// The rails' prompts being written.
pub struct Watching {
    /// The request that taught the lesson.
    pub request: RequestId,
    node: NodeId,
    /// The untaught model's turn comes first, once for each studio; then the taught one's.
    trial: Trial,
    untaught: bool,
}

impl Watching {
    /// Begins after a lesson.
    pub fn begin(request: RequestId, node: NodeId, studio: &Studio) -> Job {
        Job::Watch(Box::new(Self {
            request,
            node,
            trial: Trial::of_the_rails(studio.content),
            untaught: studio.untaught.is_none(),
        }))
    }

    /// Draws one token of each text, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        if self.untaught {
            if let Some(signs) = self.trial.step(&studio.model, None)? {
                studio.untaught = Some(signs);
                self.untaught = false;
                self.trial = Trial::of_the_rails(studio.content);
            }
            return Ok(Some(Job::Watch(self)));
        }
        let Some(taught) = self.trial.step(&studio.model, studio.adapter())? else {
            return Ok(Some(Job::Watch(self)));
        };
        let node = self.node;
        let broken = studio
            .untaught
            .and_then(|untaught| breach(&untaught, &taught, &Bounds::default()));
        let breach = match broken {
            None => None,
            Some(breach) => {
                studio.note(node, |node| node.lesson.breach = Some(breach)).await?;
                let before = studio.timeline().before().ok_or(Problem::NoSuchLesson(node))?;
                studio.go(before).await?;
                Some((breach, before))
            }
        };
        page.tell(self.request, Event::Watched { node, breach });
        Ok(None)
    }
}
