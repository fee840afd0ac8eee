//! What is released, made by `scripts/release-build` and used as on a machine of its own: the container image, the Debian
//! package, and the archive with its installer. The binary in them is a quick build of the same kind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{CONFIG, Client};
use crate::mail_server::{STARTTLS, alice};
use crate::service::{Service, peers};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// dpkg-deb's own variables. A quick build is large, and nobody downloads it.
const QUICK: [(&str, &str); 2] = [("DPKG_DEB_COMPRESSOR_TYPE", "gzip"), ("DPKG_DEB_COMPRESSOR_LEVEL", "1")];

/// What a command says on standard output; it has to end well.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.current_dir(REPOSITORY).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}{errors}");
    said
}

/// What a command says that has to fail.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let output = command.current_dir(REPOSITORY).stdin(Stdio::null()).output().expect("it runs");
    assert!(!output.status.success(), "{command:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A static binary for this machine. The tests share the one build.
fn static_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let path = run(Command::new("scripts/static-binary").args(["--quick", std::env::consts::ARCH]));
        Path::new(REPOSITORY).join(path.trim_end())
    })
}

/// The folder of a release. The tests share it, and none changes it.
fn release() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release");
        // The bill of materials has its own step in CI; here it is a file among others.
        let bill = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release.cdx.json");
        fs::write(&bill, "{}\n").expect("a file");
        let sums = run(Command::new("scripts/release-build")
            .arg(std::env::consts::ARCH)
            .env("DIST", &folder)
            .env("SBOM", &bill)
            .envs(QUICK)
            .env(format!("BINARY_{}", std::env::consts::ARCH), static_binary()));
        let names: Vec<&str> =
            sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name).collect();
        let (archive, machine) = (std::env::consts::ARCH, debian_architecture());
        let image = format!("transports-{VERSION}-oci-{machine}.tar");
        let mut expected = [
            "install.sh".to_owned(),
            format!("transports-{VERSION}-linux-{archive}.tar.gz"),
            format!("transports-{VERSION}.cdx.json"),
            format!("{image}.digest"),
            image,
            format!("transports_{VERSION}_{machine}.deb"),
        ];
        expected.sort();
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort();
        assert_eq!(names, expected);
        run(Command::new("sh")
            .arg("-c")
            .arg(format!("cd {} && sha256sum --check SHA256SUMS", folder.display())));
        folder
    })
}

fn debian_architecture() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" }
}

fn image() -> PathBuf {
    release().join(format!("transports-{VERSION}-oci-{}.tar", debian_architecture()))
}

fn package() -> PathBuf {
    release().join(format!("transports_{VERSION}_{}.deb", debian_architecture()))
}

/// An ELF file for x86-64 with no loader, and nothing else.
fn small_binary(folder: &Path) -> PathBuf {
    let mut header = vec![0_u8; 64];
    header[..6].copy_from_slice(b"\x7fELF\x02\x01");
    header[18] = 62;
    let file = folder.join("small");
    fs::write(&file, header).expect("a file");
    file
}

#[test]
#[ignore = "needs scripts/test"]
fn the_same_binary_gives_the_same_image_and_package() {
    let folder = TempDir::new().expect("a folder");
    let binary = small_binary(folder.path());
    for name in ["one", "other"] {
        let place = folder.path().join(name);
        run(Command::new("scripts/container-image").arg(&binary).arg(place.join("image.tar")));
        run(Command::new("scripts/debian-package")
            .args([&binary, &place])
            .env("TRANSPORTS", env!("CARGO_BIN_EXE_transports")));
    }
    let [one, other] = ["one", "other"].map(|name| {
        let names = fs::read_dir(folder.path().join(name)).expect("a folder");
        let mut files: Vec<PathBuf> = names.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| (file.file_name().expect("a name").to_owned(), fs::read(file).expect("a file")))
            .collect::<Vec<_>>()
    });
    assert_eq!(one.len(), 3);
    assert!(one == other, "two runs differ");
}

