// A mail server on smtp-server: STARTTLS on one port, TLS from the first byte on another.
//
//   node smtp_server.mjs FOLDER
//
// FOLDER holds certificate.pem and key.pem; each mail becomes a file in FOLDER/mails. Prints both ports.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.TRANSPORTS_PEERS}/mail-servers/package.json`);
const { SMTPServer } = await import(pathToFileURL(require.resolve("smtp-server")));

const folder = process.argv[2];
const tls = { cert: readFileSync(`${folder}/certificate.pem`), key: readFileSync(`${folder}/key.pem`) };
let mails = 0;

const refusal = (responseCode, text) => Object.assign(new Error(text), { responseCode });

function options(secure) {
  return {
    ...tls,
    secure,
    onAuth: ({ username, password }, _session, done) =>
      username === "alice" && password === "secret"
        ? done(null, { user: username })
        : done(refusal(535, "5.7.8 Authentication credentials invalid")),
    onMailFrom: ({ address }, session, done) =>
      address === `${session.user}@example.com`
        ? done()
        : done(refusal(553, `5.7.1 <${address}>: Sender address rejected: not owned by user ${session.user}`)),
    onRcptTo: ({ address }, _session, done) =>
      address === "bob@example.com" ? done() : done(refusal(550, `5.1.1 <${address}>: User unknown`)),
    onData: async (stream, _session, done) => {
      const pieces = [];
      for await (const piece of stream) pieces.push(piece);
      mails += 1;
      writeFileSync(`${folder}/mails/${mails}`, Buffer.concat(pieces));
      done();
    },
  };
}

const ports = await Promise.all(
  [false, true].map(
    (secure) =>
      new Promise((resolve) => {
        const server = new SMTPServer(options(secure));
        server.on("error", () => {});
        const listener = server.listen(0, "127.0.0.1", () => resolve(listener.address().port));
      }),
  ),
);
console.log(ports.join(" "));
