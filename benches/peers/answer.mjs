// What every peer shares: its settings, the statement, and the answer as the service gives it for an SMTP account.
import { readFileSync } from "node:fs";

const { PEER_PORT, PEER_DATABASE, PEER_PUBLIC_KEY, PEER_ISSUER, PEER_AUDIENCE } = process.env;

export const settings = {
  host: "127.0.0.1",
  port: Number(PEER_PORT),
  database: PEER_DATABASE,
  publicKey: readFileSync(PEER_PUBLIC_KEY, "utf8"),
  issuer: PEER_ISSUER,
  audience: PEER_AUDIENCE,
};

export const PATH = "/api/v1/transports/email-config";

export const COLUMNS = `config_version, health_version, provider, server_address, server_port, security_type,
  username, email_address, sender_name, secret_payload is not null as has_secret,
  health_state, auth_failures, health_reason, modified_at, updated_at`;

export const NOT_CONFIGURED = { passwordExists: false, isValid: false };

const CODES = { OK: 0, INCOMPLETE_CONFIG: 2, INVALID_CREDENTIALS: 3, PROVIDER_ERROR: 4 };

/** The tenant of a token that may read a configuration; undefined for any other one. */
export function tenantOf(claims) {
  const admin = Array.isArray(claims.roles) && claims.roles.includes("TenantAdmin");
  return admin ? claims.tenantId : undefined;
}

export function entityTag(row) {
  return `"${row.config_version}.${row.health_version}"`;
}

/** The body of an answer. PostgreSQL's driver gives a bigint as text, hence the numbers. */
export function answer(tenant, row) {
  const hasSecret = Boolean(row.has_secret);
  const account = {
    serverAddress: row.server_address ?? undefined,
    serverPort: row.server_port === null ? undefined : Number(row.server_port),
    securityType: row.security_type ?? undefined,
    username: row.username ?? undefined,
    emailAddress: row.email_address ?? undefined,
  };
  const { serverAddress, serverPort, securityType, username, emailAddress } = account;
  const complete = serverAddress && serverPort && securityType && emailAddress && Boolean(username) === hasSecret;
  const errorCode = complete ? row.health_state : "INCOMPLETE_CONFIG";
  return {
    tenantId: tenant,
    serviceProvider: row.provider,
    providerConfig: { ...account, senderName: row.sender_name ?? undefined },
    ...account,
    passwordExists: hasSecret,
    isValid: errorCode === "OK",
    errorCode,
    status: { statusCode: CODES[errorCode], statusReason: row.health_reason ?? errorCode },
    authFailures: Number(row.auth_failures),
    modificationTime: new Date(Number(row.modified_at)).toISOString(),
    lastUpdated: new Date(Number(row.updated_at)).toISOString(),
  };
}
