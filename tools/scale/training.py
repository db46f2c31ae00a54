"""The training itself: TRL's KTO or DPO on the taste's own records, and what is written when it is done.

Every process runs all of this on its own copy of the taste; TRL and accelerate divide the batches and average the gradients.
The first process alone writes.
"""

import argparse
import json
import math
import os
import tempfile
import warnings
from pathlib import Path

import datasets
import torch
from datasets import Dataset, Features, Value, load_dataset
from datasets.exceptions import DatasetGenerationError
from safetensors.torch import load_file, save
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

import base
import taste

# TRL calls names that transformers is about to rename; nobody who reads our output can do anything about it.
warnings.filterwarnings("ignore", category=FutureWarning)
datasets.disable_progress_bars()

COLUMNS = {
    "kto": {"prompt": "string", "completion": "string", "label": "bool"},
    "dpo": {"prompt": "string", "chosen": "string", "rejected": "string"},
}
EXAMPLES = {"kto": "rated texts", "dpo": "pairs of texts"}
FILES = {"kto": taste.KTO, "dpo": taste.PREFERENCES}
MOST_TOKENS = 1024
PAGE_MOST_RANK = 64  # what the page's Import takes


def train(args: argparse.Namespace, given: taste.Taste, shape: taste.Shape) -> DPOTrainer | KTOTrainer:
    """Trains and writes the adapter."""
    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    dtype = getattr(torch, args.dtype or ("bfloat16" if half else "float32"))
    model, tokenizer = base.open_base(args.base, dtype)
    config = base.lora(model, shape)
    learned = base.read_adapter(given.adapter) if given.adapter else {}
    misfit = base.misfit(model, given.shape, learned)
    if args.go_on and misfit:
        raise taste.Refused(f"The taste's adapter was made for another base than {args.base}: {misfit}.")
    is_same_base = bool(learned) and misfit is None

    with tempfile.TemporaryDirectory(prefix="fledge-") as folder:
        data = dataset(given, args.method, Path(folder))
        data = data.map(base.in_format, fn_kwargs={"text": base.prompt_format(args.base, given.content)})
        # TRL keeps KTO's order, in which the texts for one prompt stand together: mixed, a batch has texts of several.
        data = data.shuffle(args.seed)
        options = settings(args, model, data, Path(folder), half)
        refuse_too_long(data, tokenizer, options.max_length)
        trainer_class = KTOTrainer if args.method == "kto" else DPOTrainer
        trainer = trainer_class(
            # A model that has an adapter already is its own reference, one without is the base without adapter.
            model=base.with_adapter(model, config, learned) if args.go_on else model,
            peft_config=None if args.go_on else config,
            args=options,
            train_dataset=data,
            processing_class=tokenizer,
        )
        refuse_alone(trainer.accelerator.num_processes)
        if trainer.is_world_process_zero():
            print(f"{len(trainer.train_dataset)} {EXAMPLES[args.method]}, {count_processes(trainer)}.")
        loss = trainer.train().training_loss
        # Every process takes part: a base that is divided among them (FSDP, DeepSpeed) is collected here.
        trainer.save_model(folder)
        if trainer.is_world_process_zero():
            write(args, given, trainer, loss, Path(folder), is_same_base)
    return trainer


def dataset(given: taste.Taste, method: str, folder: Path) -> Dataset:
    """The taste's records as TRL reads them. The cache goes with the folder: ratings are private."""
    name = FILES[method]
    (folder / name).write_bytes(given.files[name])
    try:
        data = load_dataset("json", data_files=str(folder / name), split="train", cache_dir=str(folder / "cache"))
    except DatasetGenerationError as error:
        raise taste.Refused(f"{name} of the taste can't be read ({error.__cause__ or error}).") from error
    expected = Features({column: Value(kind) for column, kind in COLUMNS[method].items()})
    if any(data.features.get(column) != kind for column, kind in expected.items()):
        raise taste.Refused(f"{name} of the taste does not hold {', '.join(f'{c} ({k})' for c, k in COLUMNS[method].items())}.")
    return data


def refuse_too_long(data: Dataset, tokenizer: PreTrainedTokenizerBase, most: int) -> None:
    """TRL leaves out prompts that fill a text alone; with nothing left it would fail without a word on the reason."""
    if all(len(tokenizer(prompt)["input_ids"]) >= most for prompt in data["prompt"]):
        raise taste.Refused(f"No prompt of the taste is shorter than {most} tokens: give a larger --max-length.")


