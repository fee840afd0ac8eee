//! The SMTP session, against a scripted server.

mod hostile;
mod odd_servers;
mod session;
mod tls;
