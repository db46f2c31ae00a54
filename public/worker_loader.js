// Starts the worker, in the build that the page asks for. trunk would write this file itself, for the one build that it knows.
const folder = new URLSearchParams(location.search).get("build") === "fast" ? "fast/" : "";
importScripts(`${folder}worker.js`);
if (self.name === "fledge-helper") {
  // The engine's worker sends its program and its memory.
  onmessage = async ({ data: [module_or_path, memory] }) => {
    await wasm_bindgen({ module_or_path, memory });
    wasm_bindgen.help();
  };
} else {
  wasm_bindgen({ module_or_path: `${folder}worker_bg.wasm` });
}
