//! One run: a rater teaches, and is then asked what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock};

use fledge::content::ContentType;
use fledge::engine::{Adapter, Completion, Generation, Model};
use fledge::feedback::Reward;
use fledge::learning::rater::{self, Rated};
use fledge::learning::replay::{self, Past};
use fledge::learning::trial::Trial;
use fledge::learning::{Course, Learner, Material, Practice, batch::Batch, credit, features};
use fledge::rails::{self, Bounds, Signs};
use fledge::settings::{Lora, Sampling};
use fledge::statistics::{mean, spearman};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use crate::options::Setting;
use crate::raters::Rater;

/// What is taught here are posts.
const CONTENT: ContentType = ContentType::Post;

/// What the raters ask for; none of it is held out, or watched by the guard rails.
const TAUGHT: [&str; 30] = [
    "Advice for entrepreneurs",
    "How to keep customers",
    "Pricing a new product",
    "Hiring the first employee",
    "Cash flow for small shops",
    "Leadership in hard times",
    "Why meetings take so long",
    "Selling online",
    "Building a brand",
    "Working from home",
    "Raising your prices",
    "Saying no to a customer",
    "Finding a mentor",
    "The first week in a new job",
    "Opening a second shop",
    "Trust between partners",
    "Learning to delegate",
    "A good business plan",
    "Feedback that helps",
    "Growing too fast",
    "Delivery on time",
    "Planning the year",
    "Staying calm under pressure",
    "Buying from local suppliers",
    "Training new people",
    "Keeping good records",
    "Making decisions",
    "The value of patience",
    "Advertising on a small budget",
    "Talking about money",
];

/// Texts for each held-out prompt.
const EACH: usize = 8;

/// Of so many texts the automatic rater chooses one.
const CHOICE: usize = 4;

/// What came of a run: a line of the record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// With what, as [`Setting`] is written.
    pub setting: String,
    /// Who taught.
    pub rater: String,
    /// Which run.
    pub seed: u64,
    /// Mean true reward on held-out prompts, untaught.
    pub before: f64,
    /// The same, taught.
    pub after: f64,
    /// Of the taught model from the untaught one there, in nats a token.
    pub kl: f64,
    /// The taught model's, as a share of the untaught one's; as the next two.
    pub entropy: f64,
    /// Different pairs of words.
    pub distinct_2: f64,
    /// Words a text.
    pub words: f64,
    /// Lessons that the guard rails took back.
    pub taken_back: usize,
    /// The automatic rater's rank correlation with the true reward of held-out texts, fitted on 20 ratings.
    pub rater_20: Option<f64>,
    /// Mean true reward of the best of four by the automatic rater, on held-out prompts, untaught.
    pub best_of_4: Option<f64>,
}

impl Outcome {
    /// How much higher the reward is, as a share of the untaught model's.
    pub fn lift(&self) -> f64 {
        self.after / self.before - 1.0
    }

    /// How much higher the best of four is.
    pub fn lift_of_best(&self) -> Option<f64> {
        self.best_of_4.map(|best| best / self.before - 1.0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            rater,
            seed,
            before,
            after,
            kl,
            entropy,
            distinct_2,
            words,
            taken_back,
            ..
        } = self;
        let lift = 100.0 * self.lift();
        write!(
            f,
            "{rater} {seed}: {before:.3} → {after:.3} ({lift:+.0} %), KL {kl:.2}, entropy {entropy:.2}, distinct-2 {distinct_2:.2}, \
             words {words:.2}, {taken_back} taken back"
        )
    }
}

/// What the untaught model writes, which is the same in every run of a seed.
#[derive(Default)]
pub struct Untaught {
    watched: OnceLock<Signs>,
    held_out: Mutex<BTreeMap<u64, HeldOut>>,
}

/// A model's signs on the held-out prompts, and its texts, by prompt.
type HeldOut = (Signs, Vec<Vec<Completion>>);

/// A run in progress.
pub struct Run<'a> {
    model: &'a Model,
    untaught: &'a Untaught,
    setting: &'a Setting,
    rater: &'a Rater,
    seed: u64,
    rng: StdRng,
    learner: Learner,
    prompts: Vec<&'static str>,
    /// What was taught so far: prompt, text, reward, and the lesson's number.
    past: Vec<Taught>,
    lessons: u32,
    taken_back: usize,
}

struct Taught {
    text: Completion,
    reward: Reward,
    lesson: u32,
    known: Rated,
}

