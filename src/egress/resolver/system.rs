//! The system's resolver settings (`resolv.conf`, `hosts`), asked without blocking a thread.
//!
//! `getaddrinfo` holds a thread until it returns, some 10 to 30 s for a silent name server, and cannot be cancelled: a
//! tenant could hold more of them than its connections allow. See docs/adr/0017.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hickory_resolver::config::{
    NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};

use super::{Lookup, ResolveError};

pub(super) const DNS_PORT: u16 = 53;

/// How long one question to one name server may take. Two of them fit into the time of a look-up.
const MAX_QUERY_TIME: Duration = Duration::from_secs(2);

/// Questions under way on one TCP connection to a name server; those over UDP have no such limit.
const MAX_TCP_QUERIES: usize = 1024;

/// Resolves names as the files say, and reads the files again when they change.
pub struct SystemResolver {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    port: u16,
    current: Mutex<Option<CachedSources>>,
}

/// When each file was changed, and its length.
type FileStamps = [Option<(SystemTime, u64)>; 2];

struct CachedSources {
    stamps: FileStamps,
    sources: Arc<Sources>,
}

/// Where names come from, in this order.
struct Sources {
    hosts: Hosts,
    name_servers: TokioResolver,
}

impl Sources {
    /// The addresses in the table of hosts. One of either family is enough: the name servers are not asked for the other.
    fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        let entries = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)));
        entries
            .flat_map(|entry| {
                entry.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
            })
            .collect()
    }
}

impl SystemResolver {
    /// Nothing is read before the first look-up. `port` is that of the name servers.
    pub fn new(resolv_conf: impl Into<PathBuf>, hosts: impl Into<PathBuf>, port: u16) -> Self {
        Self { resolv_conf: resolv_conf.into(), hosts: hosts.into(), port, current: Mutex::new(None) }
    }

    pub(super) async fn resolve(&self, name: &str, lookup: Lookup) -> Result<Vec<IpAddr>, ResolveError> {
        let mut query = Name::from_ascii(name).map_err(|_| ResolveError::NotFound)?;
        query.set_fqdn(lookup == Lookup::Absolute);
        let sources = self.current().map_err(|error| {
            tracing::error!(%error, "the name servers could not be set up");
            ResolveError::Unavailable
        })?;
        let in_hosts = sources.in_hosts(&query);
        if !in_hosts.is_empty() {
            return Ok(in_hosts);
        }
        match sources.name_servers.lookup_ip(query).await {
            Ok(answers) => Ok(routable_first(answers.iter().collect())),
            Err(error) => {
                tracing::debug!(name, %error, "a name was not resolved");
                Err(if is_negative(&error) { ResolveError::NotFound } else { ResolveError::Unavailable })
            }
        }
    }

    /// What the files say now.
    fn current(&self) -> Result<Arc<Sources>, NetError> {
        let stamps = [&self.resolv_conf, &self.hosts].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        });
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = current.as_ref().filter(|loaded| loaded.stamps == stamps) {
            return Ok(Arc::clone(&loaded.sources));
        }
        let sources = Arc::new(Sources { hosts: self.read_hosts()?, name_servers: self.name_servers()? });
        *current = Some(CachedSources { stamps, sources: Arc::clone(&sources) });
        Ok(sources)
    }

    fn name_servers(&self) -> Result<TokioResolver, NetError> {
        let settings = fs::read(&self.resolv_conf).map_err(NetError::from).and_then(parse_resolv_conf);
        let (mut config, mut options) = settings.unwrap_or_else(|error| {
            // As the C library does: without a usable file the machine itself is asked.
            tracing::debug!(%error, path = %self.resolv_conf.display(), "no usable name server settings");
            let name_server = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            (ResolverConfig::from_parts(None, Vec::new(), vec![name_server]), ResolverOpts::default())
        });
        for connection in config.name_servers.iter_mut().flat_map(|server| &mut server.connections) {
            connection.port = self.port;
        }
        options.timeout = options.timeout.min(MAX_QUERY_TIME);
        options.max_active_requests = MAX_TCP_QUERIES;
        // Each dial resolves again: the judged address is the one that is connected to.
        options.cache_size = 0;
        // The table of hosts is asked before.
        options.use_hosts_file = ResolveHosts::Never;
        // A tenant's dead names must not decide which name server is asked first.
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build()
    }

    fn read_hosts(&self) -> io::Result<Hosts> {
        let mut hosts = Hosts::default();
        if let Ok(file) = File::open(&self.hosts) {
            hosts.read_hosts_conf(file)?;
        }
        Ok(hosts)
    }
}

/// Whether the name servers say that there is no such name, or that it has no address.
fn is_negative(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError)
        }
        _ => false,
    }
}

/// Addresses of a family that this machine has no route for come last (RFC 6724 section 5, rule 1); otherwise IPv6
/// comes before IPv4, and the order stays.
fn routable_first(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_by_cached_key(|address| (!has_route(*address), address.is_ipv4()));
    addresses
}

/// The kernel chooses a route when a UDP socket is connected; nothing is sent.
fn has_route(address: IpAddr) -> bool {
    let any =
        SocketAddr::new(if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { UNSPECIFIED_V6 }, 0);
    UdpSocket::bind(any).and_then(|socket| socket.connect((address, DNS_PORT))).is_ok()
}

const UNSPECIFIED_V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
