//! `README.md`: the model card that Hugging Face shows (<https://huggingface.co/docs/hub/model-cards>), front matter included.

use super::short;
use crate::calendar;
use crate::protocol::{Measured, Tally, TasteInfo};
use crate::settings::Objective;
use crate::statistics::{SIGNIFICANT, mean_interval, sign_test};

/// The bootstrap's seed: the same verdicts have the same interval.
const SEED: u64 = 1;

/// The card of a taste file.
#[must_use]
pub fn write(taste: &TasteInfo) -> String {
    let base = plain(&taste.base);
    let noun = taste.content.unwrap_or_default().noun();
    let mut card = front_matter(taste);
    line(&mut card, &format!("# What one person taught {base}\n"));
    line(
        &mut card,
        "A LoRA adapter for GPT-2, taught by hand in a web page with Fledge: a person rated texts, \
         and the model learned from the ratings in their browser. It writes what *they* like; it knows nothing new.\n",
    );
    line(&mut card, "| | |\n|---|---|");
    line(&mut card, &format!("| Base | {base} (`{}`) |", plain(&taste.base_id)));
    if let Some(repository) = &taste.repository {
        line(&mut card, &format!("| Base's repository | `{}` |", plain(repository)));
    }
    line(&mut card, &format!("| Writes | {noun}s |"));
    line(
        &mut card,
        &format!(
            "| Ratings in this folder | {} of {} texts |",
            taste.ratings, taste.texts
        ),
    );
    line(&mut card, &format!("| Lessons | {} |", taste.lessons));
    if let Some(teaching) = &taste.teaching {
        line(&mut card, &format!("| Objective | {} |", objective(teaching.objective)));
        let steps = format!(
            "{} steps a lesson, AdamW at {:e}",
            teaching.steps, teaching.learning_rate
        );
        line(
            &mut card,
            &format!("| Steps | {steps}, KL target {} nats a token |", teaching.kl_target),
        );
    }
    if let Some(lora) = &taste.lora {
        line(
            &mut card,
            &format!("| Adapter | rank {}, alpha {} |", lora.rank, lora.alpha),
        );
    }
    line(&mut card, &format!("| What counts | {} |", taste.weights));
    line(&mut card, &format!("| Held-out result | {} |", held_out(taste.tally)));
    if let Some(measured) = &taste.measured {
        line(&mut card, &format!("| Measured | {} |", on_held_out(measured)));
    }
    if let Some(made_at) = taste.made_at {
        line(&mut card, &format!("| Packed | {} |", calendar::time(made_at)));
    }
    line(&mut card, FILES);
    card
}

/// YAML. A quoted JSON string is one of YAML's.
fn front_matter(taste: &TasteInfo) -> String {
    let mut yaml = String::from("---\nlibrary_name: peft\npipeline_tag: text-generation\n");
    if let Some(repository) = &taste.repository {
        let quoted = serde_json::Value::from(plain(repository));
        line(&mut yaml, &format!("base_model: {quoted}"));
    }
    yaml.push_str("language: en\ntags:\n- lora\n- gpt2\n- rlhf\n- fledge\n---\n\n");
    yaml
}

const fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::Advantage => "advantage over the person's usual reward, with a pull towards the base (KL)",
        Objective::RewardWeighted => "reward-weighted cross-entropy",
    }
}

/// Blind tests on prompts that were never taught, ties counting as half.
fn held_out(tally: Tally) -> String {
    let Tally { taught, untaught, ties } = tally;
    let count = |value: f64, times: u32| std::iter::repeat_n(value, times.min(10_000) as usize);
    let values: Vec<f64> = count(1.0, taught)
        .chain(count(0.5, ties))
        .chain(count(0.0, untaught))
        .collect();
    let Some(share) = mean_interval(&values, SEED) else {
        return "none: no blind test was made".into();
    };
    let chance = sign_test(taught.min(10_000), untaught.min(10_000));
    let verdict = if chance < SIGNIFICANT { "proven" } else { "not proven" };
    format!(
        "preferred to the untaught model in {:.0} % of {} blind comparisons on prompts that were not taught \
         (95 % interval {:.0}–{:.0} %; {verdict}, sign test p = {chance:.3})",
        100.0 * share.value,
        values.len(),
        100.0 * share.low,
        100.0 * share.high
    )
}

/// What the automatic rater says of held-out prompts. It is not the person.
fn on_held_out(measured: &Measured) -> String {
    let percent = |share: f64| format!("{:+.0} %", 100.0 * share);
    format!(
        "mean reward {:.2} instead of the untaught model's {:.2} on {} texts about prompts that were not taught \
         (95 % interval {} to {}), by an automatic rater whose rank correlation with the person is {:.2}",
        measured.taught,
        measured.untaught,
        measured.texts,
        percent(measured.low),
        percent(measured.high),
        measured.correlation
    )
}

/// A name from elsewhere, without what Markdown or HTML would make of it.
fn plain(name: &str) -> String {
    short(name).chars().filter(|c| !"<>|`[]()!*\\".contains(*c)).collect()
}

fn line(text: &mut String, words: &str) {
    text.push_str(words);
    text.push('\n');
}

const FILES: &str = "
## What is in this folder

- `adapter_config.json`, `adapter_model.safetensors`: the adapter for Python, `PeftModel.from_pretrained(base, folder)`
- `adapter.gguf`: the same for llama.cpp, `llama-cli -m base.gguf --lora adapter.gguf`
- `ratings.jsonl`: every text that was judged, with the stars on each metric, the reward, the tokens and their log-probabilities
- `preferences.jsonl`, `kto.jsonl`: the same judgement as TRL reads it (`DPOTrainer`, `KTOTrainer`); prompts are what the
  person typed, so put the base's own format around them (`prompt_format` in its `fledge.json`)
- `fledge.json`: what the page needs to take it in again
- `SHA256SUMS`: checksums, `sha256sum -c SHA256SUMS`

Files about ratings are missing if the person kept those to themselves.";