impl<'a> Run<'a> {
    /// Nothing is taught yet.
    pub fn new(model: &'a Model, untaught: &'a Untaught, setting: &'a Setting, rater: &'a Rater, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut prompts = TAUGHT.to_vec();
        prompts.shuffle(&mut rng);
        Self {
            model,
            untaught,
            setting,
            rater,
            seed,
            rng,
            learner: Learner::new(model, Lora::default(), 0).expect("a learner"),
            prompts,
            past: Vec::new(),
            lessons: 0,
            taken_back: 0,
        }
    }

    /// Teaches, and measures.
    pub fn outcome(mut self) -> Outcome {
        let (untaught, before) = self.untaught_held_out();
        let mut rated = 0;
        let mut rater_20 = None;
        let mut best_of_4 = None;
        while rated < self.setting.ratings {
            let count = self.setting.candidates.min(self.setting.ratings - rated);
            self.round(count);
            if rated < 20 && rated + count >= 20 {
                (rater_20, best_of_4) = self.automatic(&before);
            }
            rated += count;
        }
        for _ in 0..self.setting.self_taught {
            self.teach_itself();
        }
        let (taught, after) = self.hold_out(Some(self.learner.adapter()));
        let reward = |texts: &[Vec<Completion>]| mean(&self.rewards(texts).concat());
        Outcome {
            setting: self.setting.to_string(),
            rater: self.rater.name.to_owned(),
            seed: self.seed,
            before: reward(&before),
            after: reward(&after),
            kl: taught.kl,
            entropy: taught.entropy / untaught.entropy,
            distinct_2: taught.distinct_2 / untaught.distinct_2,
            words: taught.words / untaught.words,
            taken_back: self.taken_back,
            rater_20,
            best_of_4,
        }
    }

    fn untaught_held_out(&self) -> HeldOut {
        // Whoever comes first writes, and the others of the seed wait for it.
        let mut held_out = self.untaught.held_out.lock().expect("no thread panics");
        held_out.entry(self.seed).or_insert_with(|| self.hold_out(None)).clone()
    }

    /// What a model writes for the held-out prompts, under this run's seeds.
    fn hold_out(&self, adapter: Option<&Adapter>) -> HeldOut {
        let mut trial = Trial::new(CONTENT, CONTENT.held_out(), EACH, 1_000_000 + 1_000 * self.seed);
        loop {
            if let Some(signs) = trial.step(self.model, adapter).expect("a step") {
                return (signs, trial.texts().to_vec());
            }
        }
    }

    /// True rewards of held-out texts, by prompt.
    fn rewards(&self, texts: &[Vec<Completion>]) -> Vec<Vec<f64>> {
        let prompts = CONTENT.held_out().iter().zip(texts);
        let of_prompt = |(prompt, texts): (&&str, &Vec<Completion>)| {
            texts
                .iter()
                .map(|text| self.rater.true_reward(prompt, &text.text).get())
                .collect()
        };
        prompts.map(of_prompt).collect()
    }

    fn write(&mut self, prompt: &str, count: usize) -> Vec<Completion> {
        let sampling = Sampling {
            seed: 100_000 * (self.seed + 1) + 10 * u64::from(self.lessons),
            ..Sampling::of(CONTENT)
        };
        let adapter = (self.lessons > 0).then(|| self.learner.adapter());
        let mut generation = Generation::new(self.model, CONTENT, prompt, &sampling, count).expect("a prompt");
        while generation.next(self.model, adapter).expect("a token") {}
        generation.finish(self.model).expect("texts")
    }

    fn features(&self, prompt: &str, texts: &[Completion]) -> Vec<Vec<f64>> {
        features::of(self.model, prompt, texts).expect("features")
    }

    /// One prompt: its texts are written, rated and taught.
    fn round(&mut self, count: usize) {
        let prompt = self.prompts[self.lessons as usize % self.prompts.len()];
        let texts = self.write(prompt, count);
        let known = self.features(prompt, &texts);
        let rated = texts.into_iter().zip(known).map(|(text, features)| {
            let ratings = self.rater.rate(prompt, &text.text, &mut self.rng);
            Taught {
                reward: self.rater.weights().reward(&ratings),
                lesson: self.lessons,
                known: Rated { features, ratings },
                text,
            }
        });
        let rated = rated.collect();
        self.teach(rated);
    }

