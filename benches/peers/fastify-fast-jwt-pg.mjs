// Fastify, fast-jwt with its cache of verified tokens, pg with a prepared statement: the strongest on PostgreSQL.
import pg from "pg";
import { COLUMNS, settings } from "./answer.mjs";
import { verify } from "./fast-jwt.mjs";
import { serve } from "./fastify.mjs";

const pool = new pg.Pool({ connectionString: settings.database });
const text = `select ${COLUMNS} from email_configs where tenant_id = $1`;

await serve(verify, async (tenant) => (await pool.query({ name: "find", text, values: [tenant] })).rows[0]);
