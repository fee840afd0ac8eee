//! Stops an account, and says when it is due again.

use std::time::Duration;

use uuid::Uuid;

use super::Handed;
use super::record::last_of_failure;
use crate::clock::Timestamp;
use crate::delivery::runner::{FailedOpening, Run};
use crate::outgoing::breaker::Stop;
use crate::store::delivery_accounts::{self, NextDue};
use crate::store::{Write, email_configs};

/// The account could not be opened for this mail, of which nothing has begun.
pub(super) async fn close(run: &Run<'_>, opening: FailedOpening, id: Uuid) -> Handed {
    let FailedOpening { failed, version } = opening;
    let Some(stop) = run.count_failure(&failed, version.as_deref()) else {
        run.write_throttling().await;
        return Handed::Closed(NextDue::At(run.delivery().clock.now().after(Duration::from_secs(30))));
    };
    let last = last_of_failure(&failed, run.delivery().clock.now());
    run.delivery().metrics().record_handover("held", &stop.code, run.provider);
    if let Err(error) = run.hold_one(id, &last).await {
        tracing::warn!(%error, "an email could not be held");
    }
    stopped(run, &stop).await
}

/// The account has had all recipients of the day: it stops until then. When it is due again.
pub(in crate::delivery) async fn close_for_today(run: &Run<'_>, until: Timestamp) -> NextDue {
    let config = email_configs::find(&run.delivery().db, &run.tenant).await.ok().flatten();
    let stop = run.stop_for_today(config.map(|config| config.version.config), until);
    stopped_until(run, &stop).await
}

/// Writes that the account has stopped, and holds what is due.
pub(super) async fn stopped(run: &Run<'_>, stop: &Stop) -> Handed {
    Handed::Closed(stopped_until(run, stop).await)
}

/// The same: when the account is due again.
async fn stopped_until(run: &Run<'_>, stop: &Stop) -> NextDue {
    write_state(run).await;
    tracing::info!(
        tenant = run.tenant.as_str(),
        code = stop.code,
        failures = stop.failures,
        "an account has stopped sending"
    );
    if let Err(error) = run.hold_all().await {
        tracing::warn!(%error, "the mail of an account that has stopped could not be held");
    }
    let delivery = run.delivery();
    let config = email_configs::find(&delivery.db, &run.tenant).await.ok().flatten();
    let version = config.map(|config| config.version.config);
    if version.is_some() && version != run.account().failed_version {
        // It was changed while the old one failed.
        return NextDue::At(delivery.clock.now());
    }
    NextDue::of_closed(stop.probe_at)
}

pub(super) async fn write_state(run: &Run<'_>) {
    let delivery = run.delivery();
    let state = delivery_accounts::set_state(&run.account(), delivery.clock.now());
    if let Err(error) = delivery.db.write(Write::default().then_all(state)).await {
        tracing::warn!(%error, "the state of an account could not be written");
    }
}
