// fast-jwt with its cache of verified tokens.
import { createVerifier } from "fast-jwt";
import { settings } from "./answer.mjs";

export const verify = createVerifier({
  key: settings.publicKey,
  algorithms: ["RS256"],
  allowedIss: settings.issuer,
  allowedAud: settings.audience,
  requiredClaims: ["exp"],
  cache: 10_000,
});
