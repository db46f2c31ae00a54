"""Makes what the tests need: a tiny random GPT-2, the embedded model in f32, a synthetic taste file.

    python make.py DIR        # DIR/tiny, DIR/embedded, DIR/taste.zip

The tiny base has the embedded model's tokenizer, config and prompt format, 2 layers and 32 dimensions. The taste is of that
base, in the form in which the page's Export writes it (src/exchange), with 16 rated texts that no model wrote.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file, save, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools/scale"))
import taste  # noqa: E402

EMBEDDED = ROOT / "public/model"
SUBJECTS = ("keeping customers", "pricing", "hiring", "remote work", "meetings", "cash flow", "launching", "writing")
RANK, ALPHA = 4, 8.0


def tiny(folder: Path) -> Path:
    """A random GPT-2 with 2 layers and 32 dimensions."""
    torch.manual_seed(0)
    config = GPT2Config.from_pretrained(EMBEDDED, n_embd=32, n_layer=2, n_head=2, n_positions=96)
    GPT2LMHeadModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "fledge.json"):
        shutil.copy(EMBEDDED / name, folder)
    return folder


def llama(folder: Path) -> Path:
    """A base of another architecture, with the same tokenizer and no prompt format."""
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 8192}
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(folder)
    shutil.copy(EMBEDDED / "tokenizer.json", folder)
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return folder


def embedded(folder: Path) -> Path:
    """The embedded model as an f32 Hugging Face folder: every 8-bit matrix X times its X.scale (ARCHITECTURE.md)."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = load_file(EMBEDDED / "model.safetensors")
    exact = {
        f"transformer.{name}": value * rounded[f"{name}.scale"] if value.dtype == torch.int8 else value
        for name, value in rounded.items()
        if not name.endswith(".scale")
    }
    save_file(exact, folder / "model.safetensors", {"format": "pt"})
    for name in ("config.json", "tokenizer.json", "fledge.json"):
        shutil.copy(EMBEDDED / name, folder)
    return folder


def adapter(base: Path) -> dict[str, torch.Tensor]:
    """A random adapter for a base, whose every matrix has moved."""
    torch.manual_seed(1)
    model = GPT2LMHeadModel.from_pretrained(base)
    shape = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)
    tensors = get_peft_model_state_dict(get_peft_model(model, shape))
    return {name: 0.02 * torch.randn_like(tensor) for name, tensor in tensors.items()}


def files(base: Path) -> dict[str, bytes]:
    """What a taste file holds, without its checksums: for each subject a text that was liked and one that was not."""
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "Seedling",
        "r": RANK,
        "lora_alpha": ALPHA,
        "target_modules": ["c_attn", "c_proj", "c_fc"],
        "fan_in_fan_out": True,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    ratings, pairs, labelled = [], [], []
    for number, subject in enumerate(SUBJECTS):
        prompt = f"Advice about {subject}"
        good, bad = f" What would you try first in {subject}?", f" {subject.capitalize()} is a thing that is a thing."
        pairs.append({"prompt": prompt, "chosen": good, "rejected": bad})
        for liked, text in ((True, good), (False, bad)):
            stars = 5 if liked else 2
            labelled.append({"prompt": prompt, "completion": text, "label": liked})
            ratings.append(
                {
                    "prompt": prompt,
                    "completion": text,
                    "metrics": dict.fromkeys(("relevance", "clarity", "originality", "engagement"), stars),
                    "weights": {"relevance": 0.3, "clarity": 0.3, "originality": 0.2, "engagement": 0.2},
                    "reward": (stars - 1) / 4,
                    "seed": number,
                }
            )
    about = {"base": "Seedling", "base_id": "0123456789abcdef", "content": "post", "lessons": 7, "weights": [30, 30, 20, 20]}
    return {
        taste.ABOUT: json.dumps(about).encode(),
        taste.CONFIG: json.dumps(config).encode(),
        taste.WEIGHTS: save(adapter(base), {"format": "pt"}),
        taste.RATINGS: jsonl(ratings),
        taste.PREFERENCES: jsonl(pairs),
        taste.KTO: jsonl(labelled),
        taste.CARD: b"# A taste\n",
    }


def jsonl(rows: list[dict[str, object]]) -> bytes:
    """One object a line."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def main() -> None:
    out = Path(sys.argv[1])
    base = tiny(out / "tiny")
    embedded(out / "embedded")
    (out / "taste.zip").write_bytes(taste.pack(files(base)))


if __name__ == "__main__":
    main()
