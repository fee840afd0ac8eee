// For everybody: the keyboard alone, a screen reader's words, small screens, large text, other colours, two languages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { openConsole } from "./support/element.mjs";

let dev;
let browser;
before(async () => {
  [dev, browser] = await Promise.all([startDev(), startBrowser()]);
});
after(() => Promise.all([dev?.stop(), browser?.stop()]));

/** Presses Tab until a control has the focus. */
async function tabTo(page, wanted) {
  for (let presses = 0; presses < 60; presses += 1) {
    if ((await page.focused()).includes(wanted)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key does not lead to ${wanted}`);
}

async function type(page, name, text) {
  await tabTo(page, name);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(String(text));
}

test("from an empty form to a test mail with the keyboard alone", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await tabTo(page, "provider-Microsoft365");
  await page.keyboard.press("ArrowDown");
  await page.focusIs("provider-BasicAuth");
  await page.locator("#preset").waitFor();
  await type(page, "serverAddress", "localhost");
  await type(page, "serverPort", dev.smtpPort);
  await tabTo(page, "securityType");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.locator('[name="securityType"][value="StartTLS"]').isChecked(), true);
  assert.equal(await page.field("serverPort").inputValue(), String(dev.smtpPort), "a port of one's own stays");
  await type(page, "emailAddress", "platform@example.com");
  await tabTo(page, "sameAsSender");
  await page.keyboard.press("Space");
  await page.keyboard.press("Shift+Tab");
  await page.focusIs("username");
  await type(page, "username", "dev");
  await type(page, "emailPassword", "wrong");
  await page.keyboard.press("Enter");
  await page.focusIs("check-result");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.focusIs("emailPassword");
  await page.keyboard.type(dev.password);
  await tabTo(page, "save");
  await page.keyboard.press("Enter");
  await page.saved();
  await page.focusIs("check-result");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.focusIs("recipient");
  await tabTo(page, "send-test");
  await page.keyboard.press("Space");
  await page.focusIs("test-result");
  assert.match(await page.told(), /accepted the email/);
  await page.done();
});

test("what has the focus is seen", async () => {
  const page = await openConsole(browser, dev);
  await page.ready();
  await page.choose("BasicAuth");
  const unseen = [];
  await page.locator("#preset").focus();
  for (let presses = 0; presses < 14; presses += 1) {
    await page.keyboard.press("Tab");
    const [name, width] = await page.evaluate(() => {
      const { shadowRoot } = document.querySelector("email-transport-settings");
      const active = shadowRoot.activeElement;
      if (!active) return ["", "2px"];
      // A radio button that is drawn by its label shows the focus there.
      const drawn = getComputedStyle(active).opacity === "0" ? active.nextElementSibling : active;
      const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
      return [active.id || active.name, outlineStyle === "none" ? "0px" : outlineWidth];
    });
    if (Number.parseFloat(width) < 2) unseen.push(name);
  }
  assert.deepEqual(unseen, []);
  await page.done();
});

for (const [scheme, width] of [["light", 1000], ["dark", 1000], ["light", 320], ["dark", 320]]) {
  test(`axe finds nothing in ${scheme} at ${width} px, and nothing is cut off`, async () => {
    const page = await openConsole(browser, dev, { colorScheme: scheme, width, height: 800 });
    const look = async (name) => {
      // The structure is the same in either colours, and so are the colours at either width.
      if (scheme === "light") await page.axe(`${name}, ${scheme}, ${width}`);
      else if (width > 320) await page.axe(`${name}, ${scheme}, ${width}`, ["color-contrast"]);
      await page.picture(`80-${name}-${scheme}-${width}`);
      const over = await page.evaluate(() => {
        const { shadowRoot } = document.querySelector("email-transport-settings");
        const wide = [...shadowRoot.querySelectorAll("*")].filter((element) =>
          element.getBoundingClientRect().right > innerWidth + 0.5 && !element.closest("pre, .scroll, .hidden"));
        return [document.documentElement.scrollWidth > innerWidth, wide.map((element) => element.className || element.tagName)];
      });
      assert.deepEqual(over, [false, []], `${name} does not need scrolling sideways`);
    };
    await page.ready();
    await look("empty");
    await page.enterAccount({ emailPassword: "wrong" });
    await look("smtp");
    await page.save();
    await page.code();
    await page.getByText("Technical details").click();
    await look("diagnosis");
    await page.field("emailPassword").fill(dev.password);
    await page.save();
    await page.saved();
    await page.locator("#send-test").click();
    await page.locator("#test-result.ok").waitFor();
    await page.button("Test connection").click();
    await page.getByText("The connection works").first().waitFor();
    await look("works");
    await page.choose("Microsoft365");
    await page.locator(".setup-body").waitFor();
    await look("microsoft365");
    await page.choose("None");
    await look("none");
    await page.done();
  });
}

test("at twice the size, with forced colours, and with motion", async () => {
  // 200 % of a window of 1000 pixels is one of 500 at twice the density.
  const large = await openConsole(browser, dev, { width: 500, deviceScaleFactor: 2 });
  await large.ready();
  await large.choose("BasicAuth");
  assert.equal(await large.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  await large.done();

  const forced = await openConsole(browser, dev, { forcedColors: "active" });
  await forced.ready();
  await forced.choose("BasicAuth");
  const outline = await forced.locator("#provider-BasicAuth + .face").evaluate((face) => getComputedStyle(face).outlineStyle);
  assert.equal(outline, "solid", "what is chosen is seen without colours");
  await forced.picture("81-forced-colours");
  await forced.done();

  const animation = (page) => page.locator("#preset").evaluate(() => {
    const { shadowRoot } = document.querySelector("email-transport-settings");
    const tip = shadowRoot.querySelector(".tip");
    return getComputedStyle(tip).animationName;
  });
  for (const [reducedMotion, expected] of [["reduce", "none"], ["no-preference", "appear"]]) {
    const page = await openConsole(browser, dev, { reducedMotion });
    await page.ready();
    await page.choose("BasicAuth");
    await page.locator("#preset").selectOption("fastmail");
    assert.equal(await animation(page), expected);
    await page.done();
  }
});

test("in german, down to the language that the service is asked for", async () => {
  const page = await openConsole(browser, dev, { locale: "de-CH" });
  await page.getByRole("heading", { name: "E-Mail ist noch nicht eingerichtet" }).waitFor();
  const asked = [];
  page.on("request", (request) => request.url().includes("/api/v1/") && asked.push(request.headers()["accept-language"]));
  await page.locator("label.choice", { hasText: "SMTP" }).click();
  await page.getByLabel("Wie Absenderadresse").uncheck();
  await page.fill({ serverAddress: "localhost", serverPort: dev.smtpPort, emailAddress: "platform@example.com", username: "dev" });
  await page.save();
  await page.getByText("Geben Sie das Passwort zum Benutzernamen ein").waitFor();
  await page.field("emailPassword").fill("falsch");
  await page.save();
  await page.code();
  await page.getByText("Das können Sie hier beheben").waitFor();
  await page.axe("a diagnosis in German");
  await page.picture("82-german");
  await page.field("emailPassword").fill(dev.password);
  await page.save();
  await page.getByText("Gespeichert. Die Verbindung funktioniert").first().waitFor();
  assert.ok(asked.length > 0 && asked.every((language) => language === "de"), asked.join());
  // Another language at once, without a loss.
  await page.field("senderName").fill("Bleibt");
  await page.locator("#language").selectOption("en");
  await page.getByRole("heading", { name: "Email is ready" }).waitFor();
  assert.equal(await page.field("senderName").inputValue(), "Bleibt");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
  await page.reload();
  await page.getByRole("heading", { name: "Email is ready" }).waitFor();
  await page.locator("#theme").selectOption("dark");
  assert.equal(await page.evaluate(() => document.querySelector("email-transport-settings").theme), "dark");
  page.once("dialog", (dialog) => dialog.accept());
  await page.done();
});

test("how soon the console can be used, and what it weighs", async () => {
  // With the second one the service and the browser are warm.
  for (let view = 1; view <= 3; view += 1) await firstView(view);
});

async function firstView(view) {
  const page = await openConsole(browser, dev, { at: "about:blank" });
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(dev.console);
  await page.ready();
  const [ready, first] = await page.evaluate(() => [
    performance.now(), performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  ]);
  console.log(`# first view ${view}: ${bytes} bytes over the wire, first paint after ${Math.round(first)} ms, usable after ${Math.round(ready)} ms`);
  assert.ok(bytes > 0 && bytes < 100_000, `${bytes} bytes`);
  await page.done();
}
