//! The job that teaches: one optimiser step at a time, then everything into the database at once.

use super::dispatch::Page;
use super::history::Record;
use super::host;
use super::job::Job;
use super::problem::Problem;
use super::studio::Studio;
use super::watching::Watching;
use super::writing::Comparison;
use crate::engine::Completion;
use crate::feedback::{PartialRatings, Reward, Weights};
use crate::insight::Guess;
use crate::learning::batch::Batch;
use crate::learning::rater::Rater;
use crate::learning::{self, Course, Learner, Practice, Progress, credit, replay};
use crate::protocol::{Ending, Event, Lesson, LessonKind, Material, Post, PostId, RequestId, Step, Tally, Taught};
use crate::settings::Teaching;

/// Seeds of texts to practise on begin here, far from those that a person would type.
const PRACTICE_SEED: u64 = 1 << 40;
/// … and each lesson has so many.
const PRACTICE_SEEDS: u64 = 256;

/// Old ratings that a lesson under new weights is taught from at most.
const MOST_REWEIGHTED: usize = 12;

/// A lesson in progress, with the copy of the learner that it changes.
pub struct Lecture {
    /// What it answers.
    pub request: RequestId,
    /// The posts that it is taught from, as they will be kept: the chosen one or the edit first.
    records: Vec<Record>,
    /// Of each, if they were rated.
    rewards: Vec<Option<Reward>>,
    kind: LessonKind,
    weights: Weights,
    teaching: Teaching,
    pupil: Learner,
    stage: Stage,
    steps: Vec<Step>,
    /// Who judges, if not the person.
    judge: Option<Rater>,
    /// How well the automatic rater knows the person, if it judged anything.
    rater: Option<f64>,
    told_of_practice: bool,
}

enum Stage {
    /// The automatic rater has not seen these posts yet.
    Looking(Vec<Record>),
    Teaching(Box<Course>),
}

impl Lecture {
    /// Begins a lesson.
    pub fn begin(
        request: RequestId,
        material: &Material,
        weights: Weights,
        teaching: Teaching,
        studio: &Studio,
    ) -> Result<Job, Problem> {
        let (kind, records) = gather(material, &weights, studio)?;
        let rewards = records.iter().map(|record| match kind {
            LessonKind::Rated | LessonKind::Reweighted => record.post.judged().map(|ratings| weights.reward(&ratings)),
            LessonKind::Preferred | LessonKind::Edited | LessonKind::Automatic | LessonKind::Imported => None,
        });
        let rewards = rewards.collect();
        let lecture = Self::of(request, kind, records, rewards, weights, teaching, studio)?;
        Ok(Job::Teach(Box::new(lecture)))
    }

    /// Begins a lesson from what the automatic rater says of posts that were just written. The person said nothing of them.
    pub fn automatic(
        request: RequestId,
        judge: Rater,
        judged: Vec<(Record, Guess)>,
        weights: Weights,
        teaching: Teaching,
        studio: &Studio,
    ) -> Result<Job, Problem> {
        let rewards = judged.iter().map(|(_, guess)| Some(guess.reward(&weights))).collect();
        let records = judged.into_iter().map(|(mut record, guess)| {
            record.post.filled_in = guess.ratings().into();
            record
        });
        let records = records.collect();
        let kind = LessonKind::Automatic;
        let mut lecture = Self::of(request, kind, records, rewards, weights, teaching, studio)?;
        lecture.judge = Some(judge);
        Ok(Job::Teach(Box::new(lecture)))
    }

    fn of(
        request: RequestId,
        kind: LessonKind,
        records: Vec<Record>,
        rewards: Vec<Option<Reward>>,
        weights: Weights,
        teaching: Teaching,
        studio: &Studio,
    ) -> Result<Self, Problem> {
        let mut teaching = teaching.clamped();
        let pupil = studio.pupil(teaching.lora)?;
        teaching.lora = *pupil.lora();
        let mut unseen = studio.unseen();
        for record in &records {
            let is_known =
                studio.has_seen(record.post.id) || unseen.iter().any(|other| other.post.id == record.post.id);
            if record.post.rated().is_some() && !is_known {
                unseen.push(record.clone());
            }
        }
        Ok(Self {
            request,
            rewards,
            kind,
            weights,
            steps: Vec::new(),
            teaching,
            pupil,
            stage: Stage::Looking(unseen),
            records,
            judge: None,
            rater: None,
            told_of_practice: false,
        })
    }

