// Measures the cases in rounds, each case of a round in a fresh Chromium, and writes the figures: `cargo xtask bench`.
//
// usage: node run.mjs --list | --out FILE [--resume] [--rounds N] [--runs N] [--only PART]...
// A case whose name contains one of the PARTs is measured; without any, all are. PEERS_DIR holds packages and models
// (target/peers), CHROMIUM names the browser; VERBOSE=1 shows the pages' consoles. --resume goes on with a run that was
// interrupted: rounds that FILE holds are not measured again.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";

import { cases } from "./cases.mjs";
import { leave, visit } from "./first_seconds.mjs";
import { CORES, machine, peak, watched } from "./machine.mjs";
import { PACKAGES, PEERS, find, serve } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    list: { type: "boolean" }, out: { type: "string" }, resume: { type: "boolean" }, only: { type: "string", multiple: true },
    rounds: { type: "string", default: "3" }, runs: { type: "string", default: "3" },
  },
});
const rounds = +options.rounds, runs = +options.runs;
const chosen = cases.filter(({ id }) => !options.only || options.only.some((part) => id.includes(part)));
if (options.list) {
  console.log(chosen.map(({ id }) => id).join("\n"));
  process.exit();
}

const { chromium } = createRequire(path.join(PACKAGES, "x"))("playwright-core");
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const rounded = (x) => (typeof x === "number" && !Number.isInteger(x) ? +x.toPrecision(5) : x);
const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));

/// Joins figures of several runs or rounds: the median of numbers, the worst of what disturbed them, the last of words.
const joined = (several) => mapped(several.at(-1), (last, key) => {
  const values = several.map((one) => one[key]).filter((value) => value !== undefined);
  if (typeof last !== "number") return last;
  return /^(foreign|steal)_cpu$/.test(key) ? Math.max(...values) : median(values);
});

const within = (ms, work, log) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`over ${ms / 1000} s; ${log.slice(-3).join(" / ")}`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

/// A case that runs outside the browser. What it uses of the cores can't be told from what others use.
async function native(c) {
  const python = path.join(PEERS, "venv/bin/python");
  const script = path.join(import.meta.dirname, "native.py");
  const env = { ...process.env, PEERS_DIR: PEERS };
  const { stdout } = await promisify(execFile)(python, [script, c.task, c.threads], { env });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/// One case once, in a browser of its own.
async function measure(c, port) {
  if (c.native) return native(c);
  const profile = mkdtempSync(path.join(os.tmpdir(), "bench-profile-"));
  const log = [];
  const note = (line) => {
    log.push(line);
    if (process.env.VERBOSE) console.error("  |", line.slice(0, 800));
  };
  let context;
  const launch = async () => {
    context = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM, headless: true, args: ARGUMENTS });
    const [page] = context.pages();
    page.on("console", (message) => note(message.text()));
    page.on("pageerror", (error) => note(String(error)));
    page.on("crash", () => note("the page crashed"));
    page.setDefaultTimeout(0);
    return page;
  };
  try {
    if (c.task === "first-seconds") return await within(180_000, visit(c, launch), log);
    const page = await launch();
    await page.goto(`http://127.0.0.1:${port}/pages/index.html`);
    if (!await page.evaluate("crossOriginIsolated")) throw new Error("the page is not cross-origin isolated");
    const ask = (script) => watched(() => within(c.limit_ms ?? 180_000, page.evaluate(script), log));

    const { value: { load_ms, info } } = await ask(`(async () => {
      const begun = performance.now();
      const { default: engine } = await import("/pages/${c.page}.mjs");
      window.engine = await engine(${JSON.stringify(c)});
      const info = await window.engine.load();
      return { load_ms: performance.now() - begun, info };
    })()`);

    // The first run compiles and warms up.
    let turn = 0;
    const once = async () => {
      const { value, ...disturbance } = await ask(`window.engine.once(${turn++})`);
      return { ...value, ...disturbance };
    };
    await once();
    // A run disturbed by other processes is set aside and repeated; the quietest ones are kept.
    const wanted = c.runs ?? runs, got = [];
    const quiet = (run) => run.foreign_cpu < CORES - c.threads + 0.1 && run.steal_cpu < 0.1;
    while (got.length < 2 * wanted && got.filter(quiet).length < wanted) got.push(await once());
    got.sort((a, b) => a.foreign_cpu + a.steal_cpu - b.foreign_cpu - b.steal_cpu);
    return { load_ms, ...info, ...joined(got.slice(0, wanted)), ...peak() };
  } finally {
    await context?.close().catch(() => {});
    rmSync(profile, { recursive: true, force: true });
  }
}

/// What a case is, for the reader of the figures.
const about = ({ engine, variant, task, line, threads, native, bytes_a_token }) =>
  ({ engine, variant, task, line, threads, native, bytes_a_token });

const earlier = options.resume && options.out ? JSON.parse(readFileSync(options.out, "utf8")) : {};
const seen = new Map(chosen.map((c) => [c.id, { case: c, rounds: earlier.cases?.[c.id]?.rounds ?? [] }]));
const write = () => {
  const results = [...seen].map(([id, { case: c, rounds, problem }]) => [id, {
    ...about(c), ...(rounds.length && mapped(joined(rounds), rounded)), problem,
    rounds: rounds.map((figures) => mapped(figures, rounded)),
  }]);
  const report = { date: earlier.date ?? new Date().toISOString().slice(0, 10), machine: machine(), browser, cases: { ...earlier.cases, ...Object.fromEntries(results) } };
  writeFileSync(options.out, JSON.stringify(report, null, 1) + "\n");
};
const { version: browser } = await (async () => {
  const instance = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ARGUMENTS });
  const version = `Chromium ${instance.version()}`;
  await instance.close();
  return { version };
})();

const server = await serve();
for (let round = 0; round < rounds; round++) {
  for (const c of chosen.filter((c) => round < (c.rounds ?? rounds))) {
    const entry = seen.get(c.id);
    if (entry.rounds.length > round) continue;
    const missing = c.needs.find((address) => !find(address));
    if (missing) entry.problem = `skipped: there is no ${missing}`;
    // What failed once would fail again.
    if (entry.problem) {
      if (round === 0) console.log(`${c.id.padEnd(36)} ${entry.problem}`);
      continue;
    }
    try {
      entry.rounds.push(await measure(c, server.address().port));
    } catch (error) {
      entry.problem = String(error.message ?? error).slice(0, 600);
    }
    const { problem } = entry, figures = entry.rounds.at(-1);
    const told = problem ?? Object.entries(figures).filter(([key]) => /_tps|_ms|_mib|_gbs|_cpu/.test(key))
      .map(([key, value]) => `${key} ${+value.toPrecision(3)}`).join("  ");
    console.log(`${round + 1}/${c.rounds ?? rounds}  ${c.id.padEnd(36)} ${told}`);
    write();
  }
}
write();
server.close();
leave();
