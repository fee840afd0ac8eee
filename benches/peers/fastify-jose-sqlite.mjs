// Fastify, jose without a cache, better-sqlite3.
import Database from "better-sqlite3";
import Fastify from "fastify";
import { importSPKI, jwtVerify } from "jose";
import { answer, COLUMNS, entityTag, NOT_CONFIGURED, PATH, settings, tenantOf } from "./answer.mjs";

const database = new Database(settings.database, { readonly: true });
const find = database.prepare(`select ${COLUMNS} from email_configs where tenant_id = ?`);
const key = await importSPKI(settings.publicKey, "RS256");
const rules = { algorithms: ["RS256"], issuer: settings.issuer, audience: settings.audience, requiredClaims: ["exp"] };

const server = Fastify();
server.get(PATH, async (request, reply) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return reply.code(401).send();
  const verified = await jwtVerify(token, key, rules).catch(() => undefined);
  if (!verified) return reply.code(401).send();
  const tenant = tenantOf(verified.payload);
  if (!tenant) return reply.code(403).send();
  const row = find.get(tenant);
  if (!row) return NOT_CONFIGURED;
  reply.header("etag", entityTag(row));
  return answer(tenant, row);
});
await server.listen({ host: settings.host, port: settings.port });