#[test]
#[ignore = "needs scripts/test"]
fn no_image_is_made_of_a_binary_that_needs_a_loader() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("image.tar");
    let said =
        refused(Command::new("scripts/container-image").arg(env!("CARGO_BIN_EXE_transports")).arg(&file));
    assert!(said.contains("linked dynamically") && !file.exists(), "{said}");
}

/// The image, unpacked by another program than that which wrote it. It checks every digest.
struct Bundle {
    folder: TempDir,
}

impl Bundle {
    fn unpack() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let place = |name: &str| folder.path().join(name);
        fs::create_dir(place("layout")).expect("a folder");
        run(Command::new("tar").arg("-xf").arg(image()).arg("-C").arg(place("layout")));
        run(Command::new("umoci")
            .args(["unpack", "--image", &format!("{}:{VERSION}", place("layout").display())])
            .arg(place("bundle")));
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// What a container engine is told of the image.
    fn config(&self) -> Value {
        let file = fs::read(self.folder.path().join("bundle/config.json")).expect("a file");
        serde_json::from_slice(&file).expect("JSON")
    }
}

/// Owner, mode and name of all that is in a folder.
fn listing(root: &Path) -> String {
    run(Command::new("sh").arg("-c").arg(format!(
        "cd {} && find . -mindepth 1 -printf '%U:%G %m %P\\n' | LC_ALL=C sort -k3",
        root.display()
    )))
}

#[test]
#[ignore = "needs scripts/test"]
fn the_image_holds_the_binary_and_what_it_needs() {
    let bundle = Bundle::unpack();
    assert_eq!(
        listing(&bundle.root()).lines().collect::<Vec<_>>(),
        [
            "0:0 755 etc",
            "0:0 644 etc/group",
            "0:0 644 etc/passwd",
            "0:0 755 etc/transports",
            "0:0 1777 tmp",
            "0:0 755 usr",
            "0:0 755 usr/local",
            "0:0 755 usr/local/bin",
            "0:0 755 usr/local/bin/transports",
            "0:0 755 usr/share",
            "0:0 755 usr/share/doc",
            "0:0 755 usr/share/doc/transports",
            "0:0 644 usr/share/doc/transports/LICENSE",
            "0:0 755 var",
            "0:0 755 var/lib",
            "65532:65532 700 var/lib/transports",
        ]
    );
    // What deploy/Dockerfile says, in the words of a container engine.
    let process = &bundle.config()["process"];
    assert_eq!(process["args"], json!(["/usr/local/bin/transports", "serve"]));
    assert_eq!(process["cwd"], "/var/lib/transports");
    assert_eq!((&process["user"]["uid"], &process["user"]["gid"]), (&json!(65532), &json!(65532)));
    let variables = process["env"].as_array().expect("a list");
    for variable in [
        "TRANSPORTS_SERVER__LISTEN=0.0.0.0:8080",
        "TRANSPORTS_SERVER__METRICS_LISTEN=0.0.0.0:9090",
        "TRANSPORTS_LOG__FORMAT=json",
    ] {
        assert!(variables.contains(&json!(variable)), "{variables:?}");
    }
    let inspected: Value = serde_json::from_str(&run(
        Command::new("skopeo").args(["inspect", &format!("oci-archive:{}", image().display())])
    ))
    .expect("JSON");
    let digest = fs::read_to_string(format!("{}.digest", image().display())).expect("a file");
    assert_eq!(inspected["Digest"], digest.trim_end());
    assert_eq!(inspected["Labels"]["org.opencontainers.image.version"], VERSION);
    assert_eq!(inspected["Architecture"], debian_architecture());
}

/// The image as a container engine starts it: its user, its variables, its command, a read-only root, a volume for the
/// data. Killed when dropped.
struct Container {
    process: Child,
    address: std::net::SocketAddr,
    bundle: Bundle,
}

