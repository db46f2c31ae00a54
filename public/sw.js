// The service worker: with it the page opens, writes and learns without a connection.
//
// It keeps one version of the page, whole: every file is compared with its hash before it is kept, and a version of which one
// file is missing or another is never installed; the one before it stays. What is kept is answered from here, with the headers
// that make the page cross-origin isolated, so that the engine may use threads on a host that sends none of them.
// Everything else (other paths, hubs, what is no GET) goes to the network untouched. What a person writes or teaches is not
// here: it lies in IndexedDB, and models that were downloaded in the origin private file system.
//
// `cargo xtask build` writes the version and the files into the next two lines (xtask/src/offline.rs). As they stand in the
// repository, this worker deletes what it kept and removes itself: that is the way out if a version ever goes wrong
// (docs/hosting.md).
const VERSION = "";
const FILES = {};

const SCOPE = new URL(registration.scope);
/** The caches of this Fledge begin so; another one may lie beside it, on the same origin. */
const OURS = `fledge ${SCOPE.pathname} `;
const CACHE = OURS + VERSION;

/** Where a file lies. Hosts redirect from index.html to the folder, so that is its only address. */
const address = (name) => new URL(name === "index.html" ? "./" : name, SCOPE).href;

/** The file that an address means, whatever its query; undefined if it is none of this version's. */
const file = (href) => {
  const { origin, pathname } = new URL(href);
  if (origin !== SCOPE.origin || !pathname.startsWith(SCOPE.pathname)) return undefined;
  const name = pathname.slice(SCOPE.pathname.length) || "index.html";
  return Object.hasOwn(FILES, name) ? name : undefined;
};

// Of the two builds of the engine only the one that runs is needed. The other is kept when it is first used.

/** Valid where there is relaxed SIMD: the page chooses by the same module (src/ui/builds.rs). */
const RELAXED_SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
);

/** The files without which nothing works under a build of the engine. */
const needed = (build) => {
  const other = build === "fast" ? /^worker(_bg\.wasm|\.js)$/ : /^fast\//;
  return Object.keys(FILES).filter((name) => !other.test(name));
};

/** The builds that open pages run, which a person may have chosen; or else the one that a page would choose here. */
const builds = async () => {
  const workers = await clients.matchAll({ type: "worker", includeUncontrolled: true });
  const asked = workers
    .filter(({ url }) => file(url) === "worker_loader.js")
    .map(({ url }) => (new URL(url).searchParams.get("build") === "fast" ? "fast" : "baseline"));
  return new Set(asked.length ? asked : [WebAssembly.validate(RELAXED_SIMD) ? "fast" : "baseline"]);
};

// Keeping.

const digest = async (body) => {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

/** The caches of this page, in all versions. */
const ours = async () => (await caches.keys()).filter((name) => name.startsWith(OURS));

/** The file of this version: from an older one if it is the same there, or else from the network; never anything else. */
const whole = async (name) => {
  const sources = (await ours()).map((cache) => async () => (await caches.open(cache)).match(address(name)));
  // First a question whether what the browser has is current, which costs little; then past every cache on the way.
  for (const cache of ["no-cache", "reload"]) sources.push(() => fetch(address(name), { cache }));
  for (const source of sources) {
    const answer = await source();
    if (!answer?.ok) continue;
    const body = await answer.arrayBuffer();
    if ((await digest(body)) === FILES[name]) return isolated(answer, body);
  }
  throw new Error(`${name} is missing, or is not what version ${VERSION} is made of`);
};

/** Keeps files, one after the other: nobody waits for them. What an interrupted attempt has kept stays and is not asked for again. */
const keep = async (names) => {
  const cache = await caches.open(CACHE);
  for (const name of names) {
    if (!(await cache.match(address(name)))) await cache.put(address(name), await whole(name));
  }
};

/** Keeps what is needed. */
const keepAll = async () => {
  for (const build of await builds()) await keep(needed(build));
};

/** An answer with the headers that a cross-origin isolated page needs; what the host says besides (a security policy) stays. */
const isolated = (answer, body = answer.body) => {
  const headers = new Headers(answer.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  // The body is unpacked by now; and what a host lets it vary by does not matter to a copy.
  for (const name of ["Content-Encoding", "Content-Length", "Vary"]) headers.delete(name);
  if (body instanceof ArrayBuffer) headers.set("Content-Length", body.byteLength);
  return new Response(body, { status: answer.status, statusText: answer.statusText, headers });
};

// Answering.

/** Whether all is there that some build needs: a browser may take it away when the disk runs full. */
const isWhole = async (cache) => {
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  return ["fast", "baseline"].some((build) => needed(build).every((name) => kept.has(address(name))));
};

const fromNetwork = async (request) => {
  const answer = await fetch(request);
  // Redirections and errors are the host's business.
  return answer.ok ? isolated(answer) : answer;
};

const answer = async (event, name) => {
  const { request } = event;
  const cache = await caches.open(CACHE);
  if (request.mode === "navigate" && !(await isWhole(cache))) {
    // Half a version beside the host's files, which may be newer, would be worse than none. It is kept anew meanwhile, if the
    // host still has it; if not, the browser finds the new one.
    await caches.delete(CACHE);
    event.waitUntil(keepAll().catch(() => {}));
    return fromNetwork(request);
  }
  let kept = await cache.match(address(name));
  if (!kept) {
    // The other build, or something that was taken away since the page was opened.
    await keep([name]).catch(() => {});
    kept = await cache.match(address(name));
  }
  if (!kept) return fromNetwork(request);
  const range = request.headers.get("Range");
  return range ? part(kept, range) : kept;
};

/** The bytes that a `Range` header asks for; the whole where it asks for several parts. */
const part = async (kept, range) => {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(range.trim()) ?? [];
  if (!first && !last) return kept;
  const body = await kept.blob();
  const from = first ? Number(first) : Math.max(0, body.size - Number(last));
  const to = first && last ? Math.min(Number(last) + 1, body.size) : body.size;
  const headers = new Headers(kept.headers);
  if (from >= to) {
    headers.set("Content-Range", `bytes */${body.size}`);
    return new Response(null, { status: 416, headers });
  }
  headers.set("Content-Range", `bytes ${from}-${to - 1}/${body.size}`);
  headers.set("Content-Length", to - from);
  return new Response(body.slice(from, to), { status: 206, headers });
};

addEventListener("fetch", (event) => {
  const name = event.request.method === "GET" ? file(event.request.url) : undefined;
  if (name !== undefined) event.respondWith(answer(event, name));
});

// Coming and going.

addEventListener("install", (event) => {
  if (!VERSION) return void skipWaiting();
  event.waitUntil(keepAll());
});

addEventListener("activate", (event) => {
  const begin = async () => {
    for (const cache of await ours()) if (cache !== CACHE) await caches.delete(cache);
    // The page that is open on a first visit may lose its connection too.
    await (VERSION ? clients.claim() : registration.unregister());
  };
  event.waitUntil(begin());
});

// A new version waits until the person agrees, in the page; or until no page of the old one is open any more.
addEventListener("message", ({ data }) => {
  if (data === "take over") skipWaiting();
});
