//! Shows emails and their events.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use super::content::KeysOfRequest;
use super::given_text::GivenText;
use super::{Delivery, Details, Error};
use crate::id::TenantId;
use crate::outgoing::account_settings::AccountSettings;
use crate::outgoing::breaker::{AccountState, Stop};
use crate::outgoing::pace::Pace;
use crate::outgoing::{Email, Recipient};
use crate::store::email_events::{self, Feed, StoredEvent};
use crate::store::emails;
use crate::store::emails::{Filter, Page, StoredEmail};
use crate::store::{content_keys, delivery_accounts};

/// Events whose emails are read in one statement: an email can have a hundred recipients, and details of many kilobytes.
const EVENTS_AT_ONCE: usize = 25;

/// An email with what it says about itself; none of that once it was erased.
#[derive(Clone, Debug)]
pub struct EmailView {
    pub email: Email,
    pub details: Option<Details>,
    /// None where it was not asked for, or is gone.
    pub content: Option<Content>,
    /// Why the account does not send for which recipients are held, where a failure has stopped it.
    pub stop: Option<Stop>,
}

/// What an email says.
#[derive(Clone, Debug, Default)]
pub struct Content {
    pub text: Option<String>,
    pub html: Option<String>,
}

/// The account as a sender.
#[derive(Clone, Debug)]
pub struct AccountView {
    pub is_configured: bool,
    /// None where it has never sent anything.
    pub state: Option<AccountState>,
    /// What the tenant has set.
    pub settings: AccountSettings,
    /// How fast it sends, with these settings.
    pub pace: Pace,
    /// Emails that wait, and their size in octets.
    pub waiting: i64,
    pub octets: i64,
}

impl Delivery {
    /// One email with its content.
    pub async fn find(&self, tenant: &TenantId, id: Uuid) -> Result<EmailView, Error> {
        let stored = emails::find(&self.db, tenant, id).await?.ok_or(Error::NotFound)?;
        let key_day = stored.key_day;
        let mut view = self.view_with_stop(&mut KeysOfRequest::default(), tenant, stored).await?;
        let parts = emails::body(&self.db, tenant, id).await?;
        if view.email.has_content && !parts.is_empty() {
            let message = self.open_message(tenant, id, key_day, &parts).await?;
            view.content = Some(content(&message, view.details.as_ref()));
        }
        Ok(view)
    }

    /// One email without its content.
    pub async fn find_without_content(&self, tenant: &TenantId, id: Uuid) -> Result<EmailView, Error> {
        self.find_if_there(tenant, id).await?.ok_or(Error::NotFound)
    }

