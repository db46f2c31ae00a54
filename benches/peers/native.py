"""PyTorch and peft on the same model, outside the browser: what a page is held against that can't be run in one.

usage: python native.py write|learn THREADS    (PEERS_DIR holds the model)
Prints its figures as JSON: medians of five runs after a warm-up.
"""

import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

task, threads = sys.argv[1], int(sys.argv[2])
os.environ["OMP_NUM_THREADS"] = str(threads)

import torch  # noqa: E402  (it reads the number of threads once)
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import GPT2LMHeadModel  # noqa: E402

RUNS, NEW_TOKENS, LENGTH = 5, 64, 64
FOLDER = Path(os.environ["PEERS_DIR"]) / "gpt2-random"

torch.set_num_threads(threads)
begun = time.perf_counter()
model = GPT2LMHeadModel.from_pretrained(FOLDER).eval()
figures = {"load_ms": 1000 * (time.perf_counter() - begun)}


@torch.inference_mode()
def write(ids):
    """Milliseconds until the first token, and tokens a second after it."""
    begun = time.perf_counter()
    out = model(torch.tensor([ids]), use_cache=True)
    times = []
    while True:
        token = out.logits[:, -1:].argmax(-1)
        times.append(time.perf_counter())
        if len(times) == NEW_TOKENS:
            return 1000 * (times[0] - begun), (NEW_TOKENS - 1) / (times[-1] - times[0])
        out = model(token, past_key_values=out.past_key_values, use_cache=True)


def learner():
    """A step of AdamW on LoRA deltas of rank 8 on all four matrices; its milliseconds."""
    targets = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
    net = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=targets, fan_in_fan_out=True)).train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-4)
    ids = torch.randint(0, model.config.vocab_size, (1, LENGTH + 1))

    def step():
        begun = time.perf_counter()
        logits = net(input_ids=ids[:, :-1]).logits
        torch.nn.functional.cross_entropy(logits[0], ids[0, 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()
        return 1000 * (time.perf_counter() - begun)

    return step


if task == "write":
    prompts = [prompt["ids"] for prompt in json.loads((FOLDER / "prompts.json").read_text())]
    write(prompts[0])
    runs = [write(prompts[i % len(prompts)]) for i in range(RUNS)]
    figures["prefill_ms"], figures["decode_tps"] = (statistics.median(run[i] for run in runs) for i in range(2))
else:
    step = learner()
    step(), step()
    figures["step_ms"] = statistics.median(step() for _ in range(RUNS))
figures["renderer_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(json.dumps(figures))
