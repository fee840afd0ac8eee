// `transports dev` as a process of its own, on free ports with a folder of its own.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

const BINARY = process.env.TRANSPORTS_BINARY
  ?? path.resolve(fileURLToPath(new URL(".", import.meta.url)), "../../../target/debug/transports");

/** @param {Record<string, string>} [settings] of the environment, without `TRANSPORTS_` */
export async function startDev(settings = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "transports-browser-"));
  const child = spawn(BINARY, ["dev", "--port", "0", "--smtp-port", "0", "--smtps-port", "0", "--data-dir", folder], {
    cwd: folder,
    env: Object.fromEntries(Object.entries(settings).map(([name, value]) => [`TRANSPORTS_${name}`, value])),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const printed = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (line.startsWith("More requests")) break;
  }
  const text = printed.join("\n");
  const console = /Console\s+(http:\/\/[\d.:]+)\/console\//.exec(text);
  if (!console) throw new Error(`transports dev did not print the address of the console:\n${text}`);
  const origin = console[1];
  const variables = await readFile(path.join(folder, "env"), "utf8");
  const variable = (name) => {
    const match = new RegExp(`^${name}=(.*)$`, "m").exec(variables);
    if (!match) throw new Error(`transports dev has no variable ${name}`);
    return match[1];
  };
  const requests = await (await fetch(`${origin}/dev/requests`)).text();
  const inRequests = (pattern) => {
    const match = pattern.exec(requests);
    if (!match) throw new Error(`transports dev shows no ${pattern}:\n${requests}`);
    return match[1];
  };
  const secret = (await readFile(path.join(folder, "token-secret"), "utf8")).trim();
  const dev = {
    origin,
    console: `${origin}/console/`,
    smtpPort: Number(variable("SMTP_PORT")),
    smtpsPort: Number(variable("SMTPS_PORT")),
    password: variable("PASSWORD"),
    clientSecret: variable("CLIENT_SECRET"),
    clientId: inRequests(/"clientId": "([^"]+)"/),
    directoryId: inRequests(/"providerTenantId": "([^"]+)"/),
    mailbox: inRequests(/"providerTenantId": "[^"]+", "emailAddress": "([^"]+)"/),

    /** A token of another tenant, so that tests do not meet. */
    token(tenant, { admin = true, email } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const claims = { tenantId: tenant, sub: "ann", iat: now, exp: now + 3600, roles: admin ? ["TenantAdmin"] : [], email };
      const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
      const head = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
      return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
    },

    /** A request to the API as somebody else makes it. */
    async api(token, method, where, body, headers = {}) {
      const response = await fetch(`${origin}/api/v1/transports${where}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
        body: body && JSON.stringify(body),
      });
      const answer = await response.text();
      return { status: response.status, body: answer ? JSON.parse(answer) : null, etag: response.headers.get("etag") };
    },

    /** The account of the inbox, as a PUT takes it. */
    account(changes = {}) {
      const providerConfig = {
        serverAddress: "localhost", serverPort: dev.smtpPort, securityType: "StartTLS", username: "dev",
        emailPassword: dev.password, emailAddress: "platform@example.com", ...changes,
      };
      for (const field of Object.keys(providerConfig)) {
        if (providerConfig[field] === undefined) delete providerConfig[field];
      }
      return { serviceProvider: "BasicAuth", providerConfig };
    },

    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
  return dev;
}