def refuse_alone(processes: int) -> None:
    """Processes that a launcher started and that do not know of each other would all train the same, without a word."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != processes:
        raise taste.Refused(f"{started} processes were started, but on this device they can't work together: start one.")


def count_processes(trainer: DPOTrainer | KTOTrainer) -> str:
    """In words."""
    count = trainer.accelerator.num_processes
    return f"{count} processes" if count > 1 else "1 process"


def settings(args: argparse.Namespace, model: PreTrainedModel, data: Dataset, folder: Path, half: bool) -> KTOConfig | DPOConfig:
    """TRL's settings. What isn't here is TRL's default."""
    positions = getattr(model.config, "max_position_embeddings", None) or MOST_TOKENS
    common = {
        "output_dir": str(folder),
        "num_train_epochs": args.epochs,
        "learning_rate": args.learning_rate,
        "beta": args.beta,
        "per_device_train_batch_size": args.batch,
        "gradient_accumulation_steps": args.accumulate,
        "max_length": min(args.max_length or MOST_TOKENS, positions),
        "bf16": half and args.dtype != "float32",
        "seed": args.seed,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # it would hide a loss that is no number
        # Without it several processes on CPUs would each train alone, and say so in a warning only.
        "use_cpu": not torch.accelerator.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "save_strategy": "no",  # one person's ratings are trained in minutes
        "report_to": "none",
    }
    if args.method == "dpo":
        return DPOConfig(**common)
    # Good and bad texts count the same in sum, however many of each there are: the KTO paper's equation 8 asks for it.
    good = sum(data["label"])
    bad = len(data) - good
    balance = good / bad if good and bad else 1.0
    return KTOConfig(**common, desirable_weight=max(1.0, 1 / balance), undesirable_weight=max(1.0, balance))


def write(
    args: argparse.Namespace,
    given: taste.Taste,
    trainer: DPOTrainer | KTOTrainer,
    loss: float,
    saved: Path,
    is_same_base: bool,
) -> None:
    """Writes the adapter from where TRL saved it: in f32, under the base's name, and as a taste file."""
    tensors = {name: tensor.float().contiguous() for name, tensor in load_file(saved / taste.WEIGHTS).items()}
    if not math.isfinite(loss) or not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise taste.Refused("The loss stopped being a number, so nothing was written: try a smaller --learning-rate.")
    config = json.loads((saved / taste.CONFIG).read_text(encoding="utf-8"))
    name = (is_same_base and given.base) or base.short_name(args.base)
    config |= {"base_model_name_or_path": name, "target_modules": sorted(config["target_modules"])}
    adapter = {
        taste.CONFIG: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode(),
        taste.WEIGHTS: save(tensors, {"format": "pt"}),
        taste.CARD: card(args, name, trainer, loss).encode(),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    for file, contents in adapter.items():
        (args.out / file).write_bytes(contents)
    print(f"The adapter is in {args.out}, for PEFT.")
    if trainer.model.config.model_type != "gpt2" or config["r"] > PAGE_MOST_RANK:
        print(f"The page can't run it: that takes a GPT-2 and a rank of at most {PAGE_MOST_RANK}.")
        return
    # What was said of texts belongs to the model that wrote them: it travels on with that one only.
    records = given.records() if is_same_base else {}
    (args.out / "taste.zip").write_bytes(taste.pack(adapter | records))
    print(f"{args.out / 'taste.zip'} is for the page's Import, with the same base open there.")


def card(args: argparse.Namespace, name: str, trainer: DPOTrainer | KTOTrainer, loss: float) -> str:
    """The model card, as the hub shows it."""
    begun = ", from the adapter that was taught in the page" if args.go_on else ""
    return f"""---
library_name: peft
base_model: {json.dumps(name)}
tags: [lora, trl, {args.method}, fledge]
---

# A taste, taught to {name}

A LoRA adapter, trained by Fledge's tools/scale with TRL's {args.method.upper()} on {len(trainer.train_dataset)} {EXAMPLES[args.method]}
of one person{begun}.

| | |
|---|---|
| steps | {trainer.state.global_step}, each of {args.accumulate} x {args.batch} in {count_processes(trainer)} |
| learning rate, beta | {args.learning_rate:g}, {args.beta:g} |
| mean loss | {loss:.4f} |
| seed | {args.seed} |

How good it is was not measured here: the page's blind test does that.
"""
