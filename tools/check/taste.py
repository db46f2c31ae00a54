"""Asks transformers, peft and llama.cpp what they make of a taste file, and the engine what it makes of peft's adapter.

    python taste.py [--work DIR] [--release]

See README.md beside this file. Exits with an error at the first disagreement.
"""

import argparse
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
import xllamacpp
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoTokenizer, GPT2LMHeadModel

ROOT = Path(__file__).resolve().parents[2]

TOLERANCE = 1e-3
# llama.cpp looks gelu up in a table of f16.
LLAMA_TOLERANCE = 1e-2
LLAMA = {"attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}


def cargo(*arguments: str) -> str:
    """Runs one of the repository's programs and returns what it prints."""
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def engine(release: list[str], *arguments: str) -> str:
    return cargo("run", "--quiet", "--no-default-features", *release, "--example", "taste", "--", *arguments)


@torch.no_grad()
def greedy_ids(model, prompt: list[int], length: int) -> list[int]:
    """What a model of transformers writes when it always takes the likeliest token."""
    ids = torch.tensor([prompt])
    return model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=length,
        do_sample=False,
        temperature=None,
        top_p=None,
        repetition_penalty=1.0,
        pad_token_id=0,
    )[0, len(prompt) :].tolist()


@torch.no_grad()
def agree(what: str, model, expected: dict) -> None:
    """The model's logits and greedy text are the engine's."""
    prompt, text = expected["prompt_ids"], expected["greedy_ids"]
    theirs = model(torch.tensor([prompt + text])).logits[0]
    ours = torch.tensor(expected["logits"])
    difference = (theirs - ours).abs().max().item()
    greedy = greedy_ids(model, prompt, len(text))
    print(f"{what}: logits differ by at most {difference:.2e}, greedy text {'identical' if greedy == text else 'DIFFERENT'}")
    assert difference < TOLERANCE and greedy == text, (greedy, text)


def check_sums(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    print(f"SHA256SUMS: {len(lines)} files are what it says")


def check_jsonl(folder: Path) -> None:
    """The columns that TRL looks for."""
    for name, columns in (("preferences", {"prompt", "chosen", "rejected"}), ("kto", {"prompt", "completion", "label"})):
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        assert rows and all(set(row) == columns for row in rows), name
        print(f"{name}.jsonl: {len(rows)} rows of {sorted(columns)}")


def check_gguf(folder: Path) -> None:
    """llama.cpp's reader finds the adapter's own numbers under llama.cpp's names."""
    reader = gguf.GGUFReader(folder / "adapter.gguf")
    field = lambda key: reader.get_field(key).contents()
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (field("general.type"), field("general.architecture"), field("adapter.type")) == ("adapter", "gpt2", "lora")
    assert field("adapter.lora.alpha") == config["lora_alpha"]
    assert reader.get_field("adapter.lora.alpha").types == [gguf.GGUFValueType.FLOAT32]
    theirs = {tensor.name: tensor for tensor in reader.tensors}
    ours = load_file(folder / "adapter_model.safetensors")
    assert len(theirs) == len(ours)
    for name, value in ours.items():
        _, layer, rest = name.removeprefix("base_model.model.transformer.").split(".", 2)
        site, half = rest.removesuffix(".weight").rsplit(".", 1)
        tensor = theirs[f"blk.{layer}.{LLAMA[site]}.weight.{half.lower()}"]
        # GGUF names the innermost dimension first.
        assert tensor.shape.tolist() == list(reversed(value.shape)), name
        assert np.array_equal(tensor.data, value.numpy()), name
    print(f"adapter.gguf: {len(theirs)} tensors are the adapter's, alpha {config['lora_alpha']} in f32")


def check_llama(work: Path, folder: Path, model: GPT2LMHeadModel, expected: dict, text: str) -> None:
    """llama.cpp with base and adapter writes the engine's greedy text; with the base alone, transformers'."""
    base = work / "model/base.gguf"
    prompt, ids = expected["prompt_ids"], expected["greedy_ids"]

    def greedy(prompt: list[int] | str, lora: list[xllamacpp.CommonAdapterLoraInfo]) -> list[dict]:
        params = xllamacpp.CommonParams()
        params.model.path, params.lora_adapters = str(base), lora
        params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.warmup = model.config.n_positions, 1, 1, False
        answer = xllamacpp.Server(params).handle_completions(
            {"prompt": prompt, "n_predict": len(ids), "temperature": 0, "repeat_penalty": 1, "n_probs": 1}
        )
        return answer["choices"][0]["logprobs"]["content"]

    ours = torch.tensor(expected["logits"])[len(prompt) - 1 : -1].log_softmax(-1)
    adapter = [xllamacpp.CommonAdapterLoraInfo(str(folder / "adapter.gguf"), 1.0)]
    for what, start in (("ids", prompt), ("text", text)):
        tokens = greedy(start, adapter)
        found = [token["id"] for token in tokens]
        assert found == ids, (what, found, ids)
        difference = max(abs(token["logprob"] - row[token["id"]].item()) for token, row in zip(tokens, ours, strict=True))
        print(f"llama.cpp, prompt as {what}: log-probabilities differ by at most {difference:.2e}, greedy text identical")
        assert difference < LLAMA_TOLERANCE
    untaught = [token["id"] for token in greedy(prompt, [])]
    theirs = greedy_ids(model, prompt, len(ids))
    assert untaught == theirs != ids, (untaught, theirs)
    print("llama.cpp, no adapter: greedy text identical to transformers', and another one")


def trained(folder: Path, out: Path) -> GPT2LMHeadModel:
    """An adapter by peft: other matrices, another rank, rank-stabilised, a few steps on one sentence."""
    torch.manual_seed(0)
    base = GPT2LMHeadModel.from_pretrained(folder)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True, use_rslora=True
    )
    model = get_peft_model(base, config)
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder).encode("Customers are people first, and people remember.")])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    for _ in range(8):
        optimizer.zero_grad()
        model(ids, labels=ids).loss.backward()
        optimizer.step()
    model.save_pretrained(out)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / "target/check", help="where everything is written")
    parser.add_argument("--release", action="store_true", help="build the engine with optimisations throughout")
    args = parser.parse_args()
    work, release = args.work.resolve(), ["--release"] if args.release else []
    work.mkdir(parents=True, exist_ok=True)

    cargo("xtask", "export-model", str(work / "model"))
    engine(release, "make", str(work / "model"), str(work))
    expected = json.loads((work / "expected.json").read_text())
    folder = work / "taste"
    zipfile.ZipFile(work / "taste.zip").extractall(folder)
    check_sums(folder)
    check_jsonl(folder)

    base = GPT2LMHeadModel.from_pretrained(work / "model").eval()
    assert all(parameter.dtype == torch.float32 for parameter in base.parameters())
    form = json.loads((work / "model/fledge.json").read_text())["prompt_format"]
    tokenizer = AutoTokenizer.from_pretrained(work / "model")
    text = form.replace("{prompt}", expected["prompt"])
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert ids == expected["prompt_ids"], "prompt_format puts around a prompt what the engine does"
    check_llama(work, folder, base, expected, text)
    check_gguf(folder)
    agree("peft, our adapter", PeftModel.from_pretrained(base, folder).eval(), expected)

    peft_folder = work / "peft"
    model = trained(work / "model", peft_folder)
    files = [str(peft_folder / name) for name in ("adapter_config.json", "adapter_model.safetensors")]
    agree("peft, its own adapter, taken in", model, json.loads(engine(release, "read", str(work / "model"), *files)))
    print("everything agrees")


if __name__ == "__main__":
    main()
