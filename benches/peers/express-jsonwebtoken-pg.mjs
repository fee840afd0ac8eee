// Express, jsonwebtoken, pg: what is most often written.
import express from "express";
import jwt from "jsonwebtoken";
import pg from "pg";
import { answer, COLUMNS, entityTag, NOT_CONFIGURED, PATH, settings, tenantOf } from "./answer.mjs";

const pool = new pg.Pool({ connectionString: settings.database });
const rules = { algorithms: ["RS256"], issuer: settings.issuer, audience: settings.audience };

const server = express();
server.disable("x-powered-by");
server.get(PATH, async (request, response) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return response.status(401).end();
  let claims;
  try {
    claims = jwt.verify(token, settings.publicKey, rules);
  } catch {
    return response.status(401).end();
  }
  const tenant = tenantOf(claims);
  if (!tenant) return response.status(403).end();
  const found = await pool.query(`select ${COLUMNS} from email_configs where tenant_id = $1`, [tenant]);
  const row = found.rows[0];
  if (!row) return response.json(NOT_CONFIGURED);
  response.set("etag", entityTag(row));
  response.json(answer(tenant, row));
});
server.listen(settings.port, settings.host);
