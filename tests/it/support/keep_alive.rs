//! A client that keeps its connection, and makes a new one where the old one was closed: as any HTTP client does, it
//! repeats a request that got no answer only where that does no harm (RFC 9110 section 9.2.2).

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A service that closes so many connections in a row without an answer has failed.
const ATTEMPTS: usize = 4;

pub struct KeepAlive {
    address: SocketAddr,
    token: String,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Connections that ended while an answer was waited for.
    pub broken: usize,
}

impl KeepAlive {
    pub fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token, connection: None, broken: 0 }
    }

    /// GET, which may be repeated. The status with the body; an error where none came after all.
    pub async fn get(&mut self, path: &str) -> Result<(u16, Bytes), String> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.attempt(path).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    // An answer that has begun is not asked for again.
                    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
                    return Ok((status, body.to_bytes()));
                }
                Err(error) => {
                    self.connection = None;
                    self.broken += 1;
                    last = error;
                }
            }
        }
        Err(last)
    }

    async fn attempt(&mut self, path: &str) -> Result<hyper::Response<hyper::body::Incoming>, String> {
        let told = |error: hyper::Error| format!("{error:?}");
        // One that was closed while nothing was asked is no failure.
        if let Some(connection) = &mut self.connection
            && connection.ready().await.is_err()
        {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(self.address).await?),
        };
        let request = hyper::Request::builder()
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::default())
            .expect("a request");
        connection.send_request(request).await.map_err(told)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (connection, driver) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(driver);
    Ok(connection)
}
