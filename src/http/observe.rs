//! Records every request (trace id, log line, metrics) and renders the body of a refusal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Once, OnceLock};

use axum::Json;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use tokio::time::Instant;
use tracing::Instrument;

use crate::app::App;
use crate::http::error::Error;
use crate::id::{TenantId, TraceId};
use crate::telemetry::spans;

/// What layers and extractors need to know about a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub trace_id: TraceId,
    /// The client's address: the peer's, or what a trusted proxy says.
    pub remote: IpAddr,
    tenant: Arc<OnceLock<TenantId>>,
}

impl RequestContext {
    /// # Panics
    /// Outside [`observe`], which surrounds every route.
    pub fn from_parts(parts: &Parts) -> Self {
        parts.extensions.get().cloned().expect("observe surrounds every route")
    }

    /// For the log line.
    pub fn set_tenant(&self, tenant: &TenantId) {
        // A request has one token, so a second call brings the same tenant.
        let _ = self.tenant.set(tenant.clone());
    }
}

/// Has `handle` answer the request, and adds the headers that every answer has.
pub async fn observe<F>(app: &App, mut request: Request, handle: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let started = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let matched = matched.as_ref().map(MatchedPath::as_str);
    let (trace, trace_id) = spans::request(&method, matched, request.headers());
    let trace_id = trace_id.unwrap_or_else(TraceId::random);
    let remote = remote_address(&request, &app.config.server.trusted_proxies);
    let context = RequestContext { trace_id, remote, tenant: Arc::default() };
    let route = matched.unwrap_or("(none)");
    request.extensions_mut().insert(context.clone());

    let span = trace.in_scope(|| tracing::info_span!("request", %trace_id));
    let answer = pin!(handle(request));
    let mut response = spans::in_trace(trace.clone(), answer.instrument(span.clone())).await;
    render_error(&mut response, trace_id);
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

    let status = response.status().as_u16();
    let took = started.elapsed();
    spans::end_request(&trace, status);
    app.metrics.record_request(route, method.as_str(), status, took);
    span.in_scope(|| {
        let tenant = context.tenant.get().map(TenantId::as_str);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(tenant, %method, route, status, duration_ms, "request");
    });
    response
}

/// Gives a refusal its body, which names the trace id.
fn render_error(response: &mut Response, trace_id: TraceId) {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        let rendered = Json(error.body(trace_id)).into_response();
        let (parts, body) = rendered.into_parts();
        *response.body_mut() = body;
        response.headers_mut().extend(parts.headers);
    }
}

/// The peer's address, or the nearest address in `X-Forwarded-For` that is no trusted proxy, where the peer is
/// one. No other client's header is believed.
fn remote_address(request: &Request, trusted: &[IpNet]) -> IpAddr {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip().to_canonical());
    forwarded_address(peer, request.headers(), trusted)
}

fn forwarded_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut nearest = peer;
    // Split before anything is decoded: a client may put any byte in front of what a proxy appends.
    let values: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    for hop in values.iter().flat_map(|value| value.split(|byte| *byte == b',')).rev() {
        let Some(address) = hop_address(hop) else {
            if nearest == peer {
                warn_of_unreadable_hop(peer, hop);
            }
            break;
        };
        nearest = address.to_canonical();
        if !is_trusted(&nearest) {
            break;
        }
    }
    nearest
}

/// An address, as some proxies write it with a port: `192.0.2.7:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Without this warning all clients of the proxy would count as one address, unnoticed.
fn warn_of_unreadable_hop(peer: IpAddr, hop: &[u8]) {
    static WARNED: Once = Once::new();
    if !hop.trim_ascii().is_empty() {
        WARNED.call_once(|| {
            let entry = String::from_utf8_lossy(hop);
            tracing::warn!(%peer, ?entry, "the X-Forwarded-For of a trusted proxy does not end with an address");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Security cases H4, M15.
    #[test]
    fn only_a_trusted_proxy_is_believed_about_an_address() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let cases = [
            ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("10.0.0.1", "[2001:db8::1]:99, 10.0.0.2:80", "2001:db8::1"),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().expect("a header"));
            assert_eq!(
                forwarded_address(address(peer), &headers, &trusted),
                address(expected),
                "{peer} says {forwarded:?}"
            );
        }
    }

    /// Security case M15.
    #[test]
    fn what_a_client_puts_in_front_hides_nothing_that_a_proxy_appends() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        for forwarded in [&b"\xff, 203.0.113.9"[..], b"\xc3\x28,203.0.113.9:1", b"a\tb,\xfe\xff, 203.0.113.9"]
        {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_bytes(forwarded).expect("a header"));
            assert_eq!(
                forwarded_address(address("10.0.0.1"), &headers, &trusted),
                address("203.0.113.9"),
                "{forwarded:?}"
            );
        }
    }
}
