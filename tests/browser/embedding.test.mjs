// The element in other products' pages: another origin, another framework, any style sheet, a strict policy.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { startDev } from "./support/dev.mjs";
import { freshTenant, words } from "./support/element.mjs";
import { startEmbedder } from "./support/embedder.mjs";

let dev;
let browser;
let embedder;
before(async () => {
  embedder = await startEmbedder();
  [dev, browser] = await Promise.all([startDev({ SERVER__CORS_ORIGINS: embedder.origin }), startBrowser()]);
});
after(() => Promise.all([dev?.stop(), browser?.stop(), embedder?.stop()]));

async function open(url, token) {
  const page = await browser.open();
  await page.goto(url);
  return Object.assign(page, words(page, dev, token));
}

test("two lines are enough, beside any style sheet and under a strict policy of the page", async () => {
  const token = dev.token(freshTenant());
  const policy = `default-src 'none'; script-src ${dev.origin}; style-src 'self'; connect-src ${dev.origin}; base-uri 'none'`;
  const url = embedder.page("/two-lines", `<!doctype html><html lang="en"><head><title>A product</title>
    <link rel="stylesheet" href="/hostile.css"></head><body>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
    <email-transport-settings api="${dev.origin}" token="${token}"></email-transport-settings>
    </body></html>`, { "content-security-policy": policy });
  const page = await open(url, token);
  await page.ready();
  const style = await page.locator("#settings-title").evaluate((title) => {
    const { letterSpacing, textTransform, color, textAlign } = getComputedStyle(title);
    return { letterSpacing, textTransform, color, textAlign };
  });
  assert.equal(style.textTransform, "none");
  assert.notEqual(style.color, "rgb(255, 0, 0)");
  assert.equal(style.textAlign, "start");
  await page.enterAccount();
  await page.save();
  await page.saved();
  await page.field("recipient").fill("ann@example.com");
  await page.locator("#send-test").click();
  await page.locator("#test-result.ok").waitFor();
  await page.picture("60-hostile-page");
  // Nothing leaks out of it.
  const globals = await page.evaluate(() => Object.keys(globalThis).filter((name) => /^lit|transport|email/i.test(name)));
  assert.deepEqual(globals, ["litHtmlVersions"]);
  await page.done();
});

test("in a page of React, with events, a token that is fetched, and themes", async () => {
  const tenant = freshTenant();
  const token = dev.token(tenant);
  embedder.script("/react-page.js", `
    const { createElement: h, useState, useRef, useEffect } = React;
    globalThis.heard = [];
    globalThis.asked = [];
    function Page() {
      const [saved, setSaved] = useState(0);
      const [theme, setTheme] = useState("light");
      const settings = useRef(null);
      useEffect(() => {
        const hear = (event) => {
          heard.push([event.type, event.detail]);
          if (event.type === "config-saved") setSaved((count) => count + 1);
        };
        const names = ["config-saved", "check-finished", "config-removed"];
        for (const name of names) document.body.addEventListener(name, hear);
        return () => names.forEach((name) => document.body.removeEventListener(name, hear));
      }, []);
      // A new function at each rendering, as such code has it.
      useEffect(() => {
        settings.current.getToken = async (reason) => { asked.push(reason); return ${JSON.stringify(token)}; };
      });
      return h("main", null,
        h("h1", null, "Administration"),
        h("p", { id: "count" }, "Saved " + saved + " times"),
        h("button", { id: "dark", onClick: () => setTheme("dark") }, "Dark"),
        h("email-transport-settings", { ref: settings, api: ${JSON.stringify(dev.origin)}, theme, locale: "en" }));
    }
    ReactDOM.createRoot(document.getElementById("root")).render(h(Page));
  `);
  const url = embedder.page("/react", `<!doctype html><html lang="en"><head><title>React</title></head><body>
    <div id="root"></div>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
    <script src="/react.js"></script><script src="/react-dom.js"></script><script src="/react-page.js"></script>
    </body></html>`);
  const page = await open(url, token);
  await page.ready();
  await page.enterAccount({ emailPassword: "wrong" });
  await page.save();
  await page.code();
  await page.field("emailPassword").fill(dev.password);
  await page.save();
  await page.saved();
  await page.getByText("Saved 1 times").waitFor();
  await page.field("senderName").fill("Kept over a rendering");
  await page.locator("#dark").click();
  await page.waitForFunction(() => document.querySelector("email-transport-settings").theme === "dark");
  assert.equal(await page.field("senderName").inputValue(), "Kept over a rendering");
  assert.equal(await page.locator(".root").evaluate((root) => getComputedStyle(root).colorScheme), "dark");
  const heard = await page.evaluate(() => globalThis.heard);
  assert.deepEqual(heard.map(([name]) => name), ["check-finished", "config-saved", "check-finished"]);
  assert.deepEqual([heard[0][1].kind, heard[0][1].success, heard[0][1].diagnosis.code], ["save", false, "AUTH_REJECTED"]);
  assert.equal(heard[1][1].serviceProvider, "BasicAuth");
  assert.equal(heard[1][1].config.serverAddress, "localhost");
  assert.ok(!JSON.stringify(heard).includes(dev.password), "no event carries a secret");
  assert.deepEqual(await page.evaluate(() => globalThis.asked), ["start"], "one token does for all requests");
  await page.picture("61-react");
  await page.done();
});

