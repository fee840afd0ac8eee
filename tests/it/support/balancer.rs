//! A plain TCP balancer: each connection goes to the next backend in turn, and to the one behind it where it is
//! refused. It knows nothing of HTTP and of health.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

pub struct Balancer {
    pub address: SocketAddr,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    pub async fn over(backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let backends = Arc::new(Mutex::new(backends));
        let known = Arc::clone(&backends);
        tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((client, _)) = listener.accept().await {
                let mut backends = known.lock().expect("not poisoned").clone();
                let first = turn % backends.len();
                backends.rotate_left(first);
                turn += 1;
                tokio::spawn(carry(client, backends));
            }
        });
        Self { address, backends }
    }

    /// A backend has started again, and listens elsewhere.
    pub fn replace(&self, index: usize, address: SocketAddr) {
        self.backends.lock().expect("not poisoned")[index] = address;
    }
}

#[expect(clippy::disallowed_methods, reason = "the balancer stands outside of the service")]
async fn carry(mut client: TcpStream, backends: Vec<SocketAddr>) {
    for backend in backends {
        if let Ok(mut server) = TcpStream::connect(backend).await {
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            // A connection that breaks on one side is closed on the other.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
