//! The files of `deploy/`, checked by the tools of those who read them. Each tool is also shown something faulty: a
//! tool that finds nothing wrong there would find nothing here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::service::peers;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(deploy(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A file of `deploy/` with one text in place of another.
fn changed(file: &str, from: &str, to: &str) -> String {
    let text = read(file);
    assert!(text.contains(from), "{file} holds {from:?}");
    text.replace(from, to)
}

/// A folder of its own, removed when dropped.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// Whether the tool is content, and what it said.
fn run(program: impl AsRef<Path>, arguments: &[&str], folder: &Path) -> (bool, String) {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn content((good, said): (bool, String)) -> String {
    assert!(good, "{said}");
    said
}

#[track_caller]
fn finds(what: &str, (good, said): (bool, String)) {
    assert!(!good && said.contains(what), "{what} is not found:\n{said}");
}

#[test]
#[ignore = "needs scripts/test"]
fn promtool_takes_the_alerts_and_each_fires_when_it_should() {
    let promtool = peers().join("promtool");
    let place = deploy("prometheus");
    content(run(&promtool, &["check", "rules", "rules.yml"], &place));
    content(run(&promtool, &["check", "config", "prometheus.yml"], &place));
    content(run(&promtool, &["test", "rules", "tests.yml"], &place));

    // Each alert is tried: one that never fires fails a case.
    let (rules, tests) = (read("prometheus/rules.yml"), read("prometheus/tests.yml"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let start = rules.find(&format!("- alert: {alert}\n")).expect("is there");
        let expression = rules[start..].find("expr: ").expect("an expression") + start + "expr: ".len();
        let end = ["\n        for: ", "\n        labels: "].map(|next| rules[expression..].find(next));
        let end = expression + end.into_iter().flatten().min().expect("labels");
        let silent = format!("{}vector(0) > 1{}", &rules[..expression], &rules[end..]);
        let folder = folder(&[("rules.yml", &silent), ("tests.yml", &tests)]);
        finds("FAILED", run(&promtool, &["test", "rules", "tests.yml"], folder.path()));
    }
    let faulty = changed("prometheus/rules.yml", "sum by (job) (rate(", "sum by (job) (rate((");
    let folder = folder(&[("rules.yml", &faulty)]);
    finds("could not parse expression", run(&promtool, &["check", "rules", "rules.yml"], folder.path()));
}

#[test]
#[ignore = "needs scripts/test"]
fn hadolint_takes_the_dockerfile() {
    let hadolint = peers().join("deployment/bin/hadolint");
    let faulty = changed("Dockerfile", "USER 65532:65532", "USER root");
    let folder = folder(&[("Dockerfile", &faulty)]);
    content(run(&hadolint, &["--no-color", "Dockerfile"], &deploy("")));
    let said = run(&hadolint, &["--no-color", "Dockerfile"], folder.path());
    finds("DL3002", said.clone());
    let untagged = changed("Dockerfile", "FROM scratch\n", "FROM debian\n");
    std::fs::write(folder.path().join("Dockerfile"), untagged).expect("a file");
    finds("DL3006", run(&hadolint, &["--no-color", "Dockerfile"], folder.path()));
}

#[test]
#[ignore = "needs scripts/test"]
fn the_manifests_are_as_kubernetes_has_them() {
    let validate = peers().join("deployment/bin/kubernetes-validate");
    let place = deploy("kubernetes/base");
    let files =
        std::fs::read_dir(&place).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut files: Vec<String> = files.map(|name| name.into_string().expect("UTF-8")).collect();
    // That one is kustomize's, which the next test runs.
    files.retain(|name| name != "kustomization.yml");
    files.sort();
    // The first version with the action `sleep` in general use, and the newest one.
    for version in ["1.34", "1.37"] {
        let mut arguments = vec!["-k", version, "--strict"];
        arguments.extend(files.iter().map(String::as_str));
        let said = content(run(&validate, &arguments, &place));
        for file in &files {
            assert!(said.contains(&format!("{file} passed")), "{file}: {said}");
        }
    }
    for (from, to) in [
        ("readinessProbe:", "readynessProbe:"),
        ("replicas: 3", "replicas: three"),
        ("sleep: {seconds: 5}", "sleep: {minutes: 5}"),
    ] {
        let folder = folder(&[("deployment.yml", &changed("kubernetes/base/deployment.yml", from, to))]);
        finds("ERROR", run(&validate, &["-k", "1.37", "--strict", "deployment.yml"], folder.path()));
    }
}

/// What `kubectl apply -k` sends to a cluster.
fn kustomize(folder: &Path) -> (bool, String) {
    run(peers().join("kubectl"), &["kustomize", "."], folder)
}

#[test]
#[ignore = "needs scripts/test"]
fn kustomize_puts_the_overlays_together_as_kubernetes_has_them() {
    let validate = peers().join("deployment/bin/kubernetes-validate");
    let built = |overlay: &str| {
        let text = content(kustomize(&deploy("kubernetes").join(overlay)));
        let folder = folder(&[("all.yml", &text)]);
        content(run(&validate, &["-k", "1.37", "--strict", "all.yml"], folder.path()));
        text
    };
    let base = built("base");
    let example = built("overlays/example");
    let sqlite = built("overlays/sqlite");
    let count = |text: &str, line: &str| text.lines().filter(|found| found.trim() == line).count();
    assert_eq!(count(&base, "replicas: 3"), 1);
    // Everything is in the namespace, and the image is the registry's.
    assert_eq!(count(&example, "namespace: transports"), example.matches("\nkind: ").count());
    assert_eq!(count(&example, "image: registry.example.com/transports:0.1.0"), 1, "{example}");
    // One process has the file: no second one beside it, and no database of several replicas.
    assert_eq!((count(&sqlite, "replicas: 1"), count(&sqlite, "type: Recreate")), (1, 1), "{sqlite}");
    for absent in ["PodDisruptionBudget", "rollingUpdate", "secretKeyRef", "postgres://"] {
        assert!(!sqlite.contains(absent), "{absent}: {sqlite}");
    }
    let folder = folder(&[("kustomization.yml", "resources: [nowhere.yml]\n")]);
    finds("nowhere.yml", kustomize(folder.path()));
}

#[test]
#[ignore = "needs scripts/test"]
fn the_compose_file_is_as_its_schema_has_it() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/deployment/check_compose.py");
    let python = peers().join("deployment/bin/python");
    let schema = peers().join("compose_spec.json");
    let check = |folder: &Path| {
        let [script, schema] = [&script, &schema].map(|path| path.to_str().expect("UTF-8"));
        run(&python, &[script, schema, "compose.yml"], folder)
    };
    content(check(&deploy("")));
    for (from, to, fault) in [
        ("read_only: true", "readonly: true", "'readonly' does not match"),
        ("cap_drop: [ALL]", "cap_drop: ALL", "'ALL' is not of type 'array'"),
        ("[\"database:", "[\"databases:", "volumes names databases, which is not there"),
    ] {
        let folder = folder(&[("compose.yml", &changed("compose.yml", from, to))]);
        finds(fault, check(folder.path()));
    }
}

#[test]
#[ignore = "needs scripts/test"]
fn the_unit_is_as_systemd_has_it_and_closed() {
    let unit = |name: &str| {
        let file = format!("systemd/{name}");
        changed(&file, "/usr/local/bin/transports", env!("CARGO_BIN_EXE_transports"))
    };
    let service = unit("transports.service");
    let faulty = service.replace("ProtectSystem=strict", "ProtectSytem=strict");
    let open = service.replace("CapabilityBoundingSet=\n", "").replace("SystemCallFilter=", "#");
    let folder = folder(&[
        ("transports.service", &service),
        ("transports-backup.service", &unit("transports-backup.service")),
        ("transports-backup.timer", &read("systemd/transports-backup.timer")),
        ("faulty.service", &faulty),
        ("open.service", &open),
    ]);
    let verify =
        |name: &str| run("systemd-analyze", &["verify", "--man=no", &format!("./{name}")], folder.path());
    for name in ["transports.service", "transports-backup.service", "transports-backup.timer"] {
        assert_eq!(content(verify(name)), "", "{name}");
    }
    let (_, said) = verify("faulty.service");
    assert!(said.contains("ProtectSytem"), "{said}");
    // Of 100, the lower the better. What is left is the network, which this service is for.
    let security = |name: &str| {
        let file = format!("./{name}");
        run(
            "systemd-analyze",
            &["security", "--offline=true", "--threshold=15", "--no-pager", &file],
            folder.path(),
        )
    };
    content(security("transports.service"));
    finds("Overall exposure level", security("open.service"));

    let user = deploy("systemd/transports.sysusers");
    let said = content(run("systemd-sysusers", &["--dry-run", user.to_str().expect("UTF-8")], folder.path()));
    assert!(!said.contains("Failed"), "{said}");
}
