"""Promise: a taste file becomes an adapter that PEFT and the page read, in one process or in several that learn the same."""

import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import make
import pytest
import taste
import torch
import train
from conftest import Made
from datasets import load_dataset
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel, LlamaForCausalLM

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent
# GPT-2's four matrices of a block: inputs and outputs in units of n_embd (src/engine/lora.rs).
SITES = {"attn.c_attn": (1, 3), "attn.c_proj": (1, 1), "mlp.c_fc": (1, 4), "mlp.c_proj": (4, 1)}


def launch(launcher: list[str], made: Made, folder: Path, *arguments: str) -> None:
    """Runs train.py in two processes that keep their weights in `folder`."""
    folder.mkdir()
    command = [sys.executable, "-m", *launcher, TESTS / "ranks.py", folder, *made.arguments(*arguments)]
    done = subprocess.run([str(part) for part in command], env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "2 processes." in done.stdout
    one, other = (load_file(folder / f"rank{rank}.safetensors") for rank in (0, 1))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    written = load_file(made.folder / arguments[0] / taste.WEIGHTS)
    assert all(torch.equal(written[name], one[name]) for name in one)


def logits(base: Path, adapter: Path | None) -> torch.Tensor:
    """The base's, or with an adapter as PEFT loads it, for a prompt in the base's format."""
    model = GPT2LMHeadModel.from_pretrained(base)
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter))
    text = json.loads((base / "fledge.json").read_text())["prompt_format"].replace("{prompt}", "Advice about pricing")
    ids = torch.tensor([Tokenizer.from_file(str(base / "tokenizer.json")).encode(text).ids])
    with torch.no_grad():
        return model.eval()(ids).logits


def assert_names_and_shapes(folder: Path, base: Path, rank: int) -> None:
    """`adapter_model.safetensors` has what src/engine/lora.rs asks for, and nothing else."""
    shape = json.loads((base / "config.json").read_text())
    expected = {}
    for layer in range(shape["n_layer"]):
        for site, (fan_in, fan_out) in SITES.items():
            name = f"base_model.model.transformer.h.{layer}.{site}"
            expected[f"{name}.lora_A.weight"] = [rank, fan_in * shape["n_embd"]]
            expected[f"{name}.lora_B.weight"] = [fan_out * shape["n_embd"], rank]
    with safe_open(folder / taste.WEIGHTS, "pt") as file:
        assert file.metadata() == {"format": "pt"}
        found = {name: file.get_slice(name) for name in file.keys()}
        assert {name: tensor.get_shape() for name, tensor in found.items()} == expected
        assert {tensor.get_dtype() for tensor in found.values()} == {"F32"}


def assert_the_page_reads(folder: Path, base: Path, rank: int) -> None:
    """The two files, and the same ones in the zip."""
    assert_names_and_shapes(folder, base, rank)
    config = json.loads((folder / taste.CONFIG).read_text())
    assert (config["peft_type"], config["r"], config["fan_in_fan_out"], config["bias"]) == ("LORA", rank, True, "none")
    assert (config["use_rslora"], config["use_dora"], config["rank_pattern"], config["modules_to_save"]) == (False, False, {}, None)
    zipped = taste.read(folder / "taste.zip")
    assert zipped.files[taste.WEIGHTS] == (folder / taste.WEIGHTS).read_bytes()
    assert zipped.files[taste.CONFIG] == (folder / taste.CONFIG).read_bytes()


def test_trl_reads_the_records_as_they_are(made: Made, tmp_path: Path) -> None:
    for name, columns in ((taste.KTO, ["prompt", "completion", "label"]), (taste.PREFERENCES, ["prompt", "chosen", "rejected"])):
        (tmp_path / name).write_bytes(taste.read(made.taste).files[name])
        assert load_dataset("json", data_files=str(tmp_path / name), split="train").column_names == columns


