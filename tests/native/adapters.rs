//! Promise: an adapter is an addition. Fresh, it changes nothing; loaded from peft's numbers, it gives peft's logits; and
//! the base never moves.

use candle_core::{Device, Tensor};
use fledge::engine::linear::Input;
use fledge::engine::{Adapter, Model};
use fledge::learning::{Learner, Material, Snapshot};
use fledge::settings::{Lora, Targets, Teaching};

use crate::fixtures::{Reference, assert_within, model, reward, teach, values};

fn logits(model: &Model, ids: &[u32], adapter: Option<&Adapter>) -> Tensor {
    let ids = Tensor::new(ids, &Device::Cpu)
        .and_then(|t| t.unsqueeze(0))
        .expect("ids");
    let hidden = model
        .gpt2()
        .hidden(&ids, adapter)
        .and_then(|h| h.squeeze(0))
        .expect("hidden");
    model.gpt2().head().forward(&hidden, Input::AsIs).expect("logits")
}

#[test]
fn a_fresh_adapter_changes_nothing() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let ids = reference.ids("tiny/ids");
    let fresh = Adapter::fresh(model.config(), Lora::default(), 7).expect("adapter");
    assert_eq!(
        values(&logits(&model, &ids, Some(&fresh))),
        values(&logits(&model, &ids, None))
    );
}

#[test]
fn pefts_adapter_gives_pefts_logits() {
    let reference = Reference::load();
    for (name, folder) in [("tiny", "tiny-gpt2"), ("untied", "tiny-untied")] {
        let model = model(folder);
        let adapter = reference.adapter(&model, &format!("{name}/init"));
        let ids = reference.ids(&format!("{name}/train_ids"));
        let expected = reference.tensor(&format!("{name}/lora_logits"));
        assert_within(name, &logits(&model, &ids, Some(&adapter)), &expected, 1e-4);
    }
}

#[test]
fn every_b_moves_after_one_step_and_the_base_does_not() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let ids = reference.ids("tiny/ids");
    let base = values(&logits(&model, &ids, None));
    let mut learner = Learner::new(&model, Lora::default(), 7).expect("learner");
    let completion = reference.completion("tiny");
    let teaching = Teaching {
        steps: 1,
        ..Teaching::default()
    };
    teach(
        &mut learner,
        &model,
        &Material::Rated(vec![(&completion, reward(5))]),
        &teaching,
    );
    let mut moved = 0;
    for (name, tensor) in learner.adapter().tensors().filter(|(name, _)| name.contains("lora_B")) {
        assert!(values(tensor).iter().any(|x| *x != 0.0), "{name} did not move");
        moved += 1;
    }
    assert_eq!(moved, 4 * model.config().n_layer);
    assert_eq!(values(&logits(&model, &ids, None)), base);
    assert_ne!(values(&logits(&model, &ids, Some(learner.adapter()))), base);
}

#[test]
fn only_the_targeted_matrices_are_adapted() {
    let model = model("tiny-gpt2");
    let targets = Targets {
        attention_in: true,
        attention_out: false,
        mlp_in: false,
        mlp_out: true,
    };
    let lora = Lora {
        rank: 3,
        alpha: 5.0,
        targets,
    };
    let learner = Learner::new(&model, lora, 1).expect("learner");
    let names: Vec<String> = learner.adapter().tensors().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 2 * 2 * model.config().n_layer);
    assert!(
        names
            .iter()
            .all(|n| n.contains("attn.c_attn") || n.contains("mlp.c_proj")),
        "{names:?}"
    );
}

#[test]
fn a_learner_comes_back_from_its_bytes() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let mut learner = learner_of(&model, 4);
    learn(&mut learner, &model, &reference);
    let snapshot = learner.snapshot().expect("snapshot");
    let kept = Snapshot::from_bytes(snapshot.as_bytes().to_vec());
    let mut restored = Learner::from_snapshot(&kept, &model).expect("restored");
    assert_eq!(restored.snapshot().expect("snapshot"), snapshot);
    // Moments and step count came along: the next lesson is the same one, bit for bit.
    learn(&mut learner, &model, &reference);
    learn(&mut restored, &model, &reference);
    assert_eq!(
        restored.snapshot().expect("snapshot"),
        learner.snapshot().expect("snapshot")
    );
    // And back again.
    learner.restore(&snapshot).expect("restore");
    assert_eq!(learner.snapshot().expect("snapshot"), snapshot);
}

#[test]
fn damaged_snapshots_are_refused_and_change_nothing() {
    let (reference, model) = (Reference::load(), model("tiny-gpt2"));
    let mut learner = learner_of(&model, 4);
    learn(&mut learner, &model, &reference);
    let before = learner.snapshot().expect("snapshot");
    let other = learner_of(&model, 2);
    let cut = Snapshot::from_bytes(before.as_bytes()[..before.as_bytes().len() / 2].to_vec());
    for bad in [
        cut,
        Snapshot::from_bytes(b"nothing".to_vec()),
        other.snapshot().expect("snapshot"),
    ] {
        assert!(learner.restore(&bad).is_err());
        assert_eq!(learner.snapshot().expect("snapshot"), before);
    }
}

fn learner_of(model: &Model, rank: usize) -> Learner {
    let lora = Lora {
        rank,
        ..Lora::default()
    };
    Learner::new(model, lora, 7).expect("learner")
}

fn learn(learner: &mut Learner, model: &Model, reference: &Reference) {
    let completion = reference.completion("tiny");
    teach(
        learner,
        model,
        &Material::Rated(vec![(&completion, reward(5))]),
        &Teaching::default(),
    );
}
