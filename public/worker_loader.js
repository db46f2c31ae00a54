// Starts the worker, in the build that the page asks for. trunk would write this file itself, for the one build that it knows.
const wish = new URLSearchParams(location.search);
const folder = wish.get("build") === "fast" ? "fast/" : "";
const early = new Map();

/** The answer to a request that was made here, once: src/worker/library/folder.rs. */
self.takeEarly = (href) => {
  const answer = early.get(href);
  early.delete(href);
  return answer;
};

if (self.name === "fledge-helper") {
  // One more thread of a worker, which sends its program and its memory: src/worker/threads.rs.
  importScripts(`${folder}worker.js`);
  onmessage = async ({ data: [module_or_path, memory] }) => {
    await wasm_bindgen({ module_or_path, memory });
    wasm_bindgen.help();
  };
} else {
  // The program and the model that it will open first travel side by side: the model does not wait until the program runs.
  const module_or_path = fetch(`${folder}worker_bg.wasm`);
  for (const file of wish.has("model") ? ["config.json", "tokenizer.json", "fledge.json", "model.safetensors"] : []) {
    const { href } = new URL(wish.get("model") + file, location);
    const answer = fetch(href);
    // Whoever takes it learns of a failure; until then it is nobody's error.
    answer.catch(() => {});
    early.set(href, answer);
  }
  importScripts(`${folder}worker.js`);
  wasm_bindgen({ module_or_path });
}