    /// Looks at a post, takes one optimiser step, draws one token of each text to practise on, or ends.
    pub async fn step(mut self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        match &mut self.stage {
            Stage::Looking(unseen) => {
                if let Some(record) = unseen.pop() {
                    studio.see(&record)?;
                } else {
                    self.stage = Stage::Teaching(Box::new(self.course(studio)?));
                }
            }
            Stage::Teaching(course) if course.done() => return self.finish(studio, page).await,
            Stage::Teaching(course) => {
                let began_at = host::now();
                match course.step(&mut self.pupil, &studio.model)? {
                    Progress::Stepped(report) => {
                        let step = Step {
                            number: self.steps.len() + 1,
                            of: course.steps(),
                            loss: report.loss,
                            gradient_norm: report.gradient_norm,
                            kl: report.kl,
                            millis: host::now() - began_at,
                        };
                        self.steps.push(step);
                        page.tell(self.request, Event::Stepped { step });
                    }
                    Progress::Wrote if !self.told_of_practice => {
                        self.told_of_practice = true;
                        let texts = self.teaching.practice;
                        page.tell(self.request, Event::Practising { texts });
                    }
                    Progress::Wrote => {}
                }
            }
        }
        Ok(Some(Job::Teach(self)))
    }

    /// All that is taught, once every rating is known to the automatic rater.
    fn course(&mut self, studio: &Studio) -> Result<Course, Problem> {
        let past = studio.past(&self.weights);
        let number = u64::from(studio.timeline().next());
        let count = match self.kind {
            LessonKind::Rated | LessonKind::Preferred | LessonKind::Edited => self.teaching.replay * self.records.len(),
            LessonKind::Automatic | LessonKind::Reweighted | LessonKind::Imported => 0,
        };
        let replayed = replay::draw(&past, studio.usual(), count, number);
        let texts: Vec<&Completion> = self.records.iter().map(|record| &record.completion).collect();
        let nothing = || Problem::NoMaterial("a lesson needs a text");
        let (first, others) = texts.split_first().ok_or_else(nothing)?;
        let rated = texts.iter().zip(&self.rewards);
        let rated: Vec<_> = rated.filter_map(|(text, reward)| Some((*text, (*reward)?))).collect();
        let material = match self.kind {
            LessonKind::Rated => learning::Material::Rated(rated),
            LessonKind::Automatic | LessonKind::Reweighted => {
                let advantages = self.advantages(&rated, studio)?;
                learning::Material::Judged(texts.iter().copied().zip(advantages).collect())
            }
            LessonKind::Preferred => learning::Material::Preferred {
                chosen: first,
                rejected: others.to_vec(),
            },
            LessonKind::Edited => learning::Material::Demonstrated {
                edit: first,
                replaced: others.first().ok_or_else(nothing)?,
            },
            LessonKind::Imported => return Err(nothing()),
        };
        // The rounds of the automatic rater are practice themselves.
        let fitted = match self.kind {
            LessonKind::Automatic => None,
            LessonKind::Rated
            | LessonKind::Preferred
            | LessonKind::Edited
            | LessonKind::Reweighted
            | LessonKind::Imported => studio.rater(&self.records),
        };
        let practice = fitted.map(|rater| {
            let insight = rater.insight();
            self.rater = insight
                .is_honest(&self.weights)
                .then(|| insight.reward_correlation(&self.weights));
            Practice {
                rater,
                weights: self.weights,
                content: studio.content,
                prompts: studio.prompts_to_practise(number),
                seed: PRACTICE_SEED + PRACTICE_SEEDS * number,
            }
        });
        let course = Course::begin(
            &self.pupil,
            &studio.model,
            &material,
            &replayed,
            &self.teaching,
            practice,
        )?;
        if course.steps() == self.teaching.steps {
            self.rater = None;
        }
        Ok(course)
    }

    /// Of each token of texts that the person did not judge just now.
    fn advantages(&self, rated: &[(&Completion, Reward)], studio: &Studio) -> Result<Vec<Vec<f64>>, Problem> {
        let (Some(judge), Some(record)) = (&self.judge, self.records.first()) else {
            return Ok(credit::of_texts(rated));
        };
        let texts: Vec<Completion> = rated.iter().map(|(text, _)| (*text).clone()).collect();
        let batch = Batch::new(&texts, studio.model.config().n_positions)?;
        let references = batch.references(&studio.model)?;
        let judge = (judge, &self.weights);
        Ok(credit::of_tokens(
            &studio.model,
            judge,
            &record.post.prompt,
            &texts,
            &references,
            &mut credit::Pairs::default(),
        )?)
    }

