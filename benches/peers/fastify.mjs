// The server that all peers on Fastify are. They differ in how a token is checked and where the row comes from.
import Fastify from "fastify";
import { answer, entityTag, NOT_CONFIGURED, PATH, settings, tenantOf } from "./answer.mjs";

// `verify` gives a token's claims, or throws; `find` gives a tenant's row. Either may give a promise of it.
export async function serve(verify, find) {
  const server = Fastify();
  server.get(PATH, async (request, reply) => {
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    if (scheme !== "Bearer" || !token) return reply.code(401).send();
    let claims;
    try {
      claims = await verify(token);
    } catch {
      return reply.code(401).send();
    }
    const tenant = tenantOf(claims);
    if (!tenant) return reply.code(403).send();
    const row = await find(tenant);
    if (!row) return NOT_CONFIGURED;
    reply.header("etag", entityTag(row));
    return answer(tenant, row);
  });
  await server.listen({ host: settings.host, port: settings.port });
}
