//! A whole lesson as a person gets it: what they said is taught, and then, once the automatic rater is honest, practised. In
//! rounds of one optimiser step, the model writes some texts that nobody sees, the rater judges them as the person would, and what
//! made them good gains on the rest ([`credit`]).
//!
//! A single rating says little about a style; the rater has seen them all, and fresh texts cost nobody's patience.

use super::batch::Batch;
use super::credit;
use super::lesson::{Lesson, LessonOutcome, Material, StepReport};
use super::rater::Rater;
use super::replay::Past;
use super::{Error, Learner};
use crate::content::ContentType;
use crate::engine::{Completion, Generation, Model};
use crate::feedback::Weights;
use crate::settings::{Objective, Sampling, Teaching};

/// Rounds of practice in a lesson, at least …
const LEAST_ROUNDS: usize = 4;
/// … and at most, as long as there is way to go: where the automatic rater has become honest late, there is much to catch up on.
const MOST_ROUNDS: usize = 10;
/// The part of the way to the KL target after which the least is enough.
const NEARLY_THERE: f64 = 0.7;

/// Who judges what is practised, and what that is about.
pub struct Practice {
    /// Fitted on the person's ratings.
    pub rater: Rater,
    /// How the person weighs the metrics.
    pub weights: Weights,
    /// What is written.
    pub content: ContentType,
    /// About what, in turns; at least one prompt.
    pub prompts: Vec<String>,
    /// The first text's seed.
    pub seed: u64,
}

/// A lesson and its practice, pulled one step at a time. To stop it, drop it and restore the learner's snapshot from before.
pub struct Course {
    lesson: Lesson,
    practice: Option<Practice>,
    stage: Stage,
    /// Rounds of practice that are done.
    rounds: usize,
    /// What was written in them.
    written: credit::Pairs,
    teaching: Teaching,
}

enum Stage {
    /// What the person said.
    Taught,
    /// Texts to practise on are being written.
    Writing(Generation),
    Practised(Lesson),
    Done,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// An optimiser step.
    Stepped(StepReport),
    /// A token of each text to practise on, or a look at them.
    Wrote,
}

/// What a whole lesson did.
#[derive(Clone, Debug, PartialEq)]
pub struct CourseOutcome {
    /// To what the person said something of, practice included.
    pub lesson: LessonOutcome,
    /// Texts that were practised on.
    pub practised: usize,
}

impl Course {
    /// Prepares a lesson, and perhaps practice after it.
    pub fn begin(
        learner: &Learner,
        model: &Model,
        material: &Material,
        replayed: &[Past],
        teaching: &Teaching,
        practice: Option<Practice>,
    ) -> Result<Self, Error> {
        // The original objective says "more of this" to whatever is judged.
        let wanted = teaching.practice > 0 && teaching.objective == Objective::Advantage;
        let heard = |practice: &Practice| {
            wanted && practice.rater.insight().is_honest(&practice.weights) && !practice.prompts.is_empty()
        };
        Ok(Self {
            lesson: Lesson::begin(learner, model, material, replayed, teaching)?,
            practice: practice.filter(heard),
            stage: Stage::Taught,
            rounds: 0,
            written: credit::Pairs::default(),
            teaching: *teaching,
        })
    }

    /// How many optimiser steps it takes in all, as far as is known by now.
    #[must_use]
    pub fn steps(&self) -> usize {
        let rounds = match (&self.practice, &self.stage) {
            (None, _) => 0,
            (Some(_), Stage::Done) => self.rounds,
            (Some(_), _) => LEAST_ROUNDS.max(self.rounds + 1),
        };
        self.teaching.steps + rounds
    }

    /// Whether all is done but [`Course::finish`].
    #[must_use]
    pub const fn done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Does a little of it.
    pub fn step(&mut self, learner: &mut Learner, model: &Model) -> Result<Progress, Error> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Taught => {
                let report = self.lesson.step(learner, model)?;
                self.stage = if !self.lesson.done() {
                    Stage::Taught
                } else if let Some(practice) = &self.practice {
                    Stage::Writing(practice.write(model, self.teaching.practice, 0)?)
                } else {
                    Stage::Done
                };
                Ok(Progress::Stepped(report))
            }
            Stage::Writing(mut generation) => {
                if generation.next(model, Some(learner.adapter()))? {
                    self.stage = Stage::Writing(generation);
                } else if let Some(practice) = &self.practice {
                    let texts = generation.finish(model)?;
                    let prompt = practice.prompt(self.rounds);
                    let lesson =
                        practice.lesson(learner, model, (prompt, &texts), &mut self.written, &self.teaching)?;
                    self.stage = Stage::Practised(lesson);
                }
                Ok(Progress::Wrote)
            }
            Stage::Practised(mut lesson) => {
                let report = lesson.step(learner, model)?;
                self.rounds += 1;
                let most = if report.kl < NEARLY_THERE * self.teaching.kl_target {
                    MOST_ROUNDS
                } else {
                    LEAST_ROUNDS
                };
                if let Some(practice) = self.practice.as_ref().filter(|_| self.rounds < most) {
                    self.stage = Stage::Writing(practice.write(model, self.teaching.practice, self.rounds)?);
                }
                Ok(Progress::Stepped(report))
            }
            Stage::Done => Ok(Progress::Wrote),
        }
    }

    /// Ends it.
    pub fn finish(self, learner: &mut Learner, model: &Model) -> Result<CourseOutcome, Error> {
        Ok(CourseOutcome {
            practised: self.teaching.practice * self.rounds,
            lesson: self.lesson.finish(learner, model)?,
        })
    }
}

impl Practice {
    fn prompt(&self, round: usize) -> &str {
        &self.prompts[round % self.prompts.len()]
    }

    fn write(&self, model: &Model, count: usize, round: usize) -> Result<Generation, Error> {
        let sampling = Sampling {
            seed: self.seed.wrapping_add((round * count) as u64),
            ..Sampling::of(self.content)
        };
        Ok(Generation::new(
            model,
            self.content,
            self.prompt(round),
            &sampling,
            count,
        )?)
    }

    fn lesson(
        &self,
        learner: &Learner,
        model: &Model,
        (prompt, texts): (&str, &[Completion]),
        written: &mut credit::Pairs,
        teaching: &Teaching,
    ) -> Result<Lesson, Error> {
        let batch = Batch::new(texts, model.config().n_positions)?;
        let references = batch.references(model)?;
        let judge = (&self.rater, &self.weights);
        let advantages = credit::of_tokens(model, judge, prompt, texts, &references, written)?;
        let judged = texts.iter().zip(advantages).collect();
        Lesson::practised(learner, model, judged, (batch, references), teaching)
    }
}
