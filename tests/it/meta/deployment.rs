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
    let manifest = "deploy/kubernetes/base/deployment.yml";
    assert!(
        number(manifest, "terminationGracePeriodSeconds: ")
            > end + number(manifest, "sleep: {seconds: ") + 10
    );
    assert!(
        number("deploy/kubernetes/base/poddisruptionbudget.yml", "minAvailable: ")
            < number(manifest, "\n  replicas: ")
    );
}

/// The settings in a `ConfigMap`.
fn settings_of(manifest: &str) -> String {
    let manifest = read(manifest);
    let (_, settings) = manifest.split_once("transports.toml: |\n").expect("a file");
    settings.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_manifests_and_the_image_have_valid_settings() {
    let settings = settings_of("deploy/kubernetes/base/configmap.yml");
    let dockerfile = read("deploy/Dockerfile");
    let words = dockerfile.split_whitespace().filter(|word| word.starts_with("TRANSPORTS_"));
    let mut environment: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
    assert!(environment.len() >= 3, "{environment:?}");
    let deployment = read("deploy/kubernetes/base/deployment.yml");
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
            assert!(read(&format!("deploy/kubernetes/base/{file}")).contains(port), "{file} has port {port}");
        }
        assert!(dockerfile.contains(port));
    }
    let policy = read("deploy/kubernetes/base/networkpolicy.yml");
    for port in Config::default().egress.ports {
        assert!(policy.contains(&format!("{{port: {port}, protocol: TCP}}")), "port {port} is let out");
    }
    let ports: Vec<String> = Config::default().egress.ports.iter().map(u16::to_string).collect();
    let row = format!("| out, to the internet | {} |", ports.join(", "));
    assert!(read("docs/deploy.md").contains(&row), "docs/deploy.md says which ports: {row}");
}

#[test]
fn the_overlay_has_valid_settings() {
    let settings = settings_of("deploy/kubernetes/overlays/example/settings.yml");
    let database = [("TRANSPORTS_DATABASE__URL", "postgres://transports@localhost/transports")];
    let config =
        Config::from_sources(Some(("transports.toml", &settings)), database).expect("known settings");
    assert_eq!(check_for_serving(&config), []);
}

const SAMPLE: &str = "deploy/transports.example.toml";

/// The sample with every key that is commented out.
fn uncommented(sample: &str) -> String {
    let is_key = |text: &str| {
        text.split_once(" = ").is_some_and(|(key, _)| {
            key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        })
    };
    let mut seen = BTreeSet::new();
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in sample.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        let key = line.strip_prefix("# ").filter(|text| is_key(text));
        let setting = key.unwrap_or(line);
        // A second value of a key is an alternative to the first.
        let again = setting.split_once(" = ").filter(|_| !setting.starts_with('#'));
        if again.is_none_or(|(name, _)| seen.insert(format!("{section}{name}"))) {
            lines.push(setting);
        }
    }
    lines.join("\n")
}

#[test]
fn every_key_of_the_sample_is_known_and_valid() {
    let sample = read(SAMPLE);
    let nothing: [(String, String); 0] = [];
    let whole = uncommented(&sample);
    let known = Config::from_sources(Some((SAMPLE, &whole)), nothing.clone()).expect("known settings");
    assert_eq!(check_for_serving(&known), []);
    assert_eq!(known.submission.listen_tls.map(|listener| listener.port()), Some(2465), "{whole}");

    // As it is installed, only who signs the tokens is missing.
    let installed = Config::from_sources(Some((SAMPLE, &sample)), nothing).expect("known settings");
    let missing: Vec<String> =
        check_for_serving(&installed).into_iter().map(|problem| problem.text).collect();
    assert!(missing.iter().all(|problem| problem.starts_with("auth")) && missing.len() == 3, "{missing:?}");
    let proxies = ["127.0.0.1/32", "::1/128"].map(|network| network.parse().expect("a network"));
    assert_eq!(installed.server.trusted_proxies, proxies);
}

