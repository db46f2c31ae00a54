// @huggingface/transformers on onnxruntime-web's wasm backend. case: {threads, dtype}
import { NEW_TOKENS, prompt, stream } from "./common.mjs";

export default async function ({ threads, dtype }) {
  let library, model;
  return {
    async load() {
      library = await import("@huggingface/transformers");
      const { env, AutoModelForCausalLM } = library;
      env.allowRemoteModels = false;
      env.allowLocalModels = true;
      env.localModelPath = "/models/";
      env.useBrowserCache = false;
      env.useWasmCache = false;
      env.backends.onnx.wasm.numThreads = threads;
      env.backends.onnx.wasm.wasmPaths = "/lib/@huggingface/transformers/node_modules/onnxruntime-web/dist/";
      model = await AutoModelForCausalLM.from_pretrained("gpt2-random", { dtype, device: "wasm" });
      return { used_threads: env.backends.onnx.wasm.numThreads };
    },
    async once(i) {
      const { ids } = await prompt(i);
      const input_ids = new library.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
      const attention_mask = new library.Tensor("int64", new BigInt64Array(ids.length).fill(1n), [1, ids.length]);
      const times = [];
      let prompt_is_told = false;
      class Clock extends library.BaseStreamer {
        put() {
          if (prompt_is_told) times.push(performance.now());
          prompt_is_told = true;
        }
        end() {}
      }
      const begun = performance.now();
      await model.generate({ input_ids, attention_mask, max_new_tokens: NEW_TOKENS, do_sample: false, streamer: new Clock() });
      return stream(begun, times);
    },
  };
}
