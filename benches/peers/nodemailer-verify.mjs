// nodemailer's verify(), told on standard input what to do, a JSON object a line:
//   {"port": 2587, "secure": false, "user": "…", "password": "…", "count": 50, "concurrency": 1}
// The answer is a line of JSON: how many microseconds each one took. Each account is one of its own, as each tenant's
// is, so each verify has a transport of its own.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import nodemailer from "nodemailer";

const ca = readFileSync(process.env.PEER_AUTHORITY);

async function verify({ port, secure, plain, user, password }) {
  const transport = nodemailer.createTransport({
    host: "localhost",
    port,
    secure,
    requireTLS: !secure && !plain,
    ignoreTLS: Boolean(plain),
    auth: plain ? undefined : { user, pass: password },
    tls: { ca },
  });
  await transport.verify();
  transport.close();
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const micros = [];
  let left = task.count;
  const worker = async () => {
    while (left-- > 0) {
      const started = process.hrtime.bigint();
      await verify(task);
      micros.push(Number((process.hrtime.bigint() - started) / 1000n));
    }
  };
  await Promise.all(Array.from({ length: task.concurrency }, worker));
  process.stdout.write(`${JSON.stringify(micros)}\n`);
}
