// What the peers that take mail share: an email out of a request, and its rows as the service stores them.
import { createCipheriv, createHash, randomBytes, randomUUID } from "node:crypto";
import Fastify from "fastify";
import MailComposer from "nodemailer/lib/mail-composer/index.js";
import { settings, tenantOf } from "./answer.mjs";
import { verify } from "./fast-jwt.mjs";

const contentKey = Buffer.from(process.env.PEER_CONTENT_KEY, "base64");
const LIFETIME = 72 * 3_600_000;
const DAY = 24 * 3_600_000;

export const INSERT_EMAIL = `insert into emails (tenant_id, id, fingerprint, batch_position, lane, status, created_at,
  expires_at, on_unknown, message_id, size, has_content, sealed_details, key_day, version)
  values ($1, $2, $3, 0, 'transactional', 'queued', $4, $5, 'retry_once', $6, $7, true, $8, $9, 0)`;
export const INSERT_RECIPIENT = `insert into email_recipients (tenant_id, email_id, position, address, kind, state,
  attempts, copies, next_attempt_at) values ($1, $2, $3, $4, 'to', 'queued', 0, 0, $5)`;
export const INSERT_BODY = "insert into email_bodies (tenant_id, email_id, part, sealed) values ($1, $2, 0, $3)";
export const INSERT_QUEUE = `insert into email_queue (tenant_id, lane, due_at, email_id, size, is_retry)
  values ($1, 'transactional', $2, $3, $4, false)`;
export const INSERT_EVENT = `insert into email_events (id, tenant_id, email_id, kind, at, details)
  values ($1, $2, $3, 'email.queued', $4, $5)`;
export const WAKE = `insert into delivery_accounts (tenant_id, next_due_at) values ($1, $2)
  on conflict (tenant_id) do update set next_due_at = excluded.next_due_at
  where delivery_accounts.next_due_at is null or delivery_accounts.next_due_at > excluded.next_due_at`;
export const FIND_ACCOUNT = "select email_address from email_configs where tenant_id = $1";
export const WAITING = "select count(*) as count, sum(size) as size from email_queue where tenant_id = $1";

function seal(plain) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", contentKey, nonce);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** The octets of the message. */
function compose(mail) {
  return new Promise((resolve, reject) => {
    new MailComposer(mail).compile().build((error, message) => (error ? reject(error) : resolve(message)));
  });
}

/** The rows of an email, as lists of values for the statements above. */
export async function rowsOf(tenant, from, request) {
  const { to, subject, html } = request;
  const [id, now] = [randomUUID(), Date.now()];
  const messageId = `<${randomUUID()}@example.com>`;
  const message = await compose({ from, to, subject, html, messageId });
  const details = seal(Buffer.from(JSON.stringify({ from, to, subject, html })));
  const fingerprint = createHash("sha256").update(JSON.stringify(request)).digest();
  return {
    id,
    email: [tenant, id, fingerprint, now, now + LIFETIME, messageId, message.length, details, Math.floor(now / DAY)],
    recipients: to.map((address, position) => [tenant, id, position, address, now]),
    body: [tenant, id, seal(message)],
    queue: [tenant, now, id, message.length],
    event: [randomUUID(), tenant, id, now, JSON.stringify({ to: [0], state: "queued" })],
    wake: [tenant, now],
  };
}

function isValid(request) {
  const { to, subject, html } = request ?? {};
  return Array.isArray(to) && to.every((address) => /^[^@\s]+@[^@\s]+$/.test(address)) && subject && html;
}

/** Serves POST /emails; `take` stores an email and gives its id. */
export async function serve(take) {
  const server = Fastify({ bodyLimit: 25 * 1024 * 1024 });
  server.post("/api/v1/transports/emails", async (request, reply) => {
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer" || !token) return reply.code(401).send();
    let claims;
    try {
      claims = verify(token);
    } catch {
      return reply.code(401).send();
    }
    const tenant = tenantOf(claims);
    if (!tenant) return reply.code(403).send();
    if (!isValid(request.body)) return reply.code(422).send();
    const id = await take(tenant, request.body);
    return reply.code(202).send({ object: "email", id });
  });
  await server.listen({ host: settings.host, port: settings.port });
}
