// onnxruntime-web's plain wasm build with a greedy loop of our own: what the engine does without a library around it.
// case: {threads, file}
import { CANDIDATES, NEW_TOKENS, SHAPE, prompt, stream } from "./common.mjs";

const { L, H, D } = SHAPE;

export default async function ({ threads, file }) {
  let ort, session;

  /// Writes `batch` texts about one prompt.
  const write = async (ids, batch) => {
    const i64 = (row) => new ort.Tensor("int64", BigInt64Array.from(Array(batch).fill(row).flat(), BigInt), [batch, row.length]);
    const range = (from, count) => Array.from({ length: count }, (_, k) => from + k);
    let past = {};
    for (let layer = 0; layer < L; layer++)
      for (const part of ["key", "value"])
        past[`past_key_values.${layer}.${part}`] = new ort.Tensor("float32", new Float32Array(0), [batch, H, 0, D / H]);
    let row = ids, read = 0;
    const times = [], begun = performance.now();
    while (times.length < NEW_TOKENS) {
      const out = await session.run({
        ...past, input_ids: i64(row), position_ids: i64(range(read, row.length)),
        attention_mask: i64(Array(read + row.length).fill(1)),
      });
      read += row.length;
      // The likeliest token of the last position; greedy texts about one prompt are all the same.
      const logits = out.logits.data.subarray(-out.logits.dims[2]);
      let best = 0;
      for (let k = 1; k < logits.length; k++) if (logits[k] > logits[best]) best = k;
      times.push(performance.now());
      past = Object.fromEntries(Object.entries(out).filter(([name]) => name.startsWith("present"))
        .map(([name, tensor]) => [name.replace("present", "past_key_values"), tensor]));
      row = [best];
    }
    return stream(begun, times);
  };

  return {
    async load() {
      ort = await import("onnxruntime-web/wasm");
      ort.env.wasm.numThreads = threads;
      ort.env.wasm.wasmPaths = "/lib/onnxruntime-web/dist/";
      session = await ort.InferenceSession.create(`/models/gpt2-random/onnx/${file}`, { executionProviders: ["wasm"] });
      return { used_threads: ort.env.wasm.numThreads };
    },
    async once(i) {
      const { ids } = await prompt(i);
      const alone = await write(ids, 1);
      const together = await write(ids, CANDIDATES);
      return { ...alone, candidates_tps: CANDIDATES * together.decode_tps };
    },
  };
}
