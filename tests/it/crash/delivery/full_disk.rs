//! A full disk: what cannot be stored is not taken, and nothing is sent while results cannot be written.

use std::time::Duration;

use tokio::sync::watch;

use super::{EMAILS, Site, Tenant, mail, script, settled, start, until};
use crate::delivery::status;
use crate::support::database::Engine;
use crate::support::gate::Gate;
use crate::support::smtp_server::{Act, At};

/// Security case K8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_no_mail_is_taken_and_none_is_sent_until_results_can_be_written() {
    if Engine::chosen() != Engine::Sqlite {
        return;
    }
    let site = Site::new().await;
    let Some((Gate::Sqlite(disk), settings)) = Gate::new(&site.database, &site.settings).await else {
        return;
    };
    let process = start(&settings).await;
    let (under_way, waiting) = (Tenant::create(&process, "one").await, Tenant::create(&process, "two").await);
    let (go, held) = watch::channel(false);
    let when_full = [Act::Wait(held), Act::Usual];
    under_way.server.play(script().on(At::Message, when_full.clone()));
    // Its connection is made, and its start comes when the disk is full.
    waiting.server.play(script().on(At::Auth, when_full));
    let first = under_way.enqueue(&process, &mail("retry_once")).await;
    let second = waiting.enqueue(&process, &mail("retry_once")).await;
    until("one is handed over", || under_way.server.mails().len() == 1).await;
    until("the other is about to be", || waiting.server.sign_ins().len() == 1).await;
    disk.trouble("write ENOSPC");
    go.send_replace(true);
    let refused = under_way.admin(&process).json("POST", EMAILS, &mail("retry_once")).await.expect(503);
    assert!(refused.header("retry-after").is_some());
    let unwritten = "the result of a delivery attempt cannot be written";
    until("the result is not written", || process.log().contains(unwritten)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.server.verbs().contains(&"MAIL".to_owned()), "nothing begins without its start on disk");
    assert_eq!(under_way.server.mails().len(), 1);
    disk.trouble("");
    assert_eq!(under_way.outcome(&process, &first).await, (1, "accepted".to_owned()));
    let email = settled(&waiting.admin(&process), &second).await;
    assert_eq!((waiting.copies(&email), status(&email)), (1, "accepted"));
    let next = under_way.enqueue(&process, &mail("retry_once")).await;
    assert_eq!(under_way.outcome(&process, &next).await, (1, "accepted".to_owned()), "it goes on after that");
    assert_eq!(site.database.count("emails").await, 3, "what was refused is not there");
}
