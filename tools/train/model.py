"""The network (transformers' GPT-2), its loss, and checkpoints that really resume."""

import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
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
    """The model of a Hugging Face folder, in f32 whatever the file holds."""
    return GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)


def loss(model: GPT2LMHeadModel, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of `labels[:, 1:]` given `ids[:, :-1]`, in bf16 where autocast allows it."""
    ids, labels = ids.to(DEVICE), labels.to(DEVICE)
    with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
        hidden = model.transformer(ids, use_cache=False)[0][:, :-1].flatten(0, 1)
        target = labels[:, 1:].flatten()
        counted = target != IGNORED
        return F.cross_entropy(model.lm_head(hidden[counted]), target[counted])


def adamw(model: GPT2LMHeadModel, lr: float, weight_decay: float = 0.1) -> torch.optim.AdamW:
    """AdamW that decays matrices only."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True)


def step(model: GPT2LMHeadModel, optimizer: torch.optim.Optimizer, lr: float) -> None:
    """One update from the gradients that are there, at norm 1 or less."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes beside the old checkpoint, then takes its place: a crash leaves the one or the other."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The last checkpoint, if there is one."""
    return torch.load(path, weights_only=False, map_location=DEVICE) if path.exists() else None
