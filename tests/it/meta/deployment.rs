//! The files of `deploy/` against what the service really has: the metrics and their labels, the settings and their
//! defaults. What the tools of others say of them is in `tests/peers/deployment.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transports::config::{Config, check_for_serving};
use transports::telemetry::metrics::KeyOperation;

use crate::delivery::EMAILS;
use crate::support::app::TestApp;
use crate::support::client::CONFIG;
use crate::support::eventually::eventually;
use crate::support::smtp_server::{Script, SmtpServer, USER, good_password};

/// The names of labels, and the values of each.
type Labels = BTreeMap<String, BTreeSet<String>>;

fn read(file: &str) -> String {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every metric with its labels, of a service that has done everything that is counted.
async fn metrics() -> BTreeMap<String, Labels> {
    let service = TestApp::with(|config| {
        config.rate_limit.unauthenticated_per_minute = 1;
        config.delivery.enabled = true;
    })
    .await;
    let server = SmtpServer::start(Script::starttls()).await;
    let admin = service.admin("acme");
    let account = serde_json::json!({
        "serverAddress": "127.0.0.1", "serverPort": server.port(), "securityType": "StartTLS", "username": USER,
        "emailPassword": good_password(), "emailAddress": "ada@example.com",
    });
    admin.patch(&account).await.expect(204);
    admin.get(CONFIG).await.expect(200);
    admin.verify().await;
    admin.get("/health/ready").await.expect(200);
    let email = serde_json::json!({"to": "bob@example.net", "subject": "Invoice 8841", "text": "Thank you."});
    let email = admin.json("POST", EMAILS, &email).await.expect(202).json();
    let path = format!("{EMAILS}/{}", email["id"].as_str().expect("an id"));
    eventually("it is accepted", async || admin.get(&path).await.json()["status"] == "accepted").await;
    for status in [401, 429] {
        service.anybody().get(CONFIG).await.expect(status);
    }
    // What takes a Vault, a file of keys, a collector or a client of SMTP is counted as these would count it.
    let counted = &service.app.metrics;
    for outcome in ["taken", "repeated", "deferred", "refused"] {
        counted.record_submission(outcome);
    }
    counted.record_refused_submission_sign_in("WRONG_KEY");
    for outcome in ["ok", "failed"] {
        counted.record_key_reload(outcome);
    }
    counted.record_key_service_call(KeyOperation::Unwrap, "unavailable");
    for outcome in ["exported", "failed", "dropped"] {
        counted.record_trace_spans(outcome, 1);
    }
    let page = service.anybody().get("/metrics").await.expect(200);
    let page = String::from_utf8(page.body.to_vec()).expect("text");
    let mut metrics: BTreeMap<String, Labels> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let labels = metrics.entry(name.to_owned()).or_default();
        let inside =
            line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
        for (name, _, value) in matchers(inside) {
            labels.entry(name).or_default().insert(value);
        }
    }
    metrics
}

/// `name="value"` and its likes, taken apart: name, operator, value.
type Matcher = (String, String, String);

fn matchers(mut text: &str) -> Vec<Matcher> {
    let mut found = Vec::new();
    while let Some((before, rest)) = text.split_once('"') {
        let (value, rest) = rest.split_once('"').expect("a closing quote");
        let named = before.trim_start_matches([',', ' ']);
        let operator = named.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim();
        let name = named.trim_end_matches(operator).trim();
        found.push((name.to_owned(), operator.to_owned(), value.to_owned()));
        text = rest;
    }
    found
}

/// What a query says of our metrics: each with its matchers.
fn uses(text: &str) -> Vec<(String, Vec<Matcher>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices("transports_").map(|(start, _)| start);
    let starts = starts.filter(|start| !text[..*start].ends_with(is_name));
    starts
        .map(|start| {
            let rest = &text[start..];
            let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
            let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            (name.to_owned(), inside.map(|(inside, _)| matchers(inside)).unwrap_or_default())
        })
        .collect()
}

/// The names in `by (…)`, in `{{ $labels.… }}` and in a legend's `{{…}}`.
fn named_labels(text: &str) -> BTreeSet<String> {
    let lists = text.split("by (").skip(1).filter_map(|rest| rest.split_once(')'));
    let lists = lists.flat_map(|(list, _)| list.split(',').map(str::trim));
    let templates =
        text.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(inside, _)| inside.trim());
    let templates = templates.filter(|inside| !inside.starts_with("$value"));
    lists.chain(templates.map(|inside| inside.trim_start_matches("$labels."))).map(str::to_owned).collect()
}

/// What Prometheus itself adds to every sample.
const ADDED: [&str; 2] = ["job", "instance"];

fn assert_known(metrics: &BTreeMap<String, Labels>, text: &str) {
    for (name, matchers) in uses(text) {
        let labels = metrics.get(&name).unwrap_or_else(|| panic!("{name} is not at /metrics: {text}"));
        for (label, operator, value) in matchers {
            if ADDED.contains(&label.as_str()) {
                continue;
            }
            let values = labels.get(&label).unwrap_or_else(|| panic!("{name} has no label {label}: {text}"));
            match operator.as_str() {
                "=" if label == "status" => assert!(value.parse::<u16>().is_ok(), "{value} is no status"),
                "=" | "!=" => assert!(values.contains(&value), "{name} has no {label}={value}: {values:?}"),
                "=~" | "!~" if label == "code" => {
                    let known = read("docs/diagnosis.md");
                    for code in value.split('|') {
                        assert!(known.contains(&format!("### {code}\n")), "{code} is no diagnosis");
                    }
                }
                "=~" | "!~" => {}
                other => panic!("{other} is no operator: {text}"),
            }
        }
    }
    let known: BTreeSet<&str> =
        metrics.values().flat_map(BTreeMap::keys).map(String::as_str).chain(ADDED).collect();
    for label in named_labels(text) {
        assert!(known.contains(label.as_str()), "no metric has the label {label}: {text}");
    }
}

