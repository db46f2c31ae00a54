"""Fine-tuning into the prompt format: `<|post|> {prompt}<|body|>{text}<|endoftext|>`, the loss on text and end alone.

    python finetune.py --corpus CORPUS --init DIR --out DIR

On the project's own plain posts, e-mails and copy, with some varied ones and some sentences of the corpus between them. The learning rate falls to nothing:
this is the decay of "warm up, stable, decay". DIR then holds the model of the epoch with the lowest loss on held-out prompts
(texts/*/held_out.txt), log.csv, and state.pt, from which the same command continues.
"""

import argparse
import csv
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

import model as network
import pairs
import tokenizer as bpe

BUCKET = 50  # batches that are sorted by length together: little padding, still a mixed order
SAVE_EVERY = 300  # seconds
WARMUP = 30  # steps
PATIENCE = 2  # epochs without a better held-out loss before it stops
REPEAT = {"post": 1, "email": 2, "copy": 2}  # how often an epoch has each text: there are fewer e-mails and pieces of copy


@dataclass(frozen=True)
class Sequence:
    """Token ids and how many of them are the prompt's."""

    ids: list[int]
    prompt: int


def sequences(tokenizer: Tokenizer, found: list[pairs.Pair]) -> list[Sequence]:
    """Pairs as the model reads them."""
    prompts = tokenizer.encode_batch([bpe.prompt(pair.prompt, pair.kind) for pair in found])
    texts = tokenizer.encode_batch([pair.text for pair in found])
    return [Sequence([*p.ids, *t.ids, 0], len(p.ids)) for p, t in zip(prompts, texts)]


def collate(part: list[Sequence]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, labels), padded on the right, where attention never looks back from."""
    width = max(len(s.ids) for s in part)
    ids = torch.zeros(len(part), width, dtype=torch.long)
    labels = torch.full((len(part), width), network.IGNORED)
    for row, s in enumerate(part):
        ids[row, : len(s.ids)] = torch.tensor(s.ids)
        labels[row, s.prompt : len(s.ids)] = ids[row, s.prompt : len(s.ids)]
    return ids, labels


def batches(found: list[Sequence], size: int, rng: random.Random) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch, neighbours of similar length."""
    order = rng.sample(found, len(found))
    parts = []
    for at in range(0, len(order), BUCKET * size):
        bucket = sorted(order[at : at + BUCKET * size], key=lambda s: len(s.ids))
        parts += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    rng.shuffle(parts)
    return (collate(part) for part in parts)


@torch.no_grad()
def evaluate(model: torch.nn.Module, found: list[Sequence]) -> float:
    """Mean loss per counted token, in nats."""
    model.eval()
    total = count = 0
    ordered = sorted(found, key=lambda s: len(s.ids))
    for at in range(0, len(ordered), 64):
        part = ordered[at : at + 64]
        counted = sum(len(s.ids) - s.prompt for s in part)
        total += network.loss(model, *collate(part)).item() * counted
        count += counted
    model.train()
    return total / count


def data(corpus: Path) -> tuple[list[pairs.Pair], list[pairs.Pair], list[pairs.Pair]]:
    """(every epoch's pairs, pairs of which each epoch takes some, held-out pairs)."""
    plain, varied, held = pairs.own()
    unseen = pairs.held_out("post")
    prompted = [pair for pair in pairs.prompted(corpus) if pair.prompt.lower() not in unseen]
    # As many of the varied texts as of the corpus' sentences, though there are fewer of them.
    others = prompted + varied * (len(prompted) // len(varied))
    return [pair for pair in plain for _ in range(REPEAT[pair.kind])], others, held


def set_dropout(model: torch.nn.Module, share: float) -> None:
    """Dropout everywhere GPT-2 has a place for it."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True, help="Hugging Face folder with tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mix", type=float, default=0.3, help="other texts for each plain one, drawn anew each epoch")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    tokenizer = bpe.load(args.init / "tokenizer.json")
    tokenizer.save(str(args.out / "tokenizer.json"))
    main_set, others, held = (sequences(tokenizer, part) for part in data(args.corpus))
    extra = int(args.mix * len(main_set))
    steps = args.epochs * -(-(len(main_set) + extra) // args.batch)
    print(f"{len(main_set)} pairs, {extra} others an epoch, {len(held)} held out, {steps} steps", flush=True)

    model = network.load(args.init).to(network.DEVICE).train()
    optimizer = network.Optimizer(model)
    step, best, best_epoch = 0, float("inf"), 0
    if state := network.load_checkpoint(args.out / "state.pt"):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, best, best_epoch = state["step"], state["best"], state["best_epoch"]
    else:
        print(f"before: held out {evaluate(model, held):.4f}", flush=True)
    set_dropout(model, args.dropout)

    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        network.save_checkpoint(args.out / "state.pt", state | {"best": best, "best_epoch": best_epoch})

    log = csv.writer((args.out / "log.csv").open("a", newline="", buffering=1))
    saved = time.monotonic()
    for epoch in range(1 + step * args.epochs // steps, args.epochs + 1):
        rng = random.Random(epoch)
        parts = list(batches(main_set + rng.sample(others, extra), args.batch, rng))
        total, count = 0.0, 0
        for ids, labels in parts[step - (epoch - 1) * len(parts) :]:
            loss = network.loss(model, ids, labels)
            loss.backward()
            optimizer.step(args.lr * min(1.0, (step + 1) / WARMUP) * max(0.02, 1 - step / steps))
            total, count, step = total + loss.item(), count + 1, step + 1
            if step % 50 == 0:
                print(f"step {step} loss {total / count:.3f}", flush=True)
            if step % len(parts) and time.monotonic() - saved > SAVE_EVERY:
                save()
                saved = time.monotonic()
        nats = evaluate(model, held)
        print(f"epoch {epoch}: training {total / count:.4f}, held out {nats:.4f}", flush=True)
        log.writerow([epoch, step, round(total / count, 4), round(nats, 4)])
        if nats < best:
            best, best_epoch = nats, epoch
            model.save_pretrained(args.out)
        save()
        if epoch - best_epoch >= PATIENCE:
            break
    print(f"done: epoch {best_epoch} kept, held out {best:.4f} nats a token", flush=True)


if __name__ == "__main__":
    main()
