"""Training graphs for the last onnxruntime-web that could train (1.19.2): GPT-2 124M with LoRA, rank 8, on c_attn.

Two steps, as the two packages want different environments:
  python make_training.py export     (requirements.txt: torch)
  python make_training.py artifacts  (requirements-training.txt: onnxruntime-training; no torch)
Output: $PEERS_DIR/ort-training-{1,4}/{training_model,optimizer_model}.onnx, checkpoint; the number is the batch.
"""

import os
import sys
from pathlib import Path

PEERS = Path(os.environ.get("PEERS_DIR", "target/peers"))
LENGTH = 64
BATCHES = (1, 4)


def folder(batch):
    return PEERS / f"ort-training-{batch}"


def export(batch):
    import torch
    from torch import nn

    V, L, H, D, R = 50257, 12, 12, 768, 8

    # Written out, as the exporter cannot trace transformers' masking code in training mode.
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(D), nn.LayerNorm(D)
            self.attn, self.proj = nn.Linear(D, 3 * D), nn.Linear(D, D)
            self.fc, self.out = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)
            self.lora_a, self.lora_b = nn.Linear(D, R, bias=False), nn.Linear(R, 3 * D, bias=False)

        def forward(self, x, mask):
            h = self.ln1(x)
            qkv = self.attn(h) + self.lora_b(self.lora_a(h)) * 2.0
            q, k, v = (t.view(batch, LENGTH, H, D // H).transpose(1, 2) for t in qkv.split(D, -1))
            att = (q @ k.transpose(2, 3) * (D // H) ** -0.5 + mask).softmax(-1)
            x = x + self.proj((att @ v).transpose(1, 2).reshape(batch * LENGTH, D))
            h = self.fc(self.ln2(x))
            h = 0.5 * h * (1 + torch.tanh(0.7978845608 * (h + 0.044715 * h * h * h)))
            return x + self.out(h)

    class GPT2(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe, self.lnf = nn.Embedding(V, D), nn.Embedding(1024, D), nn.LayerNorm(D)
            self.h = nn.ModuleList(Block() for _ in range(L))
            self.register_buffer("mask", torch.full((LENGTH, LENGTH), -1e9).triu(1))

        def forward(self, ids):
            # The cross-entropy of the artifacts wants [tokens, classes].
            x = self.wte(ids) + self.wpe.weight[:LENGTH].repeat(batch, 1)
            for block in self.h:
                x = block(x, self.mask)
            return self.lnf(x) @ self.wte.weight.t()

    torch.manual_seed(0)
    folder(batch).mkdir(parents=True, exist_ok=True)
    torch.onnx.export(GPT2().train(), (torch.zeros(batch * LENGTH, dtype=torch.int64),),
                      str(folder(batch) / "forward.onnx"), input_names=["input_ids"], output_names=["logits"],
                      opset_version=15, dynamo=False, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.TRAINING)


def artifacts(batch):
    from importlib.machinery import ModuleSpec
    from unittest.mock import MagicMock

    # The package imports torch for parts that are not used here.
    for name in ("torch", "torch.onnx", "torch.utils", "torch.utils.cpp_extension"):
        sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))
    import onnx
    from onnxruntime.training import artifacts as art

    forward = folder(batch) / "forward.onnx"
    model = onnx.load(forward)
    names = [i.name for i in model.graph.initializer if i.data_type == onnx.TensorProto.FLOAT and len(i.dims)]
    train = [n for n in names if "lora_" in n]
    assert len(train) == 24, train
    art.generate_artifacts(model, requires_grad=train, frozen_params=[n for n in names if n not in train],
                           loss=art.LossType.CrossEntropyLoss, optimizer=art.OptimType.AdamW,
                           artifact_directory=folder(batch))
    forward.unlink()


if __name__ == "__main__":
    step = {"export": export, "artifacts": artifacts}[sys.argv[1]]
    for batch in BATCHES:
        step(batch)
