// Fastify, fast-jwt with its cache of verified tokens, pg with a prepared statement: the strongest on PostgreSQL.
import { createVerifier } from "fast-jwt";
import Fastify from "fastify";
import pg from "pg";
import { answer, COLUMNS, entityTag, NOT_CONFIGURED, PATH, settings, tenantOf } from "./answer.mjs";

const pool = new pg.Pool({ connectionString: settings.database });
const text = `select ${COLUMNS} from email_configs where tenant_id = $1`;
const verify = createVerifier({
  key: settings.publicKey,
  algorithms: ["RS256"],
  allowedIss: settings.issuer,
  allowedAud: settings.audience,
  requiredClaims: ["exp"],
  cache: 10_000,
});

const server = Fastify();
server.get(PATH, async (request, reply) => {
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
  const { rows } = await pool.query({ name: "find", text, values: [tenant] });
  const row = rows[0];
  if (!row) return NOT_CONFIGURED;
  reply.header("etag", entityTag(row));
  return answer(tenant, row);
});
await server.listen({ host: settings.host, port: settings.port });
