//! Every setting, its default and its documentation.

use ipnet::IpNet;

use crate::secret::Secret;

/// All settings.
#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub encryption: Encryption,
    pub auth: Auth,
    pub egress: Egress,
    pub tls: Tls,
    pub rate_limit: RateLimit,
    pub audit: Audit,
    pub log: Log,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub listen: std::net::SocketAddr,
    pub metrics_listen: Option<std::net::SocketAddr>,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub max_connections: usize,
    pub header_timeout_seconds: u64,
    pub request_timeout_seconds: u64,
    pub shutdown_seconds: u64,
}

#[derive(Debug)]
pub struct Database {
    pub url: Secret,
    pub connections: usize,
}

#[derive(Debug)]
pub struct Encryption {
    pub keys: Vec<Secret>,
    pub keys_file: Option<std::path::PathBuf>,
}

#[derive(Debug)]
pub struct Auth {
    pub jwks_url: Option<String>,
    pub jwks_max_age_hours: u64,
    pub public_key_file: Option<std::path::PathBuf>,
    pub hs256_secret: Option<Secret>,
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub tenant_claim: String,
    pub user_claim: String,
    pub roles_claim: String,
    pub admin_roles: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Egress {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
    pub allow_hosts: Vec<String>,
    pub ports: Vec<u16>,
    pub nat64_prefixes: Vec<String>,
    pub timeout_seconds: u64,
    pub ehlo_name: Option<String>,
    pub max_connections: usize,
    pub max_connections_per_tenant: usize,
}

#[derive(Debug, Clone)]
pub struct Tls {
    pub ca_file: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone)]
pub struct RateLimit {
    pub tier1_per_minute: u32,
    pub tier2_per_minute: u32,
    pub unauthenticated_per_minute: u32,
}

#[derive(Debug, Clone)]
pub struct Audit {
    pub retention_days: u32,
}

#[derive(Debug, Clone)]
pub struct Log {
    /// `auto`, `text` or `json`.
    pub format: String,
    /// A filter in the form of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}
