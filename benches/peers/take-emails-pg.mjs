// Takes mail with Fastify and pg: each in a transaction of its own, with prepared statements.
import pg from "pg";
import { settings } from "./answer.mjs";
import * as sql from "./emails.mjs";

const pool = new pg.Pool({ connectionString: settings.database });
const prepared = (client, name, values) => client.query({ name, text: sql[name], values });

await sql.serve(async (tenant, request) => {
  const account = await prepared(pool, "FIND_ACCOUNT", [tenant]);
  const waiting = await prepared(pool, "WAITING", [tenant]);
  if (Number(waiting.rows[0].count) >= 1_000_000) throw new Error("the queue is full");
  const rows = await sql.rowsOf(tenant, account.rows[0].email_address, request);
  const client = await pool.connect();
  try {
    // Without waiting for each answer: they are sent one after the other, and the commit comes last.
    await Promise.all([
      client.query("begin"),
      prepared(client, "INSERT_EMAIL", rows.email),
      ...rows.recipients.map((one) => prepared(client, "INSERT_RECIPIENT", one)),
      prepared(client, "INSERT_BODY", rows.body),
      prepared(client, "INSERT_QUEUE", rows.queue),
      prepared(client, "INSERT_EVENT", rows.event),
      prepared(client, "WAKE", rows.wake),
      client.query("commit"),
    ]);
  } finally {
    client.release();
  }
  return rows.id;
});
