//! Promise: a lesson moves the adapter as torch and peft would. Every LoRA gradient, and the weights after each of three
//! AdamW steps, within 1e-4 of theirs (relative to the largest value of the tensor).

use candle_core::Tensor;
use candle_nn::{Optimizer, ParamsAdamW};
use fledge::engine::Model;
use fledge::feedback::{Metric, Ratings, Stars, Weights};
use fledge::learning::batch::Batch;
use fledge::learning::optimizer::AdamW;
use fledge::learning::{Learner, Material};
use fledge::settings::{Objective, Teaching};

use crate::fixtures::{Reference, assert_close, model, teach};

const TOLERANCE: f32 = 1e-4;
const MODELS: [(&str, &str); 2] = [("tiny", "tiny-gpt2"), ("untied", "tiny-untied")];
const CE: f64 = 0.7;
const KL: f64 = 0.05;

/// A learner at the reference's starting point.
struct Bench {
    reference: Reference,
    name: &'static str,
    model: Model,
    learner: Learner,
    /// The text beside a shorter one: neither neighbours nor padding may matter.
    batch: Batch,
}

impl Bench {
    fn new((name, folder): (&'static str, &str)) -> Self {
        let (reference, model) = (Reference::load(), model(folder));
        let adapter = reference.adapter(&model, &format!("{name}/init"));
        let learner = Learner::from_adapter(model.config(), &adapter).expect("learner");
        let completion = reference.completion(name);
        let mut shorter = completion.clone();
        shorter.ids.truncate(2);
        let batch = Batch::new([&shorter, &completion], model.config().n_positions).expect("a batch");
        Self {
            reference,
            name,
            model,
            learner,
            batch,
        }
    }

    /// `c · CE + β · KL`, a scalar, and the two parts.
    fn loss(&self, c: f64, beta: f64) -> (Tensor, f64, f64) {
        let untaught = self.batch.references(&self.model).expect("base");
        let hidden = self
            .batch
            .hidden(&self.model, Some(self.learner.trainable()))
            .expect("policy");
        let evaluations = self.batch.evaluate(&self.model, &hidden, &untaught);
        let evaluation = evaluations.expect("evaluations").remove(1);
        let (ce, kl) = (-evaluation.log_prob(), evaluation.kl);
        let m = hidden[1].dim(0).expect("rows");
        (evaluation.loss(&hidden[1], &vec![c; m], beta).expect("a loss"), ce, kl)
    }

    fn expected_loss(&self, step: usize, part: &str) -> f64 {
        self.reference.json["training"][self.name]["losses"][step][part]
            .as_f64()
            .expect("loss")
    }

    #[track_caller]
    fn assert_gradients(&self, loss: &Tensor, group: &str) {
        let grads = loss.backward().expect("backward");
        let mut count = 0;
        for (name, var) in self.learner.trainable().tensors() {
            let what = format!("{}/{group}/{name}", self.name);
            let grad = grads.get(var).unwrap_or_else(|| panic!("{what} has no gradient"));
            assert_close(&what, grad, &self.reference.tensor(&what), TOLERANCE);
            count += 1;
        }
        assert_eq!(count, self.model.config().n_layer * 8);
    }
}

fn scalar(tensor: &Tensor) -> f64 {
    f64::from(tensor.to_scalar::<f32>().expect("a scalar"))
}

#[test]
fn every_gradient_of_every_part_of_the_loss_equals_torch() {
    for model in MODELS {
        let bench = Bench::new(model);
        let (loss, ce, kl) = bench.loss(CE, KL);
        assert!((ce / bench.expected_loss(0, "ce") - 1.0).abs() < 1e-5);
        assert!((kl / bench.expected_loss(0, "kl") - 1.0).abs() < 1e-4);
        bench.assert_gradients(&bench.loss(CE, 0.0).0, "grad_ce");
        bench.assert_gradients(&bench.loss(0.0, KL).0, "grad_kl");
        bench.assert_gradients(&loss, "grad");
    }
}

#[test]
fn three_steps_of_adamw_equal_torch() {
    for model in MODELS {
        let mut bench = Bench::new(model);
        let vars = bench
            .learner
            .optimizer_mut()
            .slots()
            .iter()
            .map(|slot| slot.var.clone())
            .collect();
        let params = ParamsAdamW {
            lr: 1e-3,
            weight_decay: 0.01,
            ..ParamsAdamW::default()
        };
        let mut optimizer = AdamW::new(vars, params).expect("optimizer");
        for step in 1..=3 {
            let (loss, ..) = bench.loss(CE, KL);
            assert!((scalar(&loss) / bench.expected_loss(step - 1, "total") - 1.0).abs() < 1e-4);
            optimizer.backward_step(&loss).expect("step");
            for (name, tensor) in bench.learner.adapter().tensors() {
                let what = format!("{}/step{step}/{name}", bench.name);
                assert_close(&what, tensor, &bench.reference.tensor(&what), TOLERANCE);
            }
        }
    }
}

#[test]
fn a_lesson_reports_the_loss_that_torch_computes() {
    let mut bench = Bench::new(MODELS[0]);
    // Relevance counts 70 % and gets five stars, clarity 30 % and one: a reward of 0.7.
    let weights = Weights::from([70.0, 30.0, 0.0, 0.0]);
    let reward = weights.reward(&Ratings::all(Stars::FIVE).with(Metric::Clarity, Stars::ONE));
    let teaching = Teaching {
        objective: Objective::RewardWeighted,
        kl_weight: KL,
        steps: 1,
        ..Teaching::default()
    };
    let completion = bench.reference.completion("tiny");
    let material = Material::Rated(vec![(&completion, reward)]);
    let (_, reports) = teach(&mut bench.learner, &bench.model, &material, &teaching);
    let report = reports[0];
    assert!((report.loss / bench.expected_loss(0, "total") - 1.0).abs() < 1e-4);
    assert!((report.kl / bench.expected_loss(0, "kl") - 1.0).abs() < 1e-3);
}