impl Container {
    fn start() -> Self {
        let bundle = Bundle::unpack();
        let config = bundle.config();
        let process = &config["process"];
        let words = |member: &str| -> Vec<String> {
            let list = process[member].as_array().expect("a list");
            list.iter().map(|word| word.as_str().expect("text").to_owned()).collect()
        };
        let settings = bundle.folder.path().join("settings");
        fs::create_dir(&settings).expect("a folder");
        fs::copy(peers().join("mail/ca.pem"), settings.join("ca.pem")).expect("a file");
        let port = free_port();
        let script = format!(
            "set -eu\n\
             cd {folder}\n\
             mkdir data\n\
             chown 65532:65532 data\n\
             chmod 700 data\n\
             mount --bind bundle/rootfs bundle/rootfs\n\
             mount -o remount,bind,ro bundle/rootfs\n\
             mount --bind data bundle/rootfs/var/lib/transports\n\
             mount --bind settings bundle/rootfs/etc/transports\n\
             mount -t tmpfs -o mode=1777 tmpfs bundle/rootfs/tmp\n\
             exec env --ignore-environment \"$@\"",
            folder = bundle.folder.path().display()
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", &script, "bash"])
            .args(words("env"))
            .args(Service::SETTINGS.map(|(name, value)| format!("{name}={value}")))
            .args([
                "TRANSPORTS_TLS__CA_FILE=/etc/transports/ca.pem".to_owned(),
                "TRANSPORTS_EGRESS__ALLOW=127.0.0.0/8,::1/128".to_owned(),
                "TRANSPORTS_EGRESS__ALLOW_HOSTS=localhost".to_owned(),
                // The network is the machine's, whose ports may be taken.
                format!("TRANSPORTS_SERVER__LISTEN=127.0.0.1:{port}"),
                "TRANSPORTS_SERVER__METRICS_LISTEN=127.0.0.1:0".to_owned(),
            ])
            .args([
                "/usr/bin/setpriv",
                "--clear-groups",
                "--no-new-privs",
                "/usr/bin/unshare",
                "--root=bundle/rootfs",
            ])
            .arg(format!("--wd={}", process["cwd"].as_str().expect("a folder")))
            .arg(format!("--setgid={}", process["user"]["gid"]))
            .arg(format!("--setuid={}", process["user"]["uid"]))
            .args(words("args"));
        let mut process =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("unshare is installed");
        let mut log = BufReader::new(process.stderr.take().expect("is piped"));
        let mut said = String::new();
        while !said.contains("listening on http://") {
            assert!(log.read_line(&mut said).expect("text") > 0, "it did not start: {said}");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, address: std::net::SocketAddr::from(([127, 0, 0, 1], port)), bundle }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // By its parent: as it took its user, the service forgot that it was to end with it.
        let parent = self.process.id().to_string();
        let _ = Command::new("pkill").args(["--signal", "KILL", "--parent", &parent]).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
#[ignore = "needs scripts/test"]
async fn the_image_serves_as_its_user_on_a_read_only_root() {
    let container = Container::start();
    let anybody = Client { address: container.address, token: None };
    anybody.get("/health/ready").await.expect(200);
    // Names, certificates and the database work without a file of the system's.
    let admin = Client { address: container.address, token: Some(Service::token("acme", "admin", true)) };
    admin.put(&alice(STARTTLS, "StartTLS")).await.expect(204);
    assert_eq!(admin.verify().await["success"], true);

    let bundle = &container.bundle;
    let data = listing(&bundle.folder.path().join("data"));
    assert!(data.contains("65532:65532 600 transports.db\n"), "{data}");
    // The service is the one process of the container's that is not root's.
    let processes =
        run(Command::new("ps").args(["-o", "uid=", "--ppid", &container.process.id().to_string()]));
    assert_eq!(processes.trim(), "65532", "{processes}");
    assert_eq!(admin.get(CONFIG).await.expect(200).json()["emailAddress"], "alice@example.com");
}

#[test]
#[ignore = "needs scripts/test"]
fn the_debian_package_is_installed_started_upgraded_removed_and_purged() {
    let folder = TempDir::new().expect("a folder");
    let newer = run(Command::new("scripts/debian-package")
        .args([static_binary(), folder.path()])
        .env("TRANSPORTS_DEB_VERSION", format!("{VERSION}+newer"))
        .envs(QUICK));
    let said =
        run(Command::new("tests/peers/packages/install-debian-package").arg(package()).arg(newer.trim_end()));
    assert!(said.ends_with("== done\n"), "{said}");
}

#[test]
#[ignore = "needs scripts/test"]
fn lintian_takes_the_debian_package() {
    // Static on purpose (ADR 19); the maintainer has no address to be published.
    const SUPPRESSED: &str = "statically-linked-binary,bogus-mail-host,bogus-mail-host-in-debian-changelog";
    let lintian = |package: &Path| {
        let output = Command::new("lintian")
            .args(["--allow-root", "--no-cfg", "--profile=debian", "--fail-on=error,warning"])
            .args(["--suppress-tags", SUPPRESSED])
            .arg(package)
            .output()
            .expect("lintian is installed");
        (output.status.success(), text(&output.stdout))
    };
    let (good, said) = lintian(&package());
    assert!(good && said.is_empty(), "{said}");

    // It is shown something faulty, too.
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("root");
    run(Command::new("dpkg-deb").arg("--raw-extract").arg(package()).arg(&root));
    fs::remove_file(root.join("usr/share/doc/transports/copyright")).expect("is there");
    let faulty = folder.path().join("faulty.deb");
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "-z1", "--build"])
        .args([&root, &faulty]));
    let (good, said) = lintian(&faulty);
    assert!(!good && said.contains("no-copyright-file"), "{said}");
}

