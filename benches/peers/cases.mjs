// What is measured: one case is one engine doing one thing in a fresh browser.
//
// A case is called `engine/variant/task/threads`. The tasks:
//   write        16 tokens are read, 64 are written; where the engine can, four texts at once too
//   learn        an AdamW step of LoRA, rank 8, on 1 x 64 tokens
//   learn-4      the same on 4 x 64 tokens
//   context, tokens, rank, size-*   how our figures grow with something; measured in the first round only
//   read         what reading memory costs in wasm: the limit of writing
// A case `first-seconds/cache/line` is a visit to the published page: first_seconds.mjs.

/// Weights that a token's forward pass of GPT-2 124M reads: the blocks' matrices and the head.
const WEIGHTS = 12 * 12 * 768 * 768 + 50257 * 768;

/// How many threads our builds can use. The baseline runs where no page is cross-origin isolated.
const BUILDS = { baseline: [1], fast: [1, 2] };

/// The models that make_model.py makes and the one in public/, as the server knows them.
const MODELS = { embedded: "/embedded", "124M": "/models/gpt2-random", "355M": "/models/gpt2-medium-random" };

const peer = (engine, variant, task, config) =>
  [1, 2].map((threads) => ({ engine, variant, task, threads, ...config }));

const fledge = (variant, threads, task, config = {}) => ({
  engine: "fledge", variant, task, threads, page: "fledge", model: MODELS["124M"], ...config,
});

/// The four texts at once and the batch of four are asked of an engine that has them.
const ours = Object.entries(BUILDS).flatMap(([build, counts]) => counts.flatMap((threads) => [
  fledge(build, threads, "write"),
  fledge(build, threads, "learn", { batch: 1 }),
  fledge(build, threads, "learn-4", { batch: 4 }),
]));

const onnx = (variant, file, bytes, dtype) =>
  peer("onnxruntime-web", variant, "write", {
    page: "ort", file, needs: [`/models/gpt2-random/onnx/${file}`], bytes_a_token: bytes * WEIGHTS, dtype,
  });

const transformers = (dtype, file, bytes_a_token) =>
  peer("transformers.js", dtype, "write", {
    page: "transformers", dtype, needs: [`/models/gpt2-random/onnx/${file}`], bytes_a_token,
  });

const training = (task, batch) =>
  peer("ort-training", "fp32", task, {
    page: "training", batch, needs: [`/models/ort-training-${batch}/training_model.onnx`],
  });

/// Outside the browser, for orientation: no peer.
const native = (task) => peer("pytorch", "native", task, { native: true, needs: ["/models/gpt2-random/model.safetensors"] });

const peers = [
  ...onnx("int8", "model_untied_quantized.onnx", 1),
  ...onnx("fp32", "model.onnx", 4),
  // Its int8 model keeps the head in a form of its own, so what a token reads is not known.
  ...transformers("q8", "model_quantized.onnx"),
  ...transformers("fp32", "model.onnx", 4 * WEIGHTS),
  ...peer("wllama", "q8_0", "write", {
    page: "wllama", file: "gpt2-q8_0.gguf", needs: ["/models/gpt2-random/gguf/gpt2-q8_0.gguf"],
    bytes_a_token: WEIGHTS * 34 / 32,
  }),
  ...training("learn", 1),
  ...training("learn-4", 4),
  ...native("write"),
  ...native("learn"),
];

const curve = (task, config) => fledge("fast", 1, task, { rounds: 1, runs: 2, limit_ms: 600_000, ...config });

const curves = [
  curve("context", { contexts: [16, 64, 250, 500, 1000] }),
  curve("tokens", { tokens: [16, 64, 128, 256, 512] }),
  curve("rank", { ranks: [1, 4, 8, 16, 32, 64] }),
  ...Object.entries(MODELS).map(([size, model]) => curve(`size-${size}`, { model, batch: 1 })),
];

const limits = peer("limits", "wasm", "read", { page: "limits", runs: 5 });

/// The lines over which the page is visited.
const LINES = { local: null, "10-mbit": { mbits: 10, delay_ms: 40 } };

const visits = Object.entries(LINES).flatMap(([name, line]) => ["cold", "warm"].map((cache) => ({
  id: `first-seconds/${cache}/${name}`, engine: "page", variant: cache, task: "first-seconds", name, line, warm: cache === "warm",
  threads: 1, needs: [],
})));

const named = (c) => ({
  ...c,
  id: `${c.engine}/${c.variant}/${c.task}/${c.threads}t`,
  needs: c.needs ?? (c.page === "fledge" ? [`/fledge/${c.variant}/bench.js`, `${c.model}/model.safetensors`] : []),
});

// Neighbours in this order run one after the other, so what is compared meets the same machine.
export const cases = [...visits, ...[...limits, ...ours, ...peers, ...curves].map(named)];