    /// The same, where there is one.
    pub async fn find_if_there(&self, tenant: &TenantId, id: Uuid) -> Result<Option<EmailView>, Error> {
        match emails::find(&self.db, tenant, id).await? {
            Some(stored) => {
                self.view_with_stop(&mut KeysOfRequest::default(), tenant, stored).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// One page of emails, the newest first, and whether more follow.
    pub async fn list(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        page: Page,
        limit: usize,
    ) -> Result<(Vec<EmailView>, bool), Error> {
        let (ids, has_more) = match &filter.tag {
            Some(tag) => self.list_tagged(tenant, filter, tag, page, limit).await?,
            None => emails::list(&self.db, tenant, filter, page, limit).await?,
        };
        let mut keys = KeysOfRequest::default();
        let mut views = Vec::with_capacity(ids.len());
        for id in ids {
            // It may have been removed in between.
            if let Some(stored) = emails::find(&self.db, tenant, id).await? {
                views.push(self.view_with_stop(&mut keys, tenant, stored).await?);
            }
        }
        Ok((views, has_more))
    }

    /// A tag has another hash each day: the days are gone through one by one, as far as the page needs them.
    async fn list_tagged(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        tag: &(String, String),
        page: Page,
        limit: usize,
    ) -> Result<(Vec<Uuid>, bool), Error> {
        let is_upwards = matches!(page, Page::Before(_));
        let mut days = content_keys::days(&self.db, tenant).await?;
        if !is_upwards {
            days.reverse();
        }
        let (mut ids, mut is_full) = (Vec::new(), false);
        for day in days {
            let hash = self.hash_tag(tenant, day, tag).await?;
            ids.extend(emails::list_tagged(&self.db, tenant, filter, page, limit, &hash).await?);
            // One day more: about midnight an email may have the key of the day before.
            if is_full {
                break;
            }
            is_full = ids.len() > limit;
        }
        ids.sort();
        if !is_upwards {
            ids.reverse();
        }
        let has_more = ids.len() > limit;
        ids.truncate(limit);
        if is_upwards {
            ids.reverse();
        }
        Ok((ids, has_more))
    }

    /// The emails that a page of events names, without their content; those that are gone are left out.
    pub async fn emails_of_events(&self, events: &[StoredEvent]) -> Result<BTreeMap<Uuid, EmailView>, Error> {
        let (mut keys, mut views) = (KeysOfRequest::default(), BTreeMap::new());
        for chunk in events.chunks(EVENTS_AT_ONCE) {
            let mut ranges: BTreeMap<&str, (&TenantId, i64, i64)> = BTreeMap::new();
            for StoredEvent { tenant, seq, .. } in chunk.iter().filter(|event| event.email.is_some()) {
                ranges.entry(tenant.as_str()).or_insert((tenant, *seq, *seq)).2 = *seq;
            }
            for (tenant, first, last) in ranges.into_values() {
                for stored in emails::find_of_events(&self.db, tenant, first, last).await? {
                    views.insert(stored.email.id, self.view(&mut keys, tenant, stored).await?);
                }
            }
        }
        Ok(views)
    }

    async fn view(
        &self,
        keys: &mut KeysOfRequest,
        tenant: &TenantId,
        stored: StoredEmail,
    ) -> Result<EmailView, Error> {
        let StoredEmail { email, sealed_details, key_day } = stored;
        let details = match sealed_details {
            Some(sealed) => {
                let opened = self.open_details_of_many(keys, tenant, email.id, key_day, &sealed).await?;
                Some(serde_json::from_slice(&opened).map_err(|error| Error::Internal(error.into()))?)
            }
            None => None,
        };
        Ok(EmailView { email, details, content: None, stop: None })
    }

    async fn view_with_stop(
        &self,
        keys: &mut KeysOfRequest,
        tenant: &TenantId,
        stored: StoredEmail,
    ) -> Result<EmailView, Error> {
        let mut view = self.view(keys, tenant, stored).await?;
        if view.email.recipients.iter().any(Recipient::is_held_for_account) {
            let account = delivery_accounts::find(&self.db, tenant).await?;
            view.stop = account.and_then(|account| match account.state {
                AccountState::Stopped(stop) => Some(stop),
                AccountState::Open | AccountState::Paused(_) => None,
            });
        }
        Ok(view)
    }

    /// The events of one email, the oldest first.
    pub async fn events_of(&self, tenant: &TenantId, id: Uuid) -> Result<Vec<StoredEvent>, Error> {
        emails::find(&self.db, tenant, id).await?.ok_or(Error::NotFound)?;
        Ok(email_events::of_email(&self.db, tenant, id).await?)
    }

    /// The events behind a cursor. Where there are none, waits for the next one.
    pub async fn events_after(
        &self,
        feed: &Feed,
        cursor: i64,
        limit: i64,
        wait: Duration,
    ) -> Result<Vec<StoredEvent>, Error> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut seen = self.watch();
        loop {
            let events = email_events::after(&self.db, feed, cursor, limit).await?;
            if !events.is_empty() || self.is_wait_over(deadline) {
                return Ok(events);
            }
            self.changed_before(deadline, &mut seen).await;
        }
    }

    /// Waits until nothing of the email is under way or due, at most so long.
    pub async fn wait_until_settled(
        &self,
        tenant: &TenantId,
        id: Uuid,
        wait: Duration,
    ) -> Result<(EmailView, bool), Error> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut seen = self.watch();
        loop {
            let stored = emails::find(&self.db, tenant, id).await?.ok_or(Error::NotFound)?;
            let is_settled = stored.email.due_at().is_none();
            if is_settled || self.is_wait_over(deadline) {
                let view = self.view_with_stop(&mut KeysOfRequest::default(), tenant, stored).await?;
                return Ok((view, is_settled));
            }
            self.changed_before(deadline, &mut seen).await;
        }
    }

    /// Whether a waiting request has to be answered now: its time is over, or the process is stopping.
    fn is_wait_over(&self, deadline: tokio::time::Instant) -> bool {
        self.stopping.is_cancelled() || tokio::time::Instant::now() >= deadline
    }

    async fn changed_before(&self, deadline: tokio::time::Instant, seen: &mut watch::Receiver<u64>) {
        tokio::select! {
            _ = tokio::time::timeout_at(deadline, self.changed(seen)) => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

/// What the message says, as it was given.
fn content(message: &[u8], details: Option<&Details>) -> Content {
    let Some(message) = mail_parser::MessageParser::default().parse(message) else {
        return Content::default();
    };
    let part = |parts: &[u32], is_wanted: fn(&mail_parser::PartType<'_>) -> bool| {
        let ids = parts.iter().filter_map(|id| message.parts.get(*id as usize));
        ids.filter(|part| is_wanted(&part.body)).find_map(|part| part.text_contents()).map(str::to_owned)
    };
    let restore = |given: Option<&GivenText>, sent: Option<String>| {
        sent.map(|sent| given.map_or_else(|| sent.clone(), |given| given.restore(&sent)))
    };
    let text = part(&message.text_body, |body| matches!(body, mail_parser::PartType::Text(_)));
    let html = part(&message.html_body, |body| matches!(body, mail_parser::PartType::Html(_)));
    Content {
        text: restore(details.and_then(|details| details.text.as_ref()), text),
        html: restore(details.and_then(|details| details.html.as_ref()), html),
    }
}