test("a token is given before the module has loaded: as a property, and by an event as React 19 listens", async () => {
  const token = dev.token(freshTenant());
  embedder.script("/early.js", `
    globalThis.asked = [];
    const give = (how) => async (reason) => { asked.push(how + " " + reason); return ${JSON.stringify(token)}; };
    const [property, event] = document.querySelectorAll("email-transport-settings");
    property.getToken = give("property");
    // What the framework does with <… getToken={…} ontoken-needed={…}>: a property only where there is one by then.
    if ("getToken" in event) event.getToken = give("late");
    event.addEventListener("token-needed", ({ detail }) => detail.provide(give("event")(detail.reason)));
  `);
  const url = embedder.page("/early", `<!doctype html><html lang="en"><head><title>Early</title></head><body>
    <email-transport-settings id="one"></email-transport-settings><email-transport-settings id="two"></email-transport-settings>
    <script src="/early.js"></script>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script></body></html>`);
  const page = await open(url, token);
  for (const id of ["one", "two"]) await page.locator(`#${id} #settings-title`).waitFor();
  assert.deepEqual(await page.evaluate(() => globalThis.asked.toSorted()), ["event start", "property start"]);
  // One that is refused is asked for again.
  let refused = 0;
  await page.route(/\/email-config$/, (route) => (refused++ === 0
    ? route.fulfill({ status: 401, headers: { "access-control-allow-origin": embedder.origin }, json: { errors: [] } })
    : route.fallback()));
  await page.evaluate(() => document.querySelector("#two").setAttribute("locale", "de"));
  await page.locator("#two").getByRole("heading", { name: "E-Mail ist noch nicht eingerichtet" }).waitFor();
  await page.waitForFunction(() => globalThis.asked.includes("event expired"));
  await page.done();
});

test("moved in the document it keeps what was entered, and in a page from right to left its texts stand right", async () => {
  const token = dev.token(freshTenant());
  const url = embedder.page("/moved", `<!doctype html><html lang="ar" dir="rtl"><head><title>Moved</title></head><body>
    <div id="first"><email-transport-settings token="${token}" locale="en"></email-transport-settings></div><div id="second"></div>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script></body></html>`);
  const page = await open(url, token);
  await page.ready();
  await page.enterAccount({ senderName: "Kept" });
  const moved = await page.evaluate(async () => {
    const settings = document.querySelector("email-transport-settings");
    settings.remove();
    document.querySelector("#second").append(settings);
    const at = settings.hasUnsavedChanges;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return [at, settings.hasUnsavedChanges];
  });
  assert.deepEqual(moved, [true, true]);
  assert.equal(await page.field("senderName").inputValue(), "Kept");
  assert.equal(await page.field("emailPassword").inputValue(), dev.password);
  const root = page.locator("#second .root");
  assert.deepEqual(await root.evaluate((found) => [found.lang, found.dir, getComputedStyle(found).direction]), ["en", "ltr", "ltr"]);
  // It works on, and taken off for longer it forgets.
  await page.save();
  await page.saved();
  await page.field("senderName").fill("Forgotten");
  await page.evaluate(async () => {
    const settings = document.querySelector("email-transport-settings");
    settings.remove();
    await new Promise((resolve) => setTimeout(resolve, 50));
    document.querySelector("#first").append(settings);
  });
  await page.ready();
  assert.equal(await page.field("senderName").inputValue(), "Kept");
  await page.done();
});

