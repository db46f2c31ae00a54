"""Makes randomly initialised GPT-2 models in every format that the engines read.

Speed does not depend on what the weights are, so nothing is downloaded.

Output, under $PEERS_DIR (default: target/peers):
  gpt2-random/                  124M
    config.json, tokenizer.json, model.safetensors (f32, Hugging Face's names) and what goes with them
    onnx/model.onnx                    f32 with a cache (transformers.js "fp32")
    onnx/model_quantized.onnx          int8 as transformers.js' own converter makes it ("q8")
    onnx/model_untied_quantized.onnx   the same with an int8 head of its own: the tied one stays an f32 product
    gguf/gpt2-q8_0.gguf                for llama.cpp
    prompts.json                       texts of exactly 16 tokens
  gpt2-medium-random/           355M, as safetensors with the same tokenizer

usage: python make_model.py [tokenizer|hf|medium|onnx|gguf ...]   (default: all)
"""

import glob
import json
import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np

PEERS = Path(os.environ.get("PEERS_DIR", "target/peers"))
OUT = PEERS / "gpt2-random"
MEDIUM = PEERS / "gpt2-medium-random"
# The BPE is trained on the text that comes with Python's packages.
CORPUS, CORPUS_MB = sys.prefix, 24
VOCAB, LAYERS, HEADS, DIM, CTX = 50257, 12, 12, 768, 1024
EOT = "<|endoftext|>"


def corpus():
    """Text of files under CORPUS, at most CORPUS_MB, in a fixed order."""
    files = sorted(
        f for ext in ("txt", "md", "rst", "py", "pyi", "html")
        for f in glob.glob(f"{CORPUS}/**/*.{ext}", recursive=True)
    )
    random.Random(0).shuffle(files)
    left = CORPUS_MB << 20
    for f in files:
        try:
            text = Path(f).read_text(encoding="utf-8")[:200_000]
        except (UnicodeDecodeError, OSError):
            continue
        left -= len(text)
        yield text
        if left < 0:
            return


def make_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    # As in GPT-2, <|endoftext|> is the last id: one entry less is trained, then it is appended.
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(corpus(), trainer)
    tok.add_special_tokens([EOT])
    n = tok.get_vocab_size()
    assert n == VOCAB, f"the corpus gave {n} entries, not {VOCAB}"
    OUT.mkdir(parents=True, exist_ok=True)
    tok.save(str(OUT / "tokenizer.json"))
    (OUT / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "GPT2Tokenizer", "model_max_length": CTX, "add_prefix_space": False,
        "bos_token": EOT, "eos_token": EOT, "unk_token": EOT,
    }, indent=1))

    # Prompts with different first tokens, so that no cache of prefixes can help.
    text = next(t for t in corpus() if len(t) > 50_000)
    ids, prompts, seen = tok.encode(text).ids, [], set()
    for i in range(0, len(ids) - 16, 16):
        s = tok.decode(ids[i:i + 16])
        back = tok.encode(s).ids
        if len(back) == 16 and s.isprintable() and back[0] not in seen:
            seen.add(back[0])
            prompts.append({"text": s, "ids": back})
        if len(prompts) == 16:
            break
    assert len(prompts) >= 8
    (OUT / "prompts.json").write_text(json.dumps(prompts, indent=1))


def random_model(folder, layers, heads, dim):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    cfg = GPT2Config(vocab_size=VOCAB, n_layer=layers, n_head=heads, n_embd=dim, n_positions=CTX)
    model = GPT2LMHeadModel(cfg).eval()
    with torch.no_grad():
        # The logit of <|endoftext|> is then 0, below the largest: no text ends early.
        model.transformer.wte.weight[VOCAB - 1].zero_()
    model.save_pretrained(folder, safe_serialization=True)


def make_hf():
    random_model(OUT, LAYERS, HEADS, DIM)


def make_medium():
    random_model(MEDIUM, 24, 16, 1024)
    shutil.copy(OUT / "tokenizer.json", MEDIUM)


def make_onnx():
    import onnx
    from onnx import numpy_helper
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from optimum.exporters.onnx import main_export

    def quantize(src, dst):
        quantize_dynamic(str(src), str(dst), weight_type=QuantType.QInt8,
                         extra_options={"EnableSubgraph": True, "MatMulConstBOnly": True})

    tmp, folder = OUT / "onnx-export", OUT / "onnx"
    main_export(str(OUT), tmp, task="text-generation-with-past", do_validation=False)
    folder.mkdir(exist_ok=True)
    plain, untied = folder / "model.onnx", folder / "untied.onnx"
    shutil.move(tmp / "model.onnx", plain)
    shutil.rmtree(tmp)
    quantize(plain, folder / "model_quantized.onnx")

    model = onnx.load(plain)
    tables = {i.name: i for i in model.graph.initializer}
    node = next(n for n in model.graph.node
                if n.op_type == "Transpose" and n.input[0] == "transformer.wte.weight")
    head = np.ascontiguousarray(numpy_helper.to_array(tables[node.input[0]]).T)
    model.graph.initializer.append(numpy_helper.from_array(head, node.output[0]))
    model.graph.node.remove(node)
    onnx.save(model, untied)
    quantize(untied, folder / "model_untied_quantized.onnx")
    untied.unlink()


def make_gguf():
    import gguf
    from safetensors.numpy import load_file

    weights = load_file(OUT / "model.safetensors")
    tok = json.loads((OUT / "tokenizer.json").read_text())
    vocab = {**tok["model"]["vocab"], **{t["content"]: t["id"] for t in tok["added_tokens"]}}
    tokens = [t for t, _ in sorted(vocab.items(), key=lambda kv: kv[1])]
    merges = [" ".join(m) if isinstance(m, list) else m for m in tok["model"]["merges"]]
    kinds = [gguf.TokenType.CONTROL if t == EOT else gguf.TokenType.NORMAL for t in tokens]

    names = {"wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight",
             "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias"}
    parts = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
             "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
    for i in range(LAYERS):
        for hf, gg in parts.items():
            for kind in ("weight", "bias"):
                names[f"h.{i}.{hf}.{kind}"] = f"blk.{i}.{gg}.{kind}"

    (OUT / "gguf").mkdir(exist_ok=True)
    T = gguf.GGMLQuantizationType
    w = gguf.GGUFWriter(OUT / "gguf/gpt2-q8_0.gguf", "gpt2")
    w.add_name("gpt2-random")
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_context_length(CTX)
    w.add_embedding_length(DIM)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(4 * DIM)
    w.add_head_count(HEADS)
    w.add_layer_norm_eps(1e-5)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges(merges)
    w.add_bos_token_id(VOCAB - 1)
    w.add_eos_token_id(VOCAB - 1)
    w.add_add_bos_token(False)
    for name, data in weights.items():
        hf = name.removeprefix("transformer.")
        if hf not in names:  # the tied head
            continue
        gg = names[hf]
        if data.ndim == 2 and hf.startswith("h."):
            data = data.T  # Conv1D stores [in, out], ggml wants [out, in]
        data = np.ascontiguousarray(data, dtype=np.float32)
        # As llama.cpp does: vectors and position embeddings stay f32.
        kind = T.F32 if data.ndim == 1 or "position_embd" in gg else T.Q8_0
        w.add_tensor(gg, gguf.quants.quantize(data, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    steps = {"tokenizer": make_tokenizer, "hf": make_hf, "medium": make_medium, "onnx": make_onnx, "gguf": make_gguf}
    for step in sys.argv[1:] or steps:
        print("==", step, flush=True)
        steps[step]()
