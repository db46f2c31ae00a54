// Starts the worker. trunk would write this file itself, but calls the generated script in a way that it warns about.
importScripts("worker.js");
wasm_bindgen({ module_or_path: "worker_bg.wasm" });
