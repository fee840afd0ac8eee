// Chromium, and what every page is watched for.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(fileURLToPath(new URL(".", import.meta.url)), "../../..");
const peers = process.env.TRANSPORTS_PEERS ?? path.join(root, "target/peers");

/** The packages of tests/browser/package.json. */
export const require = createRequire(`${peers}/browser/package.json`);
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const pictures = path.join(root, "target/screenshots");

/** One browser for a file of tests. */
export async function startBrowser() {
  await mkdir(pictures, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  return { open: (options) => open(browser, options), stop: () => browser.close() };
}

/**
 * A page of its own. Whatever goes wrong in it without anybody looking fails the test in `close`: an error of a
 * script, a violation of the Content-Security-Policy, a warning about either.
 */
async function open(browser, { width = 1000, height = 900, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, reducedMotion: "reduce", locale: "en", ...options,
  });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => {
    // That an answer was no success is what many tests are about.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`violates the policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  // While the design is worked on: files as they are on the disk, without a build.
  if (process.env.CONSOLE_FROM_DISK) await page.route("**/console/assets/**", fromDisk);
  return Object.assign(page, {
    wrong,
    async done() {
      await context.close();
      assert.deepEqual(wrong, [], "nothing goes wrong unseen");
    },
    /** Whatever axe finds in the page as it is now. */
    async axe(what, rules) {
      // By evaluation in the page's own world: a script element would be against the policy.
      await page.evaluate(axe);
      const runOnly = rules ?? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
      const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { runOnly }), runOnly);
      const told = violations.map(({ id, impact, nodes }) =>
        `${impact}: ${id}: ${nodes.map((node) => node.target.flat().join(" ")).join(", ")}`);
      assert.deepEqual(told, [], `axe on ${what}`);
    },
    /** Kept under target/screenshots, to be looked at. */
    async picture(name) {
      await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
    },
  });
}

async function fromDisk(route) {
  const { pathname } = new URL(route.request().url());
  const file = pathname.replace(/^\/console\/assets\/[^/]+\//, "");
  const type = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" }[path.extname(file)];
  const headers = { "content-type": type, "access-control-allow-origin": "*" };
  await route.fulfill({ body: await readFile(path.join(root, "web", file)), headers });
}
