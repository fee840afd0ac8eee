// The mail server Haraka: STARTTLS on one port, TLS from the first byte on another.
//
//   node haraka.mjs FOLDER
//
// FOLDER holds certificate.pem and key.pem; each mail becomes a file in FOLDER/mails. Prints both ports.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

const require = createRequire(`${process.env.TRANSPORTS_PEERS}/mail-servers/package.json`);
const folder = process.argv[2];

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const [starttls, implicit] = await Promise.all([freePort(), freePort()]);

// What Haraka leaves to plugins: who may use which sender, who is known here, where a mail goes. Its refusals are its
// own where the plugin gives no text.
const plugin = `
const { createWriteStream } = require("node:fs");
let mails = 0;
exports.hook_mail = (next, connection, [sender]) => {
  const user = connection.notes.auth_user;
  if (!user) return next(DENY, "5.7.1 Authentication required");
  if (sender.address() !== user + "@example.com") return next(DENY, "Sender address not allowed for " + user);
  next();
};
exports.hook_rcpt = (next, connection, [recipient]) =>
  recipient.address() === "bob@example.com" ? next(OK) : next(DENY);
const store = (next, connection) => {
  mails += 1;
  const file = ${JSON.stringify(folder)} + "/mails/" + mails;
  const stream = createWriteStream(file);
  stream.on("finish", () => next(OK));
  connection.transaction.message_stream.pipe(stream);
};
// Of strangers, and of those who have signed in.
exports.hook_queue = store;
exports.hook_queue_outbound = store;
`;
const defaults = (name) => readFileSync(join(dirname(require.resolve("Haraka/package.json")), "config", name), "utf8");
const files = {
  "config/host_list": "example.com\n",
  "config/me": "localhost\n",
  "config/plugins": "tls\nauth/flat_file\nrules\n",
  "config/log.ini": "[main]\nlevel=crit\n",
  "config/smtp.ini": `listen=127.0.0.1:${starttls},127.0.0.1:${implicit}\nsmtps_port=${implicit}\nnodes=0\n`,
  // Its own file, but for the header that would differ from mail to mail.
  "config/connection.ini": defaults("connection.ini").replace(/^; add_received=true$/m, "add_received=false"),
  "config/tls.ini": `key=${folder}/key.pem\ncert=${folder}/certificate.pem\ndhparam=dhparams.pem\n`,
  // The group of RFC 7919. Without it Haraka has openssl look for one, which takes a core for minutes and outlives it.
  "config/dhparams.pem": execFileSync("openssl", ["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]),
  "config/auth_flat_file.ini": "[core]\nmethods=PLAIN,LOGIN\nconstrain_sender=false\n[users]\nalice=secret\n",
  "plugins/rules.js": plugin,
};
for (const [name, text] of Object.entries(files)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

// It writes to standard output, which belongs to the ports.
const print = process.stdout.write.bind(process.stdout);
process.stdout.write = () => true;
process.env.HARAKA = folder;
process.argv[1] = require.resolve("Haraka/bin/haraka");
require("Haraka/haraka.js");

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.on("error", () => resolve(false)).on("connect", () => socket.destroy());
  });
for (const port of [starttls, implicit]) while (!(await answers(port))) await setTimeout(20);
print(`${starttls} ${implicit}\n`);
