// The worker of fledge.mjs: runs the program src/bin/bench.rs of a build, answers one request after the other.
const build = new URLSearchParams(location.search).get("build");
importScripts(`/fledge/${build}/bench.js`);
let bench;

const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const methods = {
  async load(threads, model) {
    await wasm_bindgen({ module_or_path: `/fledge/${build}/bench_bg.wasm` });
    wasm_bindgen.start_threads(threads);
    const config = await bytes(`${model}/config.json`);
    const tokenizer = await bytes(`${model}/tokenizer.json`);
    // As in the page, the weights are a file of which one tensor at a time is read.
    const weights = await (await fetch(`${model}/model.safetensors`)).blob();
    bench = new wasm_bindgen.Bench(config, tokenizer, weights);
    // They have had the model's loading to start in.
    if (wasm_bindgen.threads() !== threads) throw new Error(`${wasm_bindgen.threads()} threads instead of ${threads}`);
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

const answer = async ({ data: { method, parameters } }) => {
  try {
    postMessage({ value: await methods[method](...parameters) });
  } catch (error) {
    postMessage({ problem: String(error?.stack ?? error) });
  }
};

// One more thread of the worker's; its first message is the worker's program and memory.
const help = async ({ data: [module_or_path, memory] }) => {
  await wasm_bindgen({ module_or_path, memory });
  wasm_bindgen.help();
};

onmessage = self.name === "fledge-helper" ? help : answer;