def test_kto_in_one_process(made: Made) -> None:
    out = made.folder / "kto"
    trainer = train.main(made.arguments("kto"))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses and all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
    assert_the_page_reads(out, made.tiny, make.RANK)
    assert (logits(made.tiny, out) - logits(made.tiny, None)).abs().max() > 1e-3
    # What was said of texts travels on; what was said of the old adapter does not.
    given, zipped = taste.read(made.taste), taste.read(out / "taste.zip")
    for name in (taste.RATINGS, taste.PREFERENCES, taste.KTO):
        assert zipped.files[name] == given.files[name]
    assert zipped.about == {"base": "Seedling", "base_id": given.about["base_id"], "content": "post", "weights": [30, 30, 20, 20]}
    assert zipped.config and zipped.config["base_model_name_or_path"] == "Seedling"


def test_texts_are_tokens_as_in_the_page(made: Made) -> None:
    trainer = train.main(made.arguments("tokens", "--epochs", "0.1"))
    tokenizer = Tokenizer.from_file(str(made.tiny / "tokenizer.json"))
    rows = [json.loads(line) for line in taste.read(made.taste).files[taste.KTO].splitlines()]
    expected = {
        (tuple(tokenizer.encode(f"<|post|> {row['prompt']}<|body|>").ids), (*tokenizer.encode(row["completion"]).ids, 0)) for row in rows
    }
    assert {(tuple(row["prompt_ids"]), tuple(row["completion_ids"])) for row in trainer.train_dataset} == expected


def test_training_goes_on_from_the_tastes_adapter(made: Made) -> None:
    given = make.adapter(made.tiny)
    start = taste.read(made.taste).files[taste.WEIGHTS]
    # One step so small that it is none: what comes out is what went in.
    out = made.folder / "same"
    train.main([*made.arguments("same", "--continue", "--epochs", "0.1"), "--learning-rate", "1e-30"])
    assert (out / taste.WEIGHTS).read_bytes() == start
    train.main(made.arguments("further", "--continue"))
    further = load_file(made.folder / "further" / taste.WEIGHTS)
    assert further.keys() == given.keys()
    assert all(0 < (further[name] - given[name]).abs().max() < 0.2 for name in given)


def test_two_processes_under_accelerate_learn_what_one_learns(made: Made) -> None:
    train.main(made.arguments("one", "--method", "dpo", "--batch", "4"))
    launcher = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launcher += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    launch(launcher, made, made.folder / "accelerate", "two", "--method", "dpo", "--batch", "2")
    assert_the_page_reads(made.folder / "two", made.tiny, make.RANK)
    one, two = (load_file(made.folder / out / taste.WEIGHTS) for out in ("one", "two"))
    start = max(tensor.abs().max() for name, tensor in one.items() if "lora_B" in name)
    assert start > 1e-2
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)


def test_two_processes_under_torchrun_go_on_together(made: Made) -> None:
    launcher = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    launch(launcher, made, made.folder / "torchrun", "together", "--continue", "--batch", "2")
    assert_the_page_reads(made.folder / "together", made.tiny, make.RANK)


def test_another_gpt2_in_another_shape_and_half_precision(made: Made, tmp_path: Path) -> None:
    base = make.embedded(tmp_path / "embedded")
    shape = ["--rank", "2", "--targets", "c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]
    train.main([*made.arguments("large", *shape, "--epochs", "0.1", "--dtype", "bfloat16"), "--base", str(base)])
    out = made.folder / "large"
    with zipfile.ZipFile(out / "taste.zip") as archive:
        # The texts in the taste are another model's.
        assert archive.namelist() == [taste.CARD, taste.SUMS, taste.CONFIG, taste.WEIGHTS]
    assert_names_and_shapes(out, base, 2)
    config = json.loads((out / taste.CONFIG).read_text())
    assert (config["r"], config["lora_alpha"]) == (2, make.ALPHA * 2 / make.RANK)
    assert config["base_model_name_or_path"] == "embedded"
    assert not torch.equal(logits(base, out), logits(base, None))


def test_another_architecture(made: Made, tmp_path: Path) -> None:
    base = make.llama(tmp_path / "llama")
    train.main([*made.arguments("llama", "--targets", "all-linear", "--epochs", "0.1"), "--base", str(base)])
    model = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), str(made.folder / "llama"))
    moved = [name for name, tensor in model.named_parameters() if "lora_B" in name and tensor.abs().max() > 0]
    assert len(moved) == 7  # q, k, v, o, gate, up, down; not the head
    assert not (made.folder / "llama/taste.zip").exists()
