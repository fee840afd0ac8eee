//! The SMTP session against a scripted server, and the SMTP server against hostile clients.

mod hostile;
mod odd_servers;
mod server;
mod session;
mod tls;
