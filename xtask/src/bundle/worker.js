// Before the worker's program, in a single file: the model is given, not fetched. `given`, `page` and `bytes` come from page.js.

/** The answer to a request of src/worker/library/folder.rs. */
self.takeEarly = (href) => {
  const name = Object.keys(given).find((name) => new URL(name, page).href === href);
  return name && Promise.resolve(new Response(bytes(given[name])));
};