/// Files over HTTP. Killed when dropped.
struct Download {
    process: Child,
    url: String,
}

impl Download {
    fn serve(folder: &Path) -> Self {
        let mut process = Command::new("python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .arg("0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python is installed");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("is piped"));
        output.read_line(&mut line).expect("a line");
        let (_, rest) = line.split_once("port ").unwrap_or_else(|| panic!("{line}"));
        let port: u16 = rest.split(' ').next().expect("a word").parse().expect("a port");
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }

    /// The installer, as a person runs it.
    fn install(&self, home: &Path, more: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "curl -fsSL \"$0/install.sh\" | sh -s -- \"$0\" \"$@\"", &self.url])
            .args(more)
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin");
        command
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs scripts/test"]
fn the_installer_checks_what_it_downloads() {
    let download = Download::serve(release());
    let home = TempDir::new().expect("a folder");
    let bin = home.path().join("bin");
    let to = ["--to", bin.to_str().expect("UTF-8")];
    let said = run(&mut download.install(home.path(), &to));
    assert!(said.contains(&format!("transports {VERSION} is {}/transports", bin.display())), "{said}");
    assert!(said.contains("add it to the path"), "{said}");
    assert_eq!(run(Command::new(bin.join("transports")).arg("--version")), format!("transports {VERSION}\n"));
    // A second time, over the first.
    run(&mut download.install(home.path(), &to));
    let names: Vec<_> =
        fs::read_dir(&bin).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["transports"]);

    // Another octet in the archive, and nothing is installed; nor where a file is missing.
    let broken = TempDir::new().expect("a folder");
    let archive = format!("transports-{VERSION}-linux-{}.tar.gz", std::env::consts::ARCH);
    for name in ["install.sh", "SHA256SUMS"] {
        fs::copy(release().join(name), broken.path().join(name)).expect("a file");
    }
    let download = Download::serve(broken.path());
    let elsewhere = home.path().join("elsewhere");
    let to = ["--to", elsewhere.to_str().expect("UTF-8")];
    let said = refused(&mut download.install(home.path(), &to));
    assert!(said.contains(&format!("{archive} cannot be downloaded")), "{said}");
    let mut content = fs::read(release().join(&archive)).expect("a file");
    let last = content.last_mut().expect("is not empty");
    *last = !*last;
    fs::write(broken.path().join(&archive), content).expect("a file");
    let said = refused(&mut download.install(home.path(), &to));
    assert!(said.contains("nothing was installed"), "{said}");
    // Sums that do not name the archive.
    fs::write(broken.path().join("SHA256SUMS"), format!("{}  other.tar.gz\n", "0".repeat(64)))
        .expect("a file");
    let said = refused(&mut download.install(home.path(), &to));
    assert!(said.contains("has no binary for"), "{said}");
    assert!(!elsewhere.exists());
}
