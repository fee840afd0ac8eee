// Sends a message as it stands in a file, with nodemailer.
import { readFileSync } from "node:fs";

const { default: nodemailer } = await import(process.env.NODEMAILER);
const [security, port, key, from, to, path] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: "localhost",
  port: Number(port),
  secure: security !== "StartTLS",
  requireTLS: true,
  auth: { user: "any", pass: key },
});
await transport.verify();
const sent = await transport.sendMail({ envelope: { from, to }, raw: readFileSync(path) });
if (!sent.response.startsWith("250 2.0.0 queued as ")) throw new Error(sent.response);
transport.close();
