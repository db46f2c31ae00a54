// The server of the benchmark: our builds, the peers' packages and the models, with the headers that threads want.
import { createReadStream, existsSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";

const HERE = import.meta.dirname;
const ROOT = path.resolve(HERE, "../..");
export const PEERS = path.resolve(process.env.PEERS_DIR ?? path.join(ROOT, "target/peers"));

export const PACKAGES = path.join(PEERS, "js/node_modules");

/// The first part of an address, and the folder that it stands for.
const ROOTS = {
  pages: path.join(HERE, "pages"),
  lib: PACKAGES,
  models: PEERS,
  embedded: path.join(ROOT, "public/model"),
  fledge: path.join(ROOT, "target/bench"),
};

const TYPES = {
  ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".json": "application/json",
  ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm",
};

export const mediaType = (name) => TYPES[path.extname(name)] ?? "application/octet-stream";

/// The headers of a page that is isolated from others, and of all that it loads.
export const ISOLATED = {
  "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/// The port, once the server listens.
export const listen = async (server) => {
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return server.address().port;
};

/// The file at an address, if there is one.
export const find = (address) => {
  const [, root, ...rest] = decodeURIComponent(address.split("?")[0]).split("/");
  const base = ROOTS[root], file = base && path.join(base, ...rest);
  return file?.startsWith(base + path.sep) && existsSync(file) && statSync(file).isFile() ? file : null;
};

export const serve = async () => {
  const server = http.createServer((request, response) => {
    const file = find(request.url);
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    const size = statSync(file).size;
    const headers = {
      ...ISOLATED, "content-type": mediaType(file), "accept-ranges": "bytes", "cache-control": "no-store",
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = range ? +range[1] : 0, end = range?.[2] ? Math.min(+range[2], size - 1) : size - 1;
    if (range) headers["content-range"] = `bytes ${start}-${end}/${size}`;
    response.writeHead(range ? 206 : 200, { ...headers, "content-length": end - start + 1 });
    if (request.method === "HEAD") response.end();
    else createReadStream(file, { start, end, highWaterMark: 1 << 20 }).pipe(response);
  });
  await listen(server);
  return server;
};
