// Fastify, fast-jwt with its cache of verified tokens, better-sqlite3: the strongest of the peers.
import Database from "better-sqlite3";
import { createVerifier } from "fast-jwt";
import Fastify from "fastify";
import { answer, COLUMNS, entityTag, NOT_CONFIGURED, PATH, settings, tenantOf } from "./answer.mjs";

const database = new Database(settings.database, { readonly: true });
const find = database.prepare(`select ${COLUMNS} from email_configs where tenant_id = ?`);
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
  const row = find.get(tenant);
  if (!row) return NOT_CONFIGURED;
  reply.header("etag", entityTag(row));
  return answer(tenant, row);
});
await server.listen({ host: settings.host, port: settings.port });
