// @wllama/wllama: llama.cpp in wasm. case: {threads, file}
import { NEW_TOKENS, prompt } from "./common.mjs";

export default async function ({ threads, file }) {
  let wllama;
  return {
    async load() {
      const { Wllama, LoggerWithoutDebug } = await import("@wllama/wllama");
      wllama = new Wllama({ default: "/lib/@wllama/wllama/esm/wasm/wllama.wasm" },
        { logger: LoggerWithoutDebug, suppressNativeLog: true });
      const blob = await (await fetch(`/models/gpt2-random/gguf/${file}`)).blob();
      await wllama.loadModel([blob], { n_threads: threads, n_ctx: 1024, n_gpu_layers: 0, n_parallel: 1 });
      return { used_threads: wllama.getNumThreads() };
    },
    async once(i) {
      const { text } = await prompt(i);
      const chunks = await wllama.createCompletion({
        prompt: text, max_tokens: NEW_TOKENS, temperature: 0, samplers_sequence: ["top_k"], top_k: 1,
        ignore_eos: true, cache_prompt: false, stream: true,
      });
      let timings;
      for await (const chunk of chunks) timings = chunk.timings ?? timings;
      // Chunks hold unfinished characters back, so the engine's own clock is taken.
      return { prefill_ms: timings.prompt_ms, decode_tps: timings.predicted_per_second };
    },
  };
}
