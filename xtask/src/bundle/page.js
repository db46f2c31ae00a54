// Starts the page of a single file: the programs lie in it, and nothing is fetched.
// The braces keep its names apart from those of the program before it.
{
  const element = (name) => document.querySelector(`script[data-file="${name}"]`);
  const base64 = (name) => element(name).textContent;

  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const characters = atob(text);
    const array = new Uint8Array(characters.length);
    for (let at = 0; at < array.length; at++) array[at] = characters.charCodeAt(at);
    return array;
  };

  /** What belongs to the taste files that a person has put into this copy (src/ui/share.rs); nothing if there are none. */
  window.fledgeGiven = () => ({ ...element("taste.zip")?.dataset });

  /** The taste file for a type of text. */
  window.fledgeTaste = (content) => {
    const taste = document.querySelector(`script[data-file="taste.zip"][data-content="${content}"]`);
    return taste ? bytes(taste.textContent) : undefined;
  };

  /** This file without that, whatever the page has become since. */
  window.fledgePage = () => {
    const scripts = [...document.body.querySelectorAll("script[data-file]:not([data-file='taste.zip']), script[type=module]")];
    const body = `<p id="start">Fledge starts …</p>\n${scripts.map((script) => script.outerHTML).join("\n")}`;
    return `<!doctype html>\n<html lang="en">\n${document.head.outerHTML}\n<body>${body}\n</body>\n</html>\n`;
  };

  /** The address of the worker: src/ui/builds.rs asks for it. */
  window.fledgeWorker = () => {
    const files = ["worker_bg.wasm", "model/config.json", "model/tokenizer.json", "model/fledge.json", "model/model.safetensors"];
    const given = Object.fromEntries(files.map((name) => [name, base64(name)]));
    const parts = [
      `const given = ${JSON.stringify(given)};\n`,
      `const page = ${JSON.stringify(document.baseURI)};\n`,
      `const bytes = ${bytes};\n`,
      `self.space = ${JSON.stringify(element("taste.zip")?.dataset.space)};\n`,
      bytes(base64("loader.js")),
      bytes(base64("worker.js")),
      "\nwasm_bindgen({ module_or_path: bytes(given['worker_bg.wasm']) });\n",
    ];
    return URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
  };

  await __wbg_init({ module_or_path: bytes(base64("app.wasm")) });
}
