// The pictures of the README, made anew: node tests/browser/pictures.mjs
//
// It needs what `tests/peers/install target/peers` installs, and a built binary. Where pngquant is installed, they
// are made smaller with it.
import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { openConsole } from "./support/element.mjs";

const folder = fileURLToPath(new URL("../../docs/images", import.meta.url));
await mkdir(folder, { recursive: true });
const [dev, browser] = await Promise.all([startDev(), startBrowser()]);
const options = { width: 860, height: 900, deviceScaleFactor: 1.5 };

/** From one part of the page to another one, with some room round them. */
async function picture(page, name, first, last) {
  await page.evaluate(() => scrollTo(0, 0));
  const [top, bottom] = await Promise.all([page.locator(first).boundingBox(), page.locator(last).boundingBox()]);
  const file = path.join(folder, `${name}.png`);
  const y = Math.max(0, top.y - 16);
  await page.screenshot({ path: file, fullPage: true, clip: { x: 0, y, width: options.width, height: bottom.y + bottom.height + 16 - y } });
  spawnSync("pngquant", ["--force", "--skip-if-larger", "--output", file, "48", file]);
}

const form = await openConsole(browser, dev, options);
await form.ready();
await form.choose("BasicAuth");
await form.locator("#preset").selectOption("google-workspace");
await form.fill({ emailAddress: "news@example.com", senderName: "Example Ltd" });
await picture(form, "console-form", "header", ".settings");

await form.locator("#preset").selectOption("");
await form.enterAccount();
await form.security("SSL/TLS");
await form.save();
await form.code();
await picture(form, "console-diagnosis", ".stages", ".settings");
await form.done();

const dark = await openConsole(browser, dev, { ...options, colorScheme: "dark" });
await dev.api(dark.token, "PUT", "/email-config", dev.account());
await dark.reload();
await dark.ready();
await dark.button("Test connection").click();
await dark.getByText("The connection works").first().waitFor();
await picture(dark, "console-dark", "header", ".status");
await dark.done();
await Promise.all([dev.stop(), browser.stop()]);
