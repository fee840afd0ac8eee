// Fastify, fast-jwt with its cache of verified tokens, better-sqlite3: the strongest of the peers.
import { verify } from "./fast-jwt.mjs";
import { serve } from "./fastify.mjs";
import { find } from "./sqlite.mjs";

await serve(verify, find);
