// A static host as real ones are: what compresses well is sent compressed, what was sent may be kept for ten minutes. All
// connections share one line, whose speed and delay can be set.
import { readFileSync, readdirSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

import { ISOLATED, listen, mediaType } from "./server.mjs";

const COMPRESSED = /\.(html|css|js|json|svg|wasm)$/;
/// So many bytes go over the line before another connection has its turn.
const PIECE = 16_384;
/// Timers ring late: so many milliseconds may be made up for.
const LATE = 20;

/// Serves a folder. `host.line` is `{ mbits, delay_ms }`, or nothing for a line without limits; `host.sent` notes every answer.
export const serveFolder = async (folder) => {
  const files = new Map(readdirSync(folder, { recursive: true }).filter((name) => statSync(path.join(folder, name)).isFile())
    .map((name) => {
      const body = readFileSync(path.join(folder, name));
      const headers = { ...ISOLATED, "content-type": mediaType(name), "cache-control": "max-age=600" };
      return [`/${name}`, COMPRESSED.test(name)
        ? { body: gzipSync(body), headers: { ...headers, "content-encoding": "gzip", vary: "accept-encoding" } }
        : { body, headers }];
    }));

  /// Until then the line is taken.
  let taken = 0;
  const host = { line: null, sent: [], close: () => server.close() };
  const server = http.createServer(async (request, response) => {
    const address = decodeURIComponent(request.url.split("?")[0]).replace(/\/$/, "/index.html");
    const { body, headers } = files.get(address) ?? {};
    if (host.line) await sleep(host.line.delay_ms);
    if (!body) {
      response.writeHead(404).end();
      return;
    }
    host.sent.push({ address, bytes: body.length });
    response.writeHead(200, { ...headers, "content-length": body.length });
    for (let at = 0; at < body.length && !response.destroyed; at += PIECE) {
      const piece = body.subarray(at, at + PIECE);
      if (host.line) {
        taken = Math.max(taken, performance.now() - LATE) + piece.length * 8 / (host.line.mbits * 1000);
        await sleep(Math.max(0, taken - performance.now()));
      }
      response.write(piece);
    }
    response.end();
  });
  host.address = `http://127.0.0.1:${await listen(server)}/`;
  return host;
};