    fn teach(&mut self, new: Vec<Taught>) {
        let taught = std::mem::take(&mut self.past);
        let past: Vec<Past> = taught
            .iter()
            .map(|taught| Past {
                completion: &taught.text,
                reward: taught.reward,
                age: self.lessons - taught.lesson,
            })
            .collect();
        let usual = self.learner.baseline().mean();
        let replayed = replay::draw(
            &past,
            usual,
            self.setting.teaching.replay * new.len(),
            u64::from(self.lessons),
        );
        let material = Material::Rated(new.iter().map(|taught| (&taught.text, taught.reward)).collect());
        // The new ratings count for the rater too.
        let known: Vec<Rated> = taught.iter().chain(&new).map(|taught| taught.known.clone()).collect();
        let practice = rater::Rater::fit(&known, &features::parts(self.model)).map(|rater| Practice {
            rater,
            weights: self.rater.weights(),
            content: CONTENT,
            prompts: self
                .prompts
                .iter()
                .cycle()
                .skip(7 * self.lessons as usize)
                .take(8)
                .map(|prompt| (*prompt).to_owned())
                .collect(),
            seed: 50_000_000 + 1_000_000 * self.seed + 256 * u64::from(self.lessons),
        });
        self.lesson(&material, &replayed, practice);
        self.past = taught;
        self.past.extend(new);
    }

    fn lesson(&mut self, material: &Material, replayed: &[Past], practice: Option<Practice>) {
        let before = self.learner.snapshot().expect("a snapshot");
        let teaching = &self.setting.teaching;
        let mut course =
            Course::begin(&self.learner, self.model, material, replayed, teaching, practice).expect("a lesson");
        while !course.done() {
            course.step(&mut self.learner, self.model).expect("a step");
        }
        course.finish(&mut self.learner, self.model).expect("an outcome");
        self.lessons += 1;
        if self.setting.guard && self.is_out_of_bounds() {
            self.learner.restore(&before).expect("the snapshot");
            self.taken_back += 1;
        }
    }

    fn is_out_of_bounds(&mut self) -> bool {
        let watch = |adapter: Option<&Adapter>| {
            let mut trial = Trial::of_the_rails(CONTENT);
            loop {
                if let Some(signs) = trial.step(self.model, adapter).expect("a step") {
                    return signs;
                }
            }
        };
        let taught = watch(Some(self.learner.adapter()));
        let untaught = self.untaught.watched.get_or_init(|| watch(None));
        rails::breach(untaught, &taught, &Bounds::default()).is_some()
    }

    fn fit(&self) -> Option<rater::Rater> {
        let known: Vec<Rated> = self.past.iter().map(|taught| taught.known.clone()).collect();
        rater::Rater::fit(&known, &features::parts(self.model))
    }

    /// How well the automatic rater knows the true reward of texts that it has not seen, and what its choice is worth.
    fn automatic(&self, held_out: &[Vec<Completion>]) -> (Option<f64>, Option<f64>) {
        let Some(fitted) = self.fit() else {
            return (None, None);
        };
        let weights = self.rater.weights();
        let rewards = self.rewards(held_out);
        let (mut guessed, mut best) = (Vec::new(), Vec::new());
        for ((prompt, texts), rewards) in CONTENT.held_out().iter().zip(held_out).zip(&rewards) {
            let of_prompt: Vec<f64> = self
                .features(prompt, texts)
                .iter()
                .map(|features| fitted.guess(features).reward(&weights).get())
                .collect();
            for (guessed, rewards) in of_prompt.chunks_exact(CHOICE).zip(rewards.chunks_exact(CHOICE)) {
                let favourite = (0..CHOICE).max_by(|a, b| guessed[*a].total_cmp(&guessed[*b]));
                best.extend(favourite.map(|at| rewards[at]));
            }
            guessed.extend(of_prompt);
        }
        (spearman(&guessed, &rewards.concat()), Some(mean(&best)))
    }

    /// One round of the automatic rater alone: it judges some texts, and they are taught. It learns from the person alone: its
    /// own ratings are neither kept nor replayed.
    fn teach_itself(&mut self) {
        let Some(fitted) = self
            .fit()
            .filter(|rater| rater.insight().is_honest(&self.rater.weights()))
        else {
            return;
        };
        let prompt = self.prompts[self.lessons as usize % self.prompts.len()];
        let texts = self.write(prompt, 8);
        let batch = Batch::new(&texts, self.model.config().n_positions).expect("a batch");
        let references = batch.references(self.model).expect("a reading");
        let judge = (&fitted, &self.rater.weights());
        let pairs = &mut credit::Pairs::default();
        let advantages = credit::of_tokens(self.model, judge, prompt, &texts, &references, pairs).expect("advantages");
        let judged = texts.iter().zip(advantages).collect();
        self.lesson(&Material::Judged(judged), &[], None);
    }
}
