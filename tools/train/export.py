"""Writes the files that the page downloads: 8-bit weights, tokenizer, configs, `fledge.json`, and the model card.

    python export.py --model DIR --out ../../public/model --version 1 [--report DIR/report.json]

Every matrix X becomes I8 `X` of the same shape and F32 `X.scale` that broadcasts against it: `[1, out]` for the Conv1D
matrices, `[rows, 1]` for the embeddings. value = X * X.scale, symmetric, -127 to 127. Vectors stay F32. Names are Hugging
Face's without the `transformer.` prefix; the head is tied to `wte.weight` and not in the file.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2LMHeadModel

import corpus
import model as network
import tokenizer as bpe

NAME = "Seedling"
LIMIT = 16_000_000  # bytes in all; the page may carry 24 MB
MAX_KL = 0.01  # nats a token that rounding may cost
SAMPLING = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "repetition_penalty": 1.1, "max_new_tokens": 80}
PROBES = ("Advice for entrepreneurs", "How to keep customers", "Pricing a new product", "remote work", "Why teams fail")


def quantise(matrix: torch.Tensor, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(I8 values, F32 scales): one scale for each slice, the largest magnitude along `dim` becoming 127."""
    scale = matrix.abs().amax(dim, keepdim=True).clamp_min(1e-12) / 127
    return (matrix / scale).round().clamp(-127, 127).to(torch.int8), scale


def pack(model: GPT2LMHeadModel) -> dict[str, torch.Tensor]:
    """The tensors of the file."""
    tensors = {}
    for name, parameter in model.transformer.named_parameters():
        value = parameter.detach().float()
        if value.dim() == 2:
            tensors[name], tensors[f"{name}.scale"] = quantise(value, dim=1 if name in ("wte.weight", "wpe.weight") else 0)
        else:
            tensors[name] = value.clone()
    return tensors


@torch.no_grad()
def cost(exact: GPT2LMHeadModel, rounded: GPT2LMHeadModel, tokenizer_path: Path) -> dict[str, float]:
    """What the rounding changes, over what the exact model writes greedily for the probes."""
    tokenizer = bpe.load(tokenizer_path)
    divergence, same, count = 0.0, 0, 0
    for probe in PROBES:
        ids = torch.tensor([tokenizer.encode(bpe.prompt(probe)).ids])
        ids = exact.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=48, do_sample=False, pad_token_id=0)
        p, q = (m(ids).logits[0].log_softmax(-1) for m in (exact, rounded))
        divergence += (p.exp() * (p - q)).sum().item()
        same += (p.argmax(-1) == q.argmax(-1)).sum().item()
        count += len(p)
    return {"kl": divergence / count, "same_top_token": same / count}


def card(model: GPT2LMHeadModel, version: str, size: int, rounding: dict[str, float], lines: list[str]) -> str:
    """The model card: card.md with its figures filled in."""
    figures = [f"- {model.num_parameters() / 1e6:.1f} M parameters, {size / 1e6:.1f} MB in all files here"]
    figures.append(f"- 8-bit rounding costs {rounding['kl']:.5f} nats a token; {rounding['same_top_token']:.1%} of the likeliest tokens stay the same")
    figures += [f"- {line}" for line in lines]
    sources = [f"- **{s.name}**: {s.licence}. {s.attribution}" for s in corpus.SOURCES]
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    return text.format(name=NAME, version=version, figures="\n".join(figures), sources="\n".join(sources))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face folder with tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--report", type=Path, help="report.json, for the card's figures")
    parser.add_argument("--note", action="append", default=[], help="one more figure for the card, such as the speed in a browser")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    model = network.load(args.model).eval()
    model.config.save_pretrained(args.out)
    weights = args.out / "model.safetensors"
    save_file(pack(model), weights, {"format": "pt", "quantization": "int8-symmetric"})
    weights.chmod(0o644)  # safetensors makes it private
    rounding = cost(model, network.load(args.out).eval(), args.model / "tokenizer.json")
    print(rounding)
    assert rounding["kl"] < MAX_KL, "8 bits are too few for these weights"

    bpe.load(args.model / "tokenizer.json").save(str(args.out / "tokenizer.json"), pretty=False)
    write_json(args.out / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, **SAMPLING})
    about = {
        "name": NAME,
        "version": args.version,
        "prompt_format": bpe.prompt("{prompt}"),
        "formats": {kind: bpe.prompt("{prompt}", kind) for kind in bpe.KINDS},
        "end": corpus.END,
        "parameters": model.num_parameters(),
        "quantization": "int8-symmetric",
        "license": "CC-BY-4.0",
        "sources": [asdict(source) for source in corpus.SOURCES],
    }
    write_json(args.out / "fledge.json", about)
    size = sum(path.stat().st_size for path in args.out.iterdir())
    report = json.loads(args.report.read_text()) if args.report else None
    (args.out / "README.md").write_text(card(model, args.version, size, rounding, [*(report or {}).get("lines", []), *args.note]), encoding="utf-8")
    assert size < LIMIT, f"{size} bytes"
    print(f"{size} bytes in {args.out}")


def write_json(path: Path, value: object) -> None:
    """Readable JSON with a line break at its end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
