"""The base: a causal language model of any size, its tokenizer, the text around a prompt, and the adapter that fits it.

The base is a Hugging Face folder or a hub's name. Where it has a `fledge.json`, prompts are put to it as the page does;
elsewhere the prompt stands alone, as the page puts it to a plain GPT-2.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D
from transformers.utils.hub import cached_file

from taste import Refused, Shape

PLACE = "{prompt}"
MATRIX = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")  # a tensor's name in PEFT's file


def open_base(name: str, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder or a hub's repository."""
    refuse_rounded(Path(name) / "model.safetensors")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Refused(f"The base {name} can't be opened as a model folder or from the hub ({reason})") from error
    if tokenizer.eos_token is None:
        raise Refused(f"The tokenizer of {name} has no token that ends a text.")
    return model, tokenizer


def refuse_rounded(weights: Path) -> None:
    """The page's own files hold 8-bit matrices beside their scales, which transformers would take for damage."""
    if not weights.is_file():
        return
    with safe_open(weights, "pt") as file:
        if any(name.endswith(".scale") for name in file.keys()):
            raise Refused(f"{weights.parent} has 8-bit weights for the page: `cargo xtask export-model DIR` writes it for Python.")


def prompt_format(name: str, content: str) -> str:
    """The text around a prompt for one type of text, with `{prompt}` in its place."""
    path = cached_file(
        name,
        "fledge.json",
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    card = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    return card.get("formats", {}).get(content) or card.get("prompt_format", PLACE)


def in_format(row: dict[str, str], text: str) -> dict[str, str]:
    """A row with its prompt in the base's format, as `Model::encode_prompt` in the page makes it."""
    return {"prompt": text.replace(PLACE, row["prompt"].strip())}


def short_name(name: str) -> str:
    """What the base is called: the hub's name, or a folder's last part, since whole paths are nobody's business."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def adapted(model: PreTrainedModel, shape: Shape) -> dict[str, tuple[int, int]]:
    """The matrices that an adapter of this shape changes, by name, with their inputs and outputs."""
    found = {}
    for name, module in model.named_modules():
        if any(name == target or name.endswith(f".{target}") for target in shape.targets) and hasattr(module, "weight"):
            rows, columns = module.weight.shape
            found[name] = (rows, columns) if isinstance(module, Conv1D) else (columns, rows)
    return found


def lora(model: PreTrainedModel, shape: Shape) -> LoraConfig:
    """An adapter of this shape for the model, not yet made."""
    if shape.targets == ("all-linear",):
        targets: str | list[str] = "all-linear"
    elif adapted(model, shape):
        targets = sorted(shape.targets)
    else:
        kind = model.config.model_type
        raise Refused(
            f"The base is a {kind}, which has no {' or '.join(shape.targets)}: name its own matrices with --targets, "
            "or all of them with --targets all-linear."
        )
    return LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        target_modules=targets,
        task_type="CAUSAL_LM",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def misfit(model: PreTrainedModel, shape: Shape, adapter: Mapping[str, torch.Tensor]) -> str | None:
    """Why an adapter was made for another base than this; `None` if it was made for one like it."""
    matrices = adapted(model, shape)
    expected = {}
    for name, (fan_in, fan_out) in matrices.items():
        expected[name, "A"] = (shape.rank, fan_in)
        expected[name, "B"] = (fan_out, shape.rank)
    for name, tensor in adapter.items():
        match = MATRIX.fullmatch(name)
        place = match.groups() if match else None
        if place not in expected:
            return f"it changes {name}, which the base does not have"
        if tuple(tensor.shape) != expected[place]:
            return f"{name} is {list(tensor.shape)} where the base needs {list(expected[place])}"
        del expected[place]
    return f"it does not change {next(iter(expected))[0]}, which the base has" if expected else None


def read_adapter(weights: bytes) -> dict[str, torch.Tensor]:
    """The matrices of `adapter_model.safetensors`, in f32."""
    try:
        tensors = {name: tensor.float() for name, tensor in load(weights).items()}
    except SafetensorError as error:
        raise Refused(f"The weights of the taste's adapter can't be read ({error}).") from error
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise Refused(f"The taste's adapter holds values in {name} that are no numbers.")
    return tensors


def with_adapter(model: PreTrainedModel, config: LoraConfig, adapter: Mapping[str, torch.Tensor]) -> PeftModel:
    """The model with an adapter that has learned already and goes on learning.

    From a config of our own, not from the file's: PEFT's has fields that name Python modules to be imported.
    """
    adapted_model = get_peft_model(model, config)
    set_peft_model_state_dict(adapted_model, dict(adapter))
    return adapted_model
