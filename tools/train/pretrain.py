"""Pretraining: plain next-token prediction on a weighted mixture of the corpus.

    python pretrain.py --corpus CORPUS --out DIR --steps 4000                   from nothing
    python pretrain.py --corpus CORPUS --out DIR --steps 2000 --init FOLDER     further, from a Hugging Face folder
    python pretrain.py --corpus CORPUS --out DIR --steps 6000 --own-from 4000   the last third with the project's own texts among the rest

The learning rate rises and stays ("warm up, stable, decay": it falls in finetune.py), so a run may be ended at any step and
carried on at any later time: DIR/state.pt is saved every few minutes, the same command continues from it, with fewer --steps
it comes to its end at once, with more it goes on. DIR/log.csv holds the losses. The batches depend on the step's number alone.
"""

import argparse
import csv
import math
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import corpus
import model as network
import pairs
import tokenizer as bpe

CONTEXT = 256
SAVE_EVERY = 300  # seconds
REPORT_EVERY = 25  # steps
WARMUP = 60  # steps
OWN = 120  # sequences of the project's own texts that come on a hundred others, once they do
# How many of a hundred sequences come from where. Posts tell small scenes in plain words: hence the fiction. Prompted are
# sentences of the corpus in the prompt format: they teach early that what a prompt names is to be taken up.
MIXTURE = {"business": 24, "textbook": 10, "fiction": 20, "18f": 6, "digitalgov": 3, "short": 7, "prompted": 30}


@dataclass
class Stream:
    """The tokens of one group, end to end."""

    ids: np.ndarray

    def window(self, rng: np.random.Generator) -> np.ndarray:
        """A random stretch of one context."""
        at = rng.integers(0, len(self.ids) - CONTEXT)
        return self.ids[at : at + CONTEXT].astype(np.int64)


def encode(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """The texts' tokens, each text followed by the end-of-text token."""
    ids: list[int] = []
    for encoding in tokenizer.encode_batch(texts):
        ids += [*encoding.ids, 0]
    return np.array(ids, dtype=np.uint16)


def streams(tokenizer: Tokenizer, found: list[corpus.Document], prompted: dict[str, list[pairs.Pair]]) -> dict[str, Stream]:
    """One stream per group."""
    texts = defaultdict(list)
    for document in found:
        texts[document.group].append(document.text)
    for group, found in prompted.items():
        texts[group] = [bpe.prompt(pair.prompt, pair.kind) + pair.text for pair in random.Random(0).sample(found, len(found))]
    return {group: Stream(encode(tokenizer, texts[group])) for group in texts}


def batch(by_group: dict[str, Stream], mixture: dict[str, int], size: int, rng: np.random.Generator) -> torch.Tensor:
    """`size` windows, each from a group drawn by the mixture."""
    weights = np.array([mixture[group] for group in by_group], dtype=float)
    drawn = rng.choice(list(by_group), size, p=weights / weights.sum())
    return torch.from_numpy(np.stack([by_group[group].window(rng) for group in drawn]))


@torch.no_grad()
def evaluate(model: torch.nn.Module, ids: np.ndarray, limit: int = 96) -> float:
    """Mean loss over the first windows of the held-out text, nats per token."""
    count = min(limit, len(ids) // CONTEXT)
    windows = torch.from_numpy(ids[: count * CONTEXT].astype(np.int64)).reshape(count, CONTEXT)
    return float(np.mean([network.loss(model, part, part).item() for part in windows.split(16)]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="Hugging Face folder to start from")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--old-books", type=float, default=0.0, help="megabytes of prose from 1840 to 1950, for long runs")
    parser.add_argument("--own-from", type=int, help="the step from which the project's own texts are mixed in")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    training, held = corpus.split(corpus.documents(args.corpus, old_mb=args.old_books))

    if args.init:
        tokenizer = bpe.load(args.init / "tokenizer.json")
    elif (args.out / "tokenizer.json").exists():
        tokenizer = bpe.load(args.out / "tokenizer.json")
    else:
        tokenizer = bpe.train(d.text for d in training)
    tokenizer.save(str(args.out / "tokenizer.json"))
    held_text = "\n".join(d.text for d in held)
    plain, varied, _ = pairs.own()
    prompted = {"prompted": [p for p in pairs.prompted(args.corpus) if p.text not in held_text], "own": plain + varied}
    by_group = streams(tokenizer, training, prompted)
    held_ids = encode(tokenizer, [d.text for d in held])
    bits = len(held_ids) / sum(len(d.text.encode()) + 1 for d in held) / math.log(2)
    print({g: f"{len(s.ids) / 1e6:.2f} M" for g, s in by_group.items()}, f"held out {len(held_ids)}", flush=True)

    model = (network.load(args.init) if args.init else network.fresh(tokenizer.get_vocab_size())).to(network.DEVICE)
    optimizer = network.Optimizer(model)
    step = 0
    if state := network.load_checkpoint(args.out / "state.pt"):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]

    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        network.save_checkpoint(args.out / "state.pt", state)

    log = csv.writer((args.out / "log.csv").open("a", newline="", buffering=1))
    saved = reported = time.monotonic()
    while step < args.steps:
        own = OWN if args.own_from is not None and step >= args.own_from else 0
        ids = batch(by_group, MIXTURE | {"own": own}, args.batch, np.random.default_rng(step))
        loss = network.loss(model, ids, ids)
        loss.backward()
        optimizer.step(args.lr * min(1.0, (step + 1) / WARMUP))
        step += 1
        now = time.monotonic()
        if step % REPORT_EVERY == 0:
            speed = REPORT_EVERY * ids.numel() / (now - reported)
            nats = evaluate(model, held_ids) if step % (REPORT_EVERY * 8) == 0 else float("nan")
            print(f"{step} loss {loss.item():.3f} held out {nats:.3f} ({nats * bits:.3f} bits/byte) {speed:.0f} tok/s", flush=True)
            log.writerow([step, round(loss.item(), 4), round(nats, 4)])
            reported = time.monotonic()
        if now - saved > SAVE_EVERY:
            save()
            saved = now
    save()
    model.save_pretrained(args.out)
    nats = evaluate(model, held_ids)
    print(f"done: {step} steps, held out {nats:.3f} nats a token, {nats * bits:.3f} bits/byte", flush=True)


if __name__ == "__main__":
    main()
