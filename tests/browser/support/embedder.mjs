// Another product's pages, on an origin of their own, with the element in them.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";

import { require } from "./browser.mjs";

/** A style sheet that would break a page that is not apart from it. */
const HOSTILE = `
  * { box-sizing: content-box !important; letter-spacing: 3px; text-transform: uppercase; line-height: 3 !important; }
  input, button, label, h2, p, fieldset { display: none !important; border: 9px solid red !important; }
  html { font-size: 10px; } body { color: red; text-align: center; }`;

function packaged(name, file) {
  return readFile(path.join(path.dirname(require.resolve(`${name}/package.json`)), file));
}

export async function startEmbedder() {
  const pages = new Map();
  const files = {
    "/react.js": await packaged("react", "umd/react.production.min.js"),
    "/react-dom.js": await packaged("react-dom", "umd/react-dom.production.min.js"),
    "/hostile.css": HOSTILE,
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://embedder");
    const page = pages.get(pathname);
    if (page) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...page.headers }).end(page.html);
    } else if (files[pathname]) {
      const type = pathname.endsWith(".css") ? "text/css" : "text/javascript";
      response.writeHead(200, { "content-type": type }).end(files[pathname]);
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    page(where, html, headers = {}) {
      pages.set(where, { html, headers });
      return origin + where;
    },
    script(where, text) {
      files[where] = text;
    },
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