/// Every text of a document under one of these names.
fn texts<'a>(document: &'a Value, names: &[&str], found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if names.contains(&name.as_str()) => found.push(text),
                    value => texts(value, names, found),
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| texts(entry, names, found)),
        _ => {}
    }
}

#[tokio::test]
async fn alerts_and_dashboard_use_existing_metrics() {
    let metrics = metrics().await;
    let rules = read("deploy/prometheus/rules.yml");
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    for alert in &alerts {
        assert_known(&metrics, alert);
        for part in ["expr: ", "severity: ", "summary: ", "action: "] {
            assert!(alert.contains(part), "{part} is missing: {alert}");
        }
    }
    assert!(alerts.iter().filter(|alert| !uses(alert).is_empty()).count() > 10);

    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).expect("JSON");
    let mut queries = Vec::new();
    texts(&dashboard, &["expr", "legendFormat", "query"], &mut queries);
    for query in &queries {
        assert_known(&metrics, query);
    }
    assert!(queries.iter().filter(|query| !uses(query).is_empty()).count() > 10);

    // What is at /metrics is described, too.
    let described = read("docs/monitoring.md");
    for name in metrics.keys() {
        let family =
            ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(described.contains(&format!("`{family}`")), "{family} is not in docs/monitoring.md");
    }
    for (name, _) in uses(&described) {
        assert!(metrics.contains_key(&name) || metrics.contains_key(&format!("{name}_bucket")), "{name}");
    }
}

#[test]
fn metric_queries_are_parsed() {
    let text = r#"sum by (a, b) (rate(transports_x_total{job="transports", status=~"5..", c!="d"}[5m])) {{ $labels.e }}"#;
    let matcher = |name: &str, operator: &str, value: &str| (name.into(), operator.into(), value.into());
    let matchers =
        vec![matcher("job", "=", "transports"), matcher("status", "=~", "5.."), matcher("c", "!=", "d")];
    assert_eq!(uses(text), [("transports_x_total".to_owned(), matchers)]);
    assert_eq!(named_labels(text), ["a", "b", "e"].map(str::to_owned).into());
}

/// The number behind a text that stands once in a file.
fn number(file: &str, before: &str) -> u64 {
    let text = read(file);
    assert_eq!(text.matches(before).count(), 1, "{before:?} stands once in {file}");
    let rest = text.split_once(before).expect("is there").1;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().unwrap_or_else(|_| panic!("{file}: a number behind {before:?}"))
}

#[test]
fn the_manifests_numbers_match_the_defaults() {
    let config = Config::default();
    let alert = number("deploy/prometheus/rules.yml", "> 0.8 * ");
    assert_eq!(alert, config.egress.max_connections as u64, "egress.max_connections");

    let files = config.server.max_connections + config.egress.max_connections + config.database.connections;
    assert!(number("deploy/systemd/transports.service", "\nLimitNOFILE=") > files as u64 + 1000);

    let end = config.server.shutdown_seconds;
    assert!(number("deploy/systemd/transports.service", "\nTimeoutStopSec=") > end + 10);
    let manifest = "deploy/kubernetes/deployment.yml";
    assert!(
        number(manifest, "terminationGracePeriodSeconds: ")
            > end + number(manifest, "sleep: {seconds: ") + 10
    );
    assert!(
        number("deploy/kubernetes/poddisruptionbudget.yml", "minAvailable: ")
            < number(manifest, "\n  replicas: ")
    );
}

#[test]
fn the_manifests_and_the_image_have_valid_settings() {
    let manifest = read("deploy/kubernetes/configmap.yml");
    let (_, settings) = manifest.split_once("transports.toml: |\n").expect("a file");
    let settings = settings.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let dockerfile = read("deploy/Dockerfile");
    let words = dockerfile.split_whitespace().filter(|word| word.starts_with("TRANSPORTS_"));
    let mut environment: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
    assert!(environment.len() >= 3, "{environment:?}");
    let deployment = read("deploy/kubernetes/deployment.yml");
    let names = deployment.lines().filter_map(|line| line.trim().strip_prefix("- name: TRANSPORTS_"));
    let names: Vec<String> = names.map(|name| format!("TRANSPORTS_{name}")).collect();
    assert_eq!(names, ["TRANSPORTS_DATABASE__URL"]);
    environment.push((&names[0], "postgres://transports@localhost/transports"));
    let config =
        Config::from_sources(Some(("transports.toml", &settings)), environment).expect("known settings");
    assert_eq!(check_for_serving(&config), []);
    // Both name the same listeners, and the ports of the manifests are theirs.
    for (port, listener) in [("8080", Some(config.server.listen)), ("9090", config.server.metrics_listen)] {
        assert_eq!(listener.map(|listener| listener.to_string()), Some(format!("0.0.0.0:{port}")));
        for file in ["deployment.yml", "networkpolicy.yml", "configmap.yml"] {
            assert!(read(&format!("deploy/kubernetes/{file}")).contains(port), "{file} has port {port}");
        }
        assert!(dockerfile.contains(port));
    }
    let policy = read("deploy/kubernetes/networkpolicy.yml");
    for port in Config::default().egress.ports {
        assert!(policy.contains(&format!("{{port: {port}, protocol: TCP}}")), "port {port} is let out");
    }
}
