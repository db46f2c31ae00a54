// Starts the worker, in the build that the page asks for. trunk would write this file itself, for the one build that it knows.
const folder = new URLSearchParams(location.search).get("build") === "fast" ? "fast/" : "";
importScripts(`${folder}worker.js`);
wasm_bindgen({ module_or_path: `${folder}worker_bg.wasm` });
