// The worker of fledge.mjs: runs the program src/bin/bench.rs of a build, answers one request after the other.
let bench;

const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const methods = {
  async load(build, threads, model) {
    importScripts(`/fledge/${build}/bench.js`);
    await wasm_bindgen({ module_or_path: `/fledge/${build}/bench_bg.wasm` });
    if (threads > 1) await wasm_bindgen.start_threads(threads);
    const config = await bytes(`${model}/config.json`);
    const tokenizer = await bytes(`${model}/tokenizer.json`);
    // As in the page, the weights are a file of which one tensor at a time is read.
    const weights = await (await fetch(`${model}/model.safetensors`)).blob();
    bench = new wasm_bindgen.Bench(config, tokenizer, weights);
    return { kernels: wasm_bindgen.kernels(), precision: bench.precision(), bytes_a_token: bench.bytes_a_token() };
  },
  write(ids, count, candidates) {
    const { prefill_ms, decode_tps } = bench.write(Uint32Array.from(ids), count, candidates);
    return { prefill_ms, decode_tps };
  },
  learn(batch, length, rank, steps) {
    const times = [...bench.learn(batch, length, rank, steps)];
    return { step_ms: times.reduce((sum, time) => sum + time, 0) / steps };
  },
};

onmessage = async ({ data: { method, parameters } }) => {
  try {
    postMessage({ value: await methods[method](...parameters) });
  } catch (error) {
    postMessage({ problem: String(error?.stack ?? error) });
  }
};
