//! Bytes to the service as a test says, and what comes back until it closes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Beyond any slowness of a machine: a test that gets here has failed.
const HOPELESS: Duration = Duration::from_mins(1);

#[expect(clippy::disallowed_methods, reason = "a test connects to the service under test")]
pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("the service listens")
}

/// Everything that the service sends until it closes. It has to close by itself.
pub async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let reading = stream.read_to_end(&mut bytes);
    assert!(tokio::time::timeout(HOPELESS, reading).await.is_ok(), "the service never closed the connection");
    bytes
}

/// Sends bytes on a connection of its own, and gives what comes until the service closes it.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address).await;
    // The service may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

/// The statuses of all answers. No body of ours holds what a status line begins with.
pub fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split("HTTP/1.").skip(1);
    lines.map(|rest| rest.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status")).collect()
}

/// A number of the test's size: small by default, and more in the soak runs.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
pub fn size(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}
