// Fastify, jose without a cache, better-sqlite3.
import { importSPKI, jwtVerify } from "jose";
import { settings } from "./answer.mjs";
import { serve } from "./fastify.mjs";
import { find } from "./sqlite.mjs";

const key = await importSPKI(settings.publicKey, "RS256");
const rules = { algorithms: ["RS256"], issuer: settings.issuer, audience: settings.audience, requiredClaims: ["exp"] };

await serve(async (token) => (await jwtVerify(token, key, rules)).payload, find);