test("a page changes colours, font and width by custom properties", async () => {
  const token = dev.token(freshTenant());
  embedder.script("/brand.css", "");
  const url = embedder.page("/brand", `<!doctype html><html lang="de"><head><title>A brand</title>
    <style>email-transport-settings { --ets-accent: #7a1f5c; --ets-radius: 2px; --ets-max-width: 30rem; --ets-font-family: serif; }</style>
    </head><body><script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
    <email-transport-settings token="${token}" theme="light"></email-transport-settings></body></html>`);
  const page = await open(url, token);
  await page.ready();
  await page.getByRole("heading", { name: "E-Mail ist noch nicht eingerichtet" }).waitFor();
  await page.choose("BasicAuth");
  const seen = await page.locator("#save").evaluate((save) => {
    const root = save.getRootNode().querySelector(".root");
    return [getComputedStyle(save).backgroundColor, getComputedStyle(root).fontFamily, getComputedStyle(root).maxWidth];
  });
  assert.deepEqual(seen, ["rgb(122, 31, 92)", "serif", "480px"]);
  await page.picture("62-brand");
  await page.done();
});

test("an origin that the operator does not name gets the modules, and nothing of the API", async (t) => {
  const other = await startEmbedder();
  t.after(() => other.stop());
  const token = dev.token(freshTenant());
  const url = other.page("/", `<!doctype html><html lang="en"><head><title>Another</title></head><body>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
    <email-transport-settings token="${token}"></email-transport-settings></body></html>`);
  const page = await open(url, token);
  await page.getByText("This page is not connected to the mail service").first().waitFor();
  await page.getByText(`Add that origin to "server.cors_origins"`).waitFor();
  assert.ok(page.wrong.some((text) => text.includes(other.origin) && text.includes("cors_origins")), "told to the developer");
  const session = await page.evaluate((address) => fetch(address).then((answer) => answer.status, () => "refused"),
    `${dev.origin}/console/session`);
  assert.equal(session, "refused", "nobody else is told the session");
  page.wrong.splice(0, page.wrong.length, ...page.wrong.filter((text) => !/CORS policy|cors_origins/.test(text)));
  await page.done();
});

test("a slip in the address or the token is told to the developer, and not as lost settings", async () => {
  const token = dev.token(freshTenant());
  const slips = [
    [`api="${dev.origin}/api/v1" token="${token}"`, /"api" has to be the address of the service/],
    [`api="${embedder.origin}" token="${token}"`, /answered 404 and is not this service/],
    [`api="mail.example.com" token="${token}"`, /"api" has to be the address of the service/],
    // A server that answers every path with a page of its own.
    [`api="${embedder.origin}/app" token="${token}"`, /answered 200 and is not this service/],
    [`api="${dev.origin}"`, /No token was sent/],
  ];
  for (const path of ["email-config", "providers"]) embedder.page(`/app/api/v1/transports/${path}`, "<!doctype html>");
  for (const [index, [attributes, expected]] of slips.entries()) {
    const url = embedder.page(`/slip-${index}`, `<!doctype html><html lang="en"><head><title>A slip</title></head><body>
      <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
      <email-transport-settings ${attributes}></email-transport-settings></body></html>`);
    const page = await open(url, token);
    await page.getByText("This page is not connected to the mail service").first().waitFor();
    assert.match(await page.locator("#refusal").innerText(), expected);
    assert.equal(page.wrong.length, 1, page.wrong.join());
    assert.match(page.wrong[0], expected);
    page.wrong.length = 0;
    if (index === 0) await page.picture("63-not-connected");
    await page.done();
  }
});

test("no usable token: people hear that they have to sign in, and the developer what the page gave", async () => {
  const token = dev.token(freshTenant());
  embedder.page("/login", "<!doctype html><title>Sign in</title>");
  const { body: key } = await dev.api(token, "POST", "/api-keys", { name: "A key", permission: "full_access" });
  const slip = "This page is not connected to the mail service";
  const ended = "Your session has ended";
  const give = (code) => `<script>document.querySelector("email-transport-settings").getToken = ${code}</script>`;
  const cases = [
    ["", give(`async () => (await fetch("/login")).text()`), slip, /getToken.* gave a page.*begins with "<!doctype html>".*one line/],
    ["", give(`() => "eyJhbGciOiJIUzI1NiJ9.\\nabc"`), slip, /getToken.* gave a text with blanks, line breaks/],
    ["", give(`async () => ({ token: "eyJ" })`), slip, /getToken.* gave a value of the type object/],
    [`token="two\nlines"`, "", slip, /The attribute token gave a text with blanks, line breaks/],
    ["", give(`async () => { throw new Error("not signed in") }`), ended, /getToken.* has failed \(Error: not signed in\)/],
    ["", give(`async () => null`), ended, /getToken.* gave nothing/],
    [`token="${token}x"`, "", ended, /The service refused the token \(Unauthorized\).*tokens\.md/],
    [`token="${key.token}"`, "", slip, /An API key was given as the token.*tokens\.md/],
  ];
  for (const [index, [attributes, script, shown, told]] of cases.entries()) {
    const url = embedder.page(`/token-${index}`, `<!doctype html><html lang="en"><head><title>A token</title></head><body>
      <email-transport-settings api="${dev.origin}" ${attributes}></email-transport-settings>${script}
      <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script></body></html>`);
    const page = await open(url, token);
    await page.getByText(shown).first().waitFor();
    assert.equal(page.wrong.length, 1, page.wrong.join());
    assert.match(page.wrong[0], told);
    assert.ok(!page.wrong[0].includes(key.token) && !page.wrong[0].includes(token), "no token on the browser's console");
    page.wrong.length = 0;
    await page.done();
  }
});

