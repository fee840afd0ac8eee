//! A mail that ends its process each time it is handed over is not tried for ever, and holds up no other.

use super::{Site, Tenant, mail, script, until};
use crate::support::smtp_server::{Act, At};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_ends_its_process_twice_is_not_tried_by_itself_again() {
    let site = Site::new().await;
    let mut process = site.start().await;
    let tenant = Tenant::create(&process, "acme").await;
    let poison = {
        tenant.server.play(script().on(At::Message, Act::Silence));
        tenant.enqueue(&process, &mail("retry_once")).await
    };
    for attempt in 1..=2 {
        until("it is handed over", || tenant.server.mails().len() == attempt).await;
        process.kill();
        process = site.start().await;
    }
    tenant.server.play(script());
    assert_eq!(tenant.outcome(&process, &poison).await, (2, "unknown".to_owned()));
    let next = tenant.enqueue(&process, &mail("retry_once")).await;
    assert_eq!(tenant.outcome(&process, &next).await, (1, "accepted".to_owned()));
    assert_eq!(tenant.outcome(&process, &poison).await, (2, "unknown".to_owned()), "a person decides");
}
