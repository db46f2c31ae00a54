// Uses the built page in a real Firefox as a person would: as one file, as a shared copy, and from a plain web server.
//
//     node firefox.mjs [--work DIR]
//
// See README.md beside this file. Exits with an error at the first thing that is not as it should be; pictures are in DIR.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const ROOT = path.resolve(import.meta.dirname, "../..");
const DIST = process.env.FLEDGE_DIST ?? path.join(ROOT, "dist");
const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const PROMPT = "Selling online";
const PATIENCE = 60_000;

const { values: options } = parseArgs({ options: { work: { type: "string" } } });
const WORK = path.resolve(options.work ?? path.join(ROOT, "target/check-firefox"));
const puppeteer = createRequire(path.join(ROOT, "target/peers/firefox/x"))("puppeteer-core");
const witness = readFileSync(path.join(ROOT, "tests/browser/witness.js"), "utf8");

/** A person at a Firefox with a profile of their own, on one page. What they do and see is called as in tests/browser/desk.rs. */
class Desk {
  static async open(name, address) {
    const desk = new Desk();
    desk.name = name;
    desk.address = address;
    desk.downloads = path.join(WORK, name, "downloads");
    mkdirSync(path.join(WORK, name, "profile"), { recursive: true });
    mkdirSync(desk.downloads, { recursive: true });
    desk.browser = await puppeteer.launch({
      browser: "firefox",
      executablePath: FIREFOX,
      userDataDir: path.join(WORK, name, "profile"),
      extraPrefsFirefox: { "browser.download.dir": desk.downloads, "browser.download.folderList": 2 },
    });
    desk.page = await desk.browser.newPage();
    desk.requests = [];
    desk.stumbles = [];
    desk.page.on("request", (request) => desk.requests.push(request.url()));
    desk.page.on("console", (said) => said.type() === "error" && desk.stumbles.push(said.text()));
    desk.page.on("pageerror", (error) => desk.stumbles.push(String(error)));
    await desk.page.setViewport({ width: 1280, height: 900 });
    await desk.page.evaluateOnNewDocument(witness);
    const began = performance.now();
    await desk.page.goto(address, { waitUntil: "domcontentloaded" });
    await desk.becomes("ready");
    console.log(`  ${name}: ready after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return desk;
  }

  /** Ends the browser and opens the page in a new one, with what the first had kept. */
  async comeBack() {
    await this.leave();
    return Desk.open(this.name, this.address);
  }

  leave() {
    return this.browser.close();
  }

  async reload() {
    await this.page.reload({ waitUntil: "domcontentloaded" });
    await this.becomes("ready");
  }

  // What a person does.

  /** The one element of this role and name, brought into view. */
  async the(role, name) {
    const found = await this.page.waitForSelector(`::-p-aria([name="${name}"][role="${role}"])`, { timeout: PATIENCE });
    await found.evaluate((element) => element.scrollIntoView({ block: "center" }));
    return found;
  }

  async press(name) {
    await (await this.the("button", name)).click();
  }

  async fill(role, name, text) {
    const field = await this.the(role, name);
    await field.focus();
    await field.evaluate((element) => element.select());
    await this.page.keyboard.type(text);
  }

  /** From now on every post is the likeliest one. */
  async beGreedy() {
    await this.page.evaluate(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
    for (const [name, value] of [["Temperature", "0"], ["Length", "24"]]) {
      await this.fill("spinbutton", name, value);
      await this.page.keyboard.press("Tab");
    }
  }

  /** Types a prompt, asks for a post, and returns it. */
  async write(prompt) {
    await this.fill("textbox", "Prompt", prompt);
    await this.hearsAfter("is written", () => this.press("Write"));
    const post = await this.page.$eval("article", (article) => article.textContent.trim());
    assert.ok(post, "a post has words");
    return post;
  }

  /** Rates the newest post, each metric with these stars, and teaches it. */
  async teach(stars) {
    for (const metric of ["Relevance", "Clarity", "Originality", "Engagement"]) {
      const group = await this.the("radiogroup", metric);
      const radios = await group.$$("input[type=radio]");
      assert.equal(radios.length, 5, metric);
      await radios[stars - 1].evaluate((radio) => radio.labels[0].click());
    }
    await this.hearsAfter("is learned", () => this.press("Teach"));
  }

  /** Has a copy of the page made, and returns the file. */
  async share() {
    const before = readdirSync(this.downloads);
    await this.hearsAfter("is made", () => this.press("Share as a page"));
    return this.until("a saved file", () => {
      const files = readdirSync(this.downloads);
      const saved = files.find((file) => file.endsWith(".html") && !before.includes(file));
      return !files.some((file) => file.endsWith(".part")) && saved && path.join(this.downloads, saved);
    });
  }

  // What a person sees.

  async until(what, look) {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (performance.now() > deadline) {
        const seen = await this.page.evaluate(() => `${document.documentElement.dataset.fledge}: ${document.body.innerText}`);
        assert.fail(`${what} did not come about\n${seen}\n${this.stumbles.join("\n")}`);
      }
      await sleep(50);
    }
  }

  becomes(state) {
    return this.until(state, () => this.page.evaluate((state) => document.documentElement.dataset.fledge === state, state));
  }

  /** Acts, and waits until the page says these words and is ready again. */
  async hearsAfter(words, act) {
    await this.page.evaluate(() => (window.witness.said = []));
    await act();
    const heard = (words) => window.witness.said.some((text) => text.includes(words));
    await this.until(`“${words}”`, () => this.page.evaluate(heard, words));
    await this.becomes("ready");
  }

  lessons() {
    return this.page.$$eval("[aria-labelledby=lessons-title] li.in-force", (lessons) => lessons.length - 1);
  }

  history() {
    return this.page.$$eval("[aria-labelledby=history-title] li summary", (posts) => posts.length);
  }

  /** What the settings say of the engine and of life without a connection. */
  async facts() {
    return this.page.evaluate(() => {
      const after = (selector, name) =>
        [...document.querySelectorAll(selector)].find((title) => title.textContent === name)?.nextElementSibling.textContent;
      return {
        isolated: window.crossOriginIsolated,
        computes: after(".facts dt", "Computes with"),
        offline: after("#settings h3", "Offline"),
      };
    });
  }

  /** Takes a picture of the whole page, and ends the check if it scrolls sideways. */
  async picture(width) {
    await this.page.setViewport({ width, height: 900 });
    await sleep(300);
    const [needed, there] = await this.page.evaluate(() => [document.body.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(needed <= there, `${needed} px of page in ${there}`);
    await this.page.screenshot({ path: path.join(WORK, `${this.name}-${width}.png`), fullPage: true });
  }

  /** Ends the check if the page stumbled, or asked anybody but this address for anything. */
  isWell(allowed = this.address) {
    const asked = this.requests.filter((url) => !/^(data|blob):/.test(url) && !url.startsWith(allowed));
    assert.deepEqual(asked, []);
    assert.deepEqual(this.stumbles, []);
  }
}

/** `python3 -m http.server`: a plain host, without a header of ours. */
async function serve() {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  const module = ["-m", "http.server", "--bind", "127.0.0.1", "--directory", DIST, String(port)];
  const server = spawn("python3", module, { stdio: "ignore" });
  for (let tries = 0; !(await fetch(`http://127.0.0.1:${port}/`).catch(() => null))?.ok; tries++) {
    assert.ok(tries < 100, "the server starts");
    await sleep(100);
  }
  const ended = once(server, "exit");
  return { address: `http://127.0.0.1:${port}/`, stop: () => (server.kill(), ended) };
}

/** One file writes, learns, remembers, asks nobody, and hands itself on. Returns the copy, and what the taught model writes. */
async function oneFile() {
  const file = path.join(WORK, "fledge.html");
  copyFileSync(path.join(DIST, "fledge.html"), file);
  let desk = await Desk.open("one-file", pathToFileURL(file).href);
  console.log("  the page says:", await desk.facts());
  await desk.beGreedy();
  const untaught = await desk.write(PROMPT);
  await desk.teach(1);
  const taught = await desk.write(PROMPT);
  console.log(`  untaught: ${untaught}\n  taught:   ${taught}`);
  assert.notEqual(taught, untaught);
  desk.isWell();

  desk = await desk.comeBack();
  assert.equal(await desk.lessons(), 1);
  assert.equal(await desk.history(), 2);
  assert.equal(await desk.write(PROMPT), taught);
  for (const width of [1280, 390]) await desk.picture(width);
  await desk.page.setViewport({ width: 1280, height: 900 });
  const copy = await desk.share();
  desk.isWell();
  await desk.leave();
  return { copy, taught };
}

/** A shared copy writes, with a friend, what it wrote with whoever shared it, and learns on. */
async function sharedCopy({ copy, taught }) {
  let friend = await Desk.open("friend", pathToFileURL(copy).href);
  await friend.until("the lesson", async () => (await friend.lessons()) === 1);
  await friend.beGreedy();
  assert.equal(await friend.write(PROMPT), taught, "word for word");
  await friend.teach(1);
  friend.isWell();
  friend = await friend.comeBack();
  assert.equal(await friend.lessons(), 2);
  await friend.picture(390);
  friend.isWell();
  await friend.leave();
}

/** A plain host: what was taught is there after a reload, and the page opens and writes when the host is gone. */
async function site(server) {
  const desk = await Desk.open("site", server.address);
  await desk.beGreedy();
  const untaught = await desk.write(PROMPT);
  await desk.teach(1);
  const taught = await desk.write(PROMPT);
  assert.notEqual(taught, untaught);
  await desk.until("“Works offline”", async () => (await desk.facts()).offline?.startsWith("Works offline"));
  console.log("  first visit:", await desk.facts());
  await desk.reload();
  console.log("  after a reload:", await desk.facts());
  assert.deepEqual([await desk.lessons(), await desk.history()], [1, 2]);
  assert.equal(await desk.write(PROMPT), taught);

  await server.stop();
  await desk.reload();
  assert.equal(await desk.lessons(), 1);
  assert.equal(await desk.write(PROMPT), taught);
  for (const width of [1280, 390]) await desk.picture(width);
  desk.isWell();
  await desk.leave();
}

rmSync(WORK, { recursive: true, force: true });
mkdirSync(WORK, { recursive: true });
console.log("one file");
const made = await oneFile();
console.log("a shared copy");
await sharedCopy(made);
console.log("a plain web server");
const server = await serve();
try {
  await site(server);
} finally {
  await server.stop();
}
console.log("everything is as it should be");
