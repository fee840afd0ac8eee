//! Failures as servers cause them, and what is made of them.

mod corpus;
mod encryption;
mod language;
mod microsoft365;
mod properties;
mod replies;
mod rows;
mod texts;

use super::{Facts, Failure};
use crate::mail::transcript::Stage;
use crate::smtp::{EnhancedCode, Error, ErrorKind, Reply, Security};

fn facts(host: &str) -> Facts {
    Facts {
        host: host.to_owned(),
        port: 587,
        security: Some(Security::StartTls),
        username: Some("anna@example.com".to_owned()),
        sender: Some("news@example.com".to_owned()),
        recipient: Some("bob@example.org".to_owned()),
        ehlo_name: Some("relay.example.net".to_owned()),
        client_id: Some("11111111-2222-3333-4444-555555555555".to_owned()),
        provider_tenant: Some("contoso.example".to_owned()),
        mail_send_role: None,
        message_size: None,
        unusual_password: false,
        timeout_seconds: 8,
        allowed_ports: vec![25, 465, 587, 2525],
    }
}

/// A failure without a reply.
fn failed(stage: Stage, kind: ErrorKind) -> Failure {
    Failure::Smtp(Error { stage, kind, command: None, reply: None, capabilities: None })
}

/// A refusal by one line as it came, `535 5.7.8 No`: split as the session's parser does.
fn refused(stage: Stage, line: &str) -> Failure {
    refused_as(stage, ErrorKind::Refused, line)
}

fn refused_as(stage: Stage, kind: ErrorKind, line: &str) -> Failure {
    let (code, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (enhanced, text) = match rest.split_once(' ') {
        Some((word, text)) if enhanced(word).is_some() => (enhanced(word), text),
        _ => (None, rest),
    };
    let reply = Reply { code: code.parse().unwrap(), enhanced, lines: vec![text.to_owned()] };
    Failure::Smtp(Error { stage, kind, command: None, reply: Some(Box::new(reply)), capabilities: None })
}

fn enhanced(word: &str) -> Option<EnhancedCode> {
    let mut numbers = word.split('.');
    let code = EnhancedCode(
        numbers.next()?.parse().ok()?,
        numbers.next()?.parse().ok()?,
        numbers.next()?.parse().ok()?,
    );
    numbers.next().is_none().then_some(code)
}