    async fn finish(self: Box<Self>, studio: &mut Studio, page: &Page) -> Result<Option<Job>, Problem> {
        let Self {
            request,
            records,
            rewards,
            kind,
            teaching,
            mut pupil,
            stage: Stage::Teaching(course),
            steps,
            rater,
            ..
        } = *self
        else {
            return Ok(None);
        };
        let outcome = course.finish(&mut pupil, &studio.model)?;
        if outcome.lesson.texts.iter().any(|text| !text.log_prob_after.is_finite()) {
            return Err(learning::Error::NotFinite("result").into());
        }
        let taught = records.iter().zip(rewards).zip(&outcome.lesson.texts);
        let taught = taught.map(|((record, reward), text)| Taught {
            post: record.post.id,
            reward: reward.map(Reward::get),
            baseline: text.baseline,
            coefficient: text.coefficient,
            log_prob_before: text.log_prob_before,
            log_prob_after: text.log_prob_after,
        });
        let lesson = Lesson {
            posts: taught.collect(),
            kind,
            teaching,
            steps,
            replayed: outcome.lesson.replayed,
            practised: outcome.practised,
            rater,
            learned_at: js_sys::Date::now(),
            after: None,
            breach: None,
            tally: Tally::default(),
            measured: None,
        };
        let (posts, node) = studio.learn(pupil, records, lesson).await?;
        let id = node.id;
        let next = match posts.first() {
            _ if kind == LessonKind::Automatic => Ok(Some(Watching::begin(request, id, studio))),
            Some(post) => Comparison::begin(request, post, id, studio).map(Some),
            None => Ok(None),
        };
        page.tell(request, Event::Learned { posts, node });
        next
    }
}

/// The posts of a lesson, with what the person said of them, and the kind of lesson that makes.
fn gather(material: &Material, weights: &Weights, studio: &Studio) -> Result<(LessonKind, Vec<Record>), Problem> {
    let untaught = |id: PostId| -> Result<Record, Problem> {
        match studio.timeline().lesson_of(id) {
            Some(_) => Err(Problem::TaughtAlready(id)),
            None => Ok(studio.record(id)?.clone()),
        }
    };
    match material {
        Material::Rated(rated) => {
            let records = rated.iter().map(|judgement| {
                let mut record = untaught(judgement.post)?;
                record.post.ratings = judgement.ratings;
                record.post.filled_in = judgement.filled_in.without(&judgement.ratings);
                let is_judged = record.post.judged().is_some();
                is_judged
                    .then_some(record)
                    .ok_or(Problem::NoMaterial("a rating is missing"))
            });
            Ok((LessonKind::Rated, records.collect::<Result<_, Problem>>()?))
        }
        Material::Reweighted => {
            let records = studio.most_changed(weights, MOST_REWEIGHTED);
            if records.is_empty() {
                return Err(Problem::NoMaterial(
                    "no rating is worth anything else under these weights",
                ));
            }
            Ok((LessonKind::Reweighted, records))
        }
        Material::Preferred { chosen, rejected } => {
            if rejected.is_empty() || rejected.contains(chosen) {
                return Err(Problem::NoMaterial("a preference needs two texts"));
            }
            let records = [chosen].into_iter().chain(rejected).map(|id| untaught(*id));
            Ok((LessonKind::Preferred, records.collect::<Result<_, Problem>>()?))
        }
        Material::Edited { post, text } => {
            let replaced = untaught(*post)?;
            let edit = edited(&replaced, text, studio)?;
            Ok((LessonKind::Edited, vec![edit, replaced]))
        }
    }
}

/// The person's own version of a post, as a post. Its text was drawn by nobody, so it is encoded here.
fn edited(replaced: &Record, text: &str, studio: &Studio) -> Result<Record, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::NoMaterial("your version is empty"));
    }
    if text == replaced.post.text {
        return Err(Problem::NoMaterial("your version says the same, word for word"));
    }
    let model = &studio.model;
    let room = model.config().n_positions + 1 - replaced.completion.prompt_ids.len();
    let ids = model
        .encode_completion(text, &replaced.completion)
        .map_err(Problem::writing)?;
    if ids.len() > room {
        return Err(learning::Error::TooLong(model.config().n_positions).into());
    }
    let completion = Completion {
        prompt_ids: replaced.completion.prompt_ids.clone(),
        ids,
        log_probs: Vec::new(),
        text: text.to_owned(),
        ending: Some(crate::engine::Ending::EndOfText),
    };
    let post = Post {
        id: studio.next_post(),
        group: studio.next_post(),
        edit_of: Some(replaced.post.id),
        text: text.to_owned(),
        tokens: completion.ids.len(),
        ending: Ending::EndOfText,
        written_at: js_sys::Date::now(),
        millis: 0.0,
        ratings: PartialRatings::default(),
        filled_in: PartialRatings::default(),
        chosen_over: Vec::new(),
        ..replaced.post.clone()
    };
    Ok(Record { post, completion })
}