test("a token that can no longer be fetched ends the session, and the developer hears why", async () => {
  const token = dev.token(freshTenant());
  const url = embedder.page("/expired", `<!doctype html><html lang="en"><head><title>Expired</title></head><body>
    <email-transport-settings api="${dev.origin}"></email-transport-settings><script>
      document.querySelector("email-transport-settings").getToken = (reason) =>
        reason === "start" ? ${JSON.stringify(token)} : "<html>Sign in</html>";
    </script><script type="module" src="${dev.origin}/console/email-transport-settings.js"></script></body></html>`);
  const page = await open(url, token);
  await page.ready();
  await page.enterAccount();
  await page.route(/\/email-config$/, (route) =>
    route.fulfill({ status: 401, headers: { "access-control-allow-origin": embedder.origin }, json: { errors: [] } }));
  await page.save();
  await page.getByText("Your session has ended").first().waitFor();
  assert.equal(page.wrong.length, 1, page.wrong.join());
  assert.match(page.wrong[0], /getToken.* gave a page/);
  page.wrong.length = 0;
  await page.done();
});

test("an address without an answer is named to the developer", async () => {
  const token = dev.token(freshTenant());
  const nobody = await startEmbedder();
  await nobody.stop();
  const cases = [
    [nobody.origin, "The service cannot be reached", `${nobody.origin} does not answer`],
    ["https://mail.example.com:x", "This page is not connected to the mail service", `"https://mail.example.com:x" is no address`],
  ];
  for (const [index, [api, shown, told]] of cases.entries()) {
    const url = embedder.page(`/silence-${index}`, `<!doctype html><html lang="en"><head><title>Silence</title></head><body>
      <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
      <email-transport-settings api="${api}" token="${token}"></email-transport-settings></body></html>`);
    const page = await open(url, token);
    await page.getByText(shown).first().waitFor();
    assert.ok(page.wrong.some((text) => text.includes(told)), page.wrong.join());
    page.wrong.length = 0;
    await page.done();
  }
});

test("an answer that is cut off is no answer of another server", async () => {
  const token = dev.token(freshTenant());
  const cutOff = { "content-type": "application/json", "content-length": "1000", connection: "close" };
  for (const path of ["email-config", "providers"]) embedder.page(`/cut/api/v1/transports/${path}`, '{"isValid"', cutOff);
  const url = embedder.page("/cut-off", `<!doctype html><html lang="en"><head><title>Cut off</title></head><body>
    <script type="module" src="${dev.origin}/console/email-transport-settings.js"></script>
    <email-transport-settings api="${embedder.origin}/cut" token="${token}"></email-transport-settings></body></html>`);
  const page = await open(url, token);
  await page.getByText("The service cannot be reached").first().waitFor();
  assert.ok(!page.wrong.some((text) => text.includes("is not this service")), page.wrong.join());
  page.wrong.length = 0;
  await page.done();
});

test("the console may not be framed by others", async () => {
  const url = embedder.page("/frame", `<!doctype html><html lang="en"><head><title>A frame</title></head><body>
    <iframe title="x" src="${dev.console}"></iframe></body></html>`);
  const page = await open(url, "");
  await page.waitForFunction(() => document.readyState === "complete");
  const framed = page.frames().find((frame) => frame !== page.mainFrame());
  assert.equal(await framed.locator("email-transport-settings").count(), 0);
  page.wrong.splice(0, page.wrong.length, ...page.wrong.filter((text) => !/frame-ancestors|refused to connect/i.test(text)));
  await page.done();
});
