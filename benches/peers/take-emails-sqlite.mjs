// Takes mail with Fastify and better-sqlite3: each in a transaction that is on disk before the answer.
import Database from "better-sqlite3";
import { settings } from "./answer.mjs";
import * as sql from "./emails.mjs";

const database = new Database(settings.database);
database.pragma("journal_mode = wal");
database.pragma("synchronous = full");
// better-sqlite3 takes `?` for positional values.
const prepare = (text) => database.prepare(text.replaceAll(/\$\d+/g, "?"));
const [account, waiting] = [prepare(sql.FIND_ACCOUNT), prepare(sql.WAITING)];
const [email, recipient, body] = [prepare(sql.INSERT_EMAIL), prepare(sql.INSERT_RECIPIENT), prepare(sql.INSERT_BODY)];
const [queue, event, wake] = [prepare(sql.INSERT_QUEUE), prepare(sql.INSERT_EVENT), prepare(sql.WAKE)];

const store = database.transaction((rows) => {
  email.run(rows.email);
  for (const one of rows.recipients) recipient.run(one);
  body.run(rows.body);
  queue.run(rows.queue);
  event.run(rows.event);
  wake.run(rows.wake);
});

await sql.serve(async (tenant, request) => {
  const from = account.get(tenant).email_address;
  if (waiting.get(tenant).count >= 1_000_000) throw new Error("the queue is full");
  const rows = await sql.rowsOf(tenant, from, request);
  store(rows);
  return rows.id;
});
