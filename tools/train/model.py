"""The network (transformers' GPT-2), its loss, and checkpoints that really resume."""

import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

IGNORED = -100  # label of a position that carries no loss

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

logging.set_verbosity_error()


def fresh(vocabulary: int) -> GPT2LMHeadModel:
    """A new model of 13.9 M parameters: 6 layers x 384, 6 heads, 256 positions."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary,
            n_positions=256,
            n_embd=384,
            n_layer=6,
            n_head=6,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def load(folder: Path) -> GPT2LMHeadModel:
    """The model of a Hugging Face folder, or of one that export.py wrote, in f32 whatever the file holds."""
    tensors = load_file(folder / "model.safetensors")
    if any(name.endswith(".scale") for name in tensors):
        model = GPT2LMHeadModel(GPT2Config.from_pretrained(folder))
        missing, unexpected = model.transformer.load_state_dict(dequantised(tensors), strict=False)
        assert not missing and not unexpected, (missing, unexpected)
    else:
        model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    for block in model.transformer.h:
        block.mlp.act = torch.nn.GELU(approximate="tanh")  # the same function as gelu_new in one kernel: a tenth of a step
    return model


def dequantised(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the 8-bit matrices of export.py stand for: `X * X.scale`."""
    return {
        name: value * tensors[f"{name}.scale"] if value.dtype == torch.int8 else value
        for name, value in tensors.items()
        if not name.endswith(".scale")
    }


def loss(model: GPT2LMHeadModel, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of `labels[:, 1:]` given `ids[:, :-1]`, in bf16 where autocast allows it."""
    ids, labels = ids.to(DEVICE), labels.to(DEVICE)
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        hidden = model.transformer(ids, use_cache=False)[0][:, :-1].flatten(0, 1)
        target = labels[:, 1:].flatten()
        counted = target != IGNORED
        return F.cross_entropy(model.lm_head(hidden[counted]), target[counted])


class Optimizer:
    """Muon for the blocks' matrices, AdamW for embeddings, biases and norms: at this size fewer tokens to the same loss.

    Muon's updates are scaled to AdamW's size (torch's `match_rms_adamw`), so that one learning rate serves both.
    """

    def __init__(self, model: GPT2LMHeadModel, weight_decay: float = 0.1) -> None:
        matrices = [p for p in model.transformer.h.parameters() if p.dim() == 2]
        embeddings = [model.transformer.wte.weight, model.transformer.wpe.weight]
        vectors = [p for p in model.parameters() if p.dim() < 2]
        groups = [{"params": embeddings, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.parts = (
            torch.optim.Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True),
        )
        self.model = model

    def step(self, lr: float) -> None:
        """One update from the gradients that are there, at norm 1 or less."""
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = lr
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """Both parts' states, for a checkpoint."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """The states back from a checkpoint."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes beside the old checkpoint, then takes its place: a crash leaves the one or the other."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The last checkpoint, if there is one."""
    return torch.load(path, weights_only=False, map_location=DEVICE) if path.exists() else None
