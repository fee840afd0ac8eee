//! The certificate, and the end of the service.

use super::{FROM, MESSAGE, Site, TO, id};
use crate::support::certificates;
use crate::support::smtp_client::SmtpClient;

#[tokio::test]
async fn a_certificate_is_read_again_when_its_files_change() {
    let site = Site::waiting().await;
    let shown = async || SmtpClient::connect_tls(site.door.implicit_tls).await.0.certificate;
    let first = shown().await;
    let kept = SmtpClient::connect(site.door.start_tls).await.0.start_tls().await;
    assert_eq!(kept.certificate, first);

    std::fs::write(site.door.folder.path().join("certificate.pem"), "half of a").expect("a folder");
    site.door.certificate.reload_if_changed().await;
    assert_eq!(shown().await, first, "what cannot be used changes nothing");

    let renewed = certificates::valid_for(&["localhost"]);
    renewed.write_to(site.door.folder.path());
    site.door.certificate.reload_if_changed().await;
    assert_eq!(shown().await, Some(renewed.chain[0].clone()));
    let mut kept = kept;
    assert!(kept.command("NOOP").await.starts_with("250"), "an open connection goes on");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates::server().write_to(folder.path());
    let other = tempfile::tempdir().expect("a folder");
    let (certificate_file, _) = certificates::valid_for(&["localhost"]).write_to(other.path());
    let mut settings = transports::config::Config::default().submission;
    settings.listen_tls = Some(([127, 0, 0, 1], 0).into());
    settings.certificate_file = Some(certificate_file);
    settings.key_file = Some(folder.path().join("key.pem"));
    let refused =
        transports::submission::Certificate::configured(&settings).expect_err("they do not belong together");
    assert!(format!("{refused:#}").starts_with("submission.key_file: is not the key"), "{refused:#}");
    settings.key_file = Some(folder.path().join("missing.pem"));
    let refused = transports::submission::Certificate::configured(&settings).expect_err("there is no file");
    assert!(format!("{refused:#}").contains("missing.pem"), "{refused:#}");
}

#[tokio::test]
async fn a_message_under_way_is_finished_when_the_service_stops() {
    let mut site = Site::waiting().await;
    let mut idle = site.client().await;
    let mut client = site.client().await;
    client.envelope(FROM, &[TO]).await;
    assert!(client.command("DATA").await.starts_with("354"));
    let (half, rest) = MESSAGE.split_at(40);
    client.write(half.as_bytes()).await;
    let finish = async {
        assert!(idle.reply().await.starts_with("421 "), "an idle connection is told");
        client.write(rest.as_bytes()).await;
        client.write(b".\r\n").await;
        client.reply().await
    };
    let (reply, ()) = tokio::join!(finish, site.door.stop());
    id(&reply);
    assert_eq!(site.count().await, 1);
}
