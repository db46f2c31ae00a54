// The first seconds of a visit: the published page in dist/, as a static host sends it over a line of a given speed, in a
// browser that has never been here (cold) or that was here before it was closed (warm).
import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { serveFolder } from "./host.mjs";
import { watched } from "./machine.mjs";

const DIST = path.resolve(process.env.FLEDGE_DIST ?? path.join(import.meta.dirname, "../../dist"));

/// Runs in the page before its own scripts. It notes in `visit`, in milliseconds since navigation, the frames in which the desk
/// stands there and takes what is typed, in which the model is ready, and in which the first words stand on the page, which it
/// asks for at once. With `early` it also presses Write while the model is loading, and notes what the page says.
const visitor = ({ early }) => {
  const visit = globalThis.visit = {};
  const note = (name) => requestAnimationFrame((at) => { visit[name] = at; });
  const press = (label) => [...document.querySelectorAll("button")].find((button) => button.textContent.startsWith(label)).click();
  const newest = () => document.querySelector("article")?.textContent ?? "";
  const steps = [
    () => {
      const prompt = document.querySelector("#prompt");
      if (!prompt) return false;
      note("desk_ms");
      prompt.focus();
      document.execCommand("insertText", false, "Advice for entrepreneurs");
      if (early) {
        press("Write");
        setTimeout(() => { visit.early_write = document.querySelector("[role=alert]").textContent; }, 20);
      }
      return true;
    },
    () => {
      if (document.documentElement.dataset.fledge !== "ready") return false;
      note("ready_ms");
      visit.before = newest();
      press("Write");
      return true;
    },
    () => {
      if (!newest() || newest() === visit.before) return false;
      note("words_ms");
      return true;
    },
  ];
  new MutationObserver(() => { while (steps[0]?.()) steps.shift(); })
    .observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
};

let host;

/// The figures of one visit. `launch` opens the browser, each time with the same profile.
export const visit = async ({ warm, line }, launch) => {
  if (!existsSync(path.join(DIST, "index.html"))) throw new Error(`there is no page in ${DIST}`);
  host ??= await serveFolder(DIST);

  /// `early`: Write is also pressed while the model is loading.
  const once = async (line, early = false) => {
    const page = await launch();
    // A person's browser is at rest before they come.
    await sleep(2000);
    Object.assign(host, { line, sent: [] });
    await page.addInitScript(visitor, { early });
    const wait = (what) => page.waitForFunction(what, null, { polling: 100, timeout: 120_000 });
    const { value: _, ...disturbance } = await watched(async () => {
      await page.goto(host.address, { waitUntil: "commit" });
      await wait("visit.words_ms");
    });
    // The post is written to its end: what the browser has compiled for it, it keeps for the next visit.
    await wait("document.documentElement.dataset.fledge === 'ready'");
    const { before, ...figures } = await page.evaluate("visit");
    await page.context().close();
    return { ...figures, ...disturbance };
  };

  const { early_write } = warm ? await once(null, true) : {};
  const figures = await once(line);
  const twice = host.sent.map(({ address }) => address).filter((address, at, all) => all.indexOf(address) < at);
  if (twice.length) throw new Error(`sent twice: ${twice.join(", ")}`);
  return { ...figures, early_write, requests: host.sent.length, sent_kb: host.sent.reduce((sum, { bytes }) => sum + bytes / 1000, 0) };
};

export const leave = () => host?.close();