#[test]
fn what_compose_sets_is_known_and_leads_to_its_services() {
    let compose = read("deploy/compose.yml");
    let settings = compose.lines().filter_map(|line| line.trim().strip_prefix("TRANSPORTS_"));
    let settings = settings.filter_map(|line| line.split_once(": "));
    let settings = settings.filter(|(name, _)| *name != "ADDRESS");
    let environment: Vec<(String, String)> = settings
        .map(|(name, value)| {
            // `${NAME:?why}` is what the reader puts into `.env`; `${NAME:-value}` has a default.
            let value = value.replace("${POSTGRES_PASSWORD:?a password in hexadecimal}", "0123456789abcdef");
            let value = if value.starts_with("${") { "https://login.example.com".to_owned() } else { value };
            (format!("TRANSPORTS_{name}"), value)
        })
        .collect();
    assert_eq!(environment.len(), 6, "{environment:?}");
    let config = Config::from_sources(None, environment).expect("known settings");
    assert_eq!(check_for_serving(&config), []);
    // A file that is mounted alone could not be replaced by a rotation, nor where the mount is read-only.
    let keys = config.encryption.keys_file.expect("a file");
    let folder = keys.parent().expect("a folder").display();
    assert!(compose.contains(&format!("volumes: [\"./keys:{folder}\"]")), "{folder} is mounted");
    let subnet = config.server.trusted_proxies[0].to_string();
    assert!(compose.contains(&format!("config: [{{subnet: {subnet}}}]")), "{subnet} is that of the network");
    let end = config.server.shutdown_seconds;
    assert!(number("deploy/compose.yml", "stop_grace_period: ") > end + 10);
}

/// The largest request, the longest answer, and the idle connection: what a proxy has to know of the service.
#[test]
fn the_proxies_numbers_match_the_settings() {
    const MIB: u64 = 1024 * 1024;
    let config = Config::default();
    let largest = |message: usize| (message / 2 * 3 + 64 * 1024) as u64;
    let idle = config.server.header_timeout_seconds;
    // nginx has no room above what the service takes, and Caddy enough for every setting.
    let default = largest(config.delivery.max_message_bytes);
    assert_eq!(number("deploy/nginx/transports.conf", "client_max_body_size "), default.div_ceil(MIB));
    assert!(number("deploy/caddy/Caddyfile", "max_size ") * MIB > largest(26_214_400));
    for (file, keepalive) in
        [("deploy/nginx/transports.conf", "keepalive_timeout "), ("deploy/caddy/Caddyfile", "keepalive ")]
    {
        assert!(number(file, keepalive) < idle, "{file}");
    }
    assert!(
        number("deploy/nginx/transports.conf", "proxy_read_timeout ")
            > 2 * config.server.request_timeout_seconds
    );
}

/// Files of `scripts/` and `deploy/` that a text names.
fn named_files(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-./_".contains(c);
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_end_matches('.'));
    words
        .filter(|word| word.starts_with("scripts/") || word.starts_with("deploy/"))
        .filter(|word| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(word).is_file())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_build_of_the_image_sees_every_file_that_it_needs() {
    let ignored = read(".dockerignore");
    let seen: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut needed: BTreeSet<String> = [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "build.rs",
        "src",
        "migrations",
        "web",
        "LICENSE",
    ]
    .map(str::to_owned)
    .into();
    // The scripts that the Dockerfile runs, and the files that these name.
    let mut open = vec!["deploy/Dockerfile".to_owned()];
    while let Some(file) = open.pop() {
        let named = named_files(&read(&file));
        if needed.insert(file) {
            open.extend(named);
        }
    }
    assert!(needed.contains("scripts/static-binary.txt"), "{needed:?}");
    for file in needed {
        assert!(seen.contains(file.as_str()), "{file} stays away from the build by .dockerignore");
    }
}
