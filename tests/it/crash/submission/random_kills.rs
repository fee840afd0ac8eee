//! Kills at random moments while programs send by the SMTP gateway and send again what had no answer: each mail that had its
//! 250 is there, and there is one of each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::{
    FROM, MESSAGE, Site, SmtpClient, TO, Tenant, delivery, gateway_of, id, key, start, with_gateway,
};
use crate::delivery::status;
use crate::support::figures::{progress, rounds, tell};
use crate::support::process::Process;
use crate::support::random::Random;

const CLIENTS: usize = 3;
const MAILS_OF_A_ROUND: usize = 4;

/// What one program sends, by number, and the ids that it was told.
type Mails = BTreeMap<usize, Option<String>>;

/// Sends what has no answer yet in one session, until that fails.
async fn send_all(process: &Process, key: &str, client: usize, mails: &mut Mails) {
    let (session, greeting) = SmtpClient::connect(gateway_of(process)).await;
    assert!(greeting.starts_with("220 "), "{greeting}");
    let mut session = session.start_tls().await;
    assert_eq!(session.sign_in("acme", key).await, "235 2.7.0 Signed in");
    for (number, told) in mails.iter_mut().filter(|(_, told)| told.is_none()) {
        let message = MESSAGE.replace("<1@", &format!("<{client}.{number}@"));
        let reply = session.send(FROM, &TO, message.as_bytes()).await;
        if !reply.starts_with("250 ") {
            assert!(reply.is_empty() || reply.starts_with('4'), "{reply}");
            return;
        }
        *told = Some(id(&reply));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_no_mail_that_had_its_250() {
    let kills = rounds("TEST_SUBMISSION_KILLS", 3);
    let mut random = Random::announced();
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::new().await;
    let settings = with_gateway(&site.settings, &folder);
    let key = key(&site.database).await;
    let mut process = start(&settings).await;
    let tenant = Tenant::create(&process, "acme").await;
    let mut programs: Vec<Mails> = vec![Mails::new(); CLIENTS];
    let mut cut_off = 0;
    for kill in 0..kills {
        progress("kills", kill, kills);
        for mails in &mut programs {
            mails.extend((0..MAILS_OF_A_ROUND).map(|number| (kill * MAILS_OF_A_ROUND + number, None)));
        }
        let life = Duration::from_millis(random.below(1_500) as u64);
        let all = programs.iter_mut().enumerate();
        let all = all.map(|(client, mails)| send_all(&process, &key, client, mails));
        // The kill comes in the middle of whatever is under way.
        let _ = tokio::time::timeout(life, join_all(all)).await;
        process.kill();
        cut_off += usize::from(programs.iter().flat_map(BTreeMap::values).any(Option::is_none));
        process = start(&settings).await;
    }
    for (client, mails) in programs.iter_mut().enumerate() {
        send_all(&process, &key, client, mails).await;
    }
    let (mut mails, mut lost) = (0, 0);
    for told in programs.iter().flat_map(BTreeMap::values) {
        let told = told.as_ref().expect("every mail is taken in the end");
        let email = delivery::settled(&tenant.admin(&process), told).await;
        mails += 1;
        lost += usize::from(!["accepted", "unknown"].contains(&status(&email)));
    }
    tell(&format!("{kills} kills, {cut_off} of them while mail was being sent, {mails} mails: {lost} lost"));
    assert_eq!((mails, lost), (CLIENTS * kills * MAILS_OF_A_ROUND, 0));
    assert_eq!(site.database.count("emails").await, mails, "one of each");
}
