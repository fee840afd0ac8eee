// The sources by themselves: types, texts, the vendored library.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { require } from "./support/browser.mjs";

const root = path.resolve(fileURLToPath(new URL(".", import.meta.url)), "../..");
const web = path.join(root, "web");

const texts = async (language) => (await import(pathToFileURL(path.join(web, "texts", `${language}.js`)))).default;
const languages = (await readdir(path.join(web, "texts"))).map((name) => path.basename(name, ".js"));

async function sources() {
  const names = await readdir(web, { recursive: true });
  const own = names.filter((name) => name.endsWith(".js") && !/^(vendor|texts)\//.test(name));
  return Promise.all(own.map(async (name) => [name, await readFile(path.join(web, name), "utf8")]));
}

test("the types hold", () => {
  const compiler = path.join(path.dirname(require.resolve("typescript/package.json")), "bin/tsc");
  try {
    execFileSync(process.execPath, [compiler, "-p", path.join(fileURLToPath(new URL(".", import.meta.url)), "tsconfig.json")], { stdio: "pipe" });
  } catch (error) {
    assert.fail(String(error.stdout));
  }
});

test("every language has the same keys, filled in at the same places", async () => {
  const english = await texts("en");
  const places = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort().join();
  assert.ok(languages.includes("de"));
  for (const language of languages) {
    const other = await texts(language);
    assert.deepEqual(Object.keys(other).sort(), Object.keys(english).sort(), language);
    for (const [key, text] of Object.entries(english)) {
      assert.equal(places(other[key]), places(text), `${language}: ${key}`);
      assert.equal(other[key].trim() === "", text.trim() === "", `${language}: ${key}`);
    }
  }
});

test("every text that is used is there, and every one that is there is used", async () => {
  const english = await texts("en");
  const all = (await sources()).map(([, text]) => text).join("\n");
  const used = new Set();
  // Whole keys in quotes, and keys that are put together: every key that such a pattern fits counts as used.
  for (const [, key] of all.matchAll(/["'`]([a-zA-Z\d]+(?:\.[\w/-]+)*)["'`]/g)) used.add(key);
  const patterns = [...all.matchAll(/`((?:[\w-]+\.)*)\$\{[^`]*?\}((?:\.[\w-]+)*)`/g)].map(([, before, after]) => [before, after]);
  const isUsed = (key) => used.has(key) || used.has(key.replace(/\.one$/, "")) || patterns.some(([before, after]) =>
    (before || after) && key.startsWith(before) && key.endsWith(after)) ||
    /^activity\..+\.(ok|bad)$/.test(key) || /^(save|verify)\.(done|partly)$/.test(key) || /^error\.required\./.test(key);
  assert.deepEqual(Object.keys(english).filter((key) => !isUsed(key)), []);
  const named = [...all.matchAll(/\bt\("([^"]+)"/g)].map(([, key]) => key);
  assert.ok(named.length > 80, String(named.length));
  assert.deepEqual(named.filter((key) => !(key in english)), []);
  const { CODES: _, remedies } = await import(pathToFileURL(path.join(web, "element/model/remedies.js")));
  assert.ok(remedies);
});

test("a text that a language lacks falls back to english, and one that is nowhere to its key", async () => {
  const { text, languageOf } = await import(pathToFileURL(path.join(web, "element/i18n.js")));
  assert.equal(text({ save: "Sichern" }, "save"), "Sichern");
  assert.equal(text({}, "save"), (await texts("en")).save);
  assert.equal(text({}, "no.such.key"), "no.such.key");
  assert.equal(text({}, "form.errors", { count: 1 }), "One field needs to be corrected.");
  assert.equal(text({}, "form.errors", { count: 2 }), "2 fields need to be corrected.");
  assert.equal(text({}, "link.help", {}), "Help at {site}");
  for (const [wish, language] of [["de-AT", "de"], ["DE", "de"], ["fr", "en"], ["", "en"], [null, "en"]]) {
    assert.equal(languageOf(wish), language);
  }
});

test("the vendored library is the published one, byte for byte", async () => {
  const folder = path.join(web, "vendor/lit-html");
  const published = path.dirname(require.resolve("lit-html"));
  const from = published.endsWith("node") ? path.dirname(published) : published;
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  assert.ok(names.length >= 5);
  for (const { parentPath, path: folderOf, name } of names) {
    const file = path.relative(folder, path.join(parentPath ?? folderOf, name));
    const [ours, theirs] = await Promise.all([readFile(path.join(folder, file)), readFile(path.join(from, file))]);
    assert.ok(ours.equals(theirs), file);
  }
});

test("nothing is put into the page as markup, as code, or as a style in an attribute", async () => {
  for (const [name, text] of await sources()) {
    for (const forbidden of [/innerHTML/, /insertAdjacentHTML/, /unsafeHTML/, /\beval\b/, /new Function/, /document\.write/, /\sstyle=/]) {
      assert.doesNotMatch(text, forbidden, name);
    }
  }
});
