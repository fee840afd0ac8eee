//! The message of a client: by DATA, or by BDAT in chunks.

use std::time::Instant;

use super::super::Mail;
use super::super::script::At;
use super::{Conversation, End};

impl Conversation<'_> {
    pub(super) async fn data(&mut self) -> Result<(), End> {
        let usual = if self.mail.to.is_empty() {
            "554 5.5.1 no valid recipients\r\n"
        } else {
            "354 end with a dot\r\n"
        };
        self.act(&At::Data, usual).await?;
        if self.code != 354 {
            return Ok(());
        }
        if self.buffer.is_empty() {
            self.seen.lock().unwrap().flights += 1;
        }
        let mut searched = 0;
        let end = loop {
            if self.buffer.starts_with(b".\r\n") {
                break 0;
            }
            if let Some(end) = self.buffer[searched..].windows(5).position(|window| window == b"\r\n.\r\n") {
                break searched + end + 2;
            }
            searched = self.buffer.len().saturating_sub(4);
            self.fill().await?;
        };
        if self.script.at(&At::Dot).is_some() {
            self.seen.lock().unwrap().lost_dots += 1;
            return self.act(&At::Dot, "").await;
        }
        let rest = self.buffer.split_off(end + 3);
        let mut wire = std::mem::replace(&mut self.buffer, rest);
        wire.truncate(end);
        let mail = Mail { wire, ..std::mem::take(&mut self.mail) };
        self.seen.lock().unwrap().mails.push((Instant::now(), mail));
        self.act(&At::Message, "250 2.0.0 queued as 4711\r\n").await
    }

    pub(super) async fn bdat(&mut self, argument: &str) -> Result<(), End> {
        let mut words = argument.split(' ');
        let octets = words.next().and_then(|octets| octets.parse().ok()).unwrap_or(0);
        let is_last = words.next() == Some("LAST");
        if self.script.at(&At::Bdat).is_some() {
            self.act(&At::Bdat, "").await?;
            if self.code != 0 {
                return Ok(());
            }
        }
        while self.buffer.len() < octets {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(octets);
        let chunk = std::mem::replace(&mut self.buffer, rest);
        if self.mail.to.is_empty() || !self.has_sender {
            return self.act(&At::BdatInVain, "503 5.5.1 no valid recipients\r\n").await;
        }
        self.mail.wire.extend_from_slice(&chunk);
        self.mail.chunks.push(octets);
        if !is_last {
            return self.act(&At::Chunk, "250 2.0.0 go on\r\n").await;
        }
        let mail = std::mem::take(&mut self.mail);
        self.seen.lock().unwrap().mails.push((Instant::now(), mail));
        self.act(&At::Message, "250 2.0.0 queued as 4711\r\n").await
    }
}
