//! The console's files in the binary, hashed and compressed, with the page and the module that name them.

use std::io::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256, digest};
use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Every file that is served, by its path below `web/` and in the order of the paths. The build script lists them.
pub(super) const EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/console/index.html"));

/// Placeholders in the page: the folder of its version, the modules to load in parallel, and the operator's name for
/// the service.
const ASSETS_MARK: &str = "{assets}";
const PRELOADS_MARK: &str = "{preloads}";
const TITLE_MARK: &str = "{title}";

/// Built at the first request to the console.
pub(super) static BUNDLE: LazyLock<Bundle> = LazyLock::new(Bundle::new);

/// One file as it is served.
pub(super) struct Asset {
    pub path: &'static str,
    pub media_type: &'static str,
    pub bytes: Bytes,
    pub compressed: Bytes,
    /// Weak, since it is the same for both encodings.
    pub tag: String,
}

pub(super) struct Bundle {
    /// Of all files together: 20 hexadecimal digits.
    pub version: String,
    /// The module at the URL that does not change.
    pub entry: Asset,
    assets: Vec<Asset>,
}

impl Bundle {
    fn new() -> Self {
        let mut hash = Context::new(&SHA256);
        for (path, bytes) in EMBEDDED {
            hash.update(digest(&SHA256, path.as_bytes()).as_ref());
            hash.update(digest(&SHA256, bytes).as_ref());
        }
        let version = hexadecimal(hash.finish().as_ref());
        let assets: Vec<Asset> =
            EMBEDDED.iter().map(|(path, bytes)| Asset::new(path, to_served_bytes(path, bytes))).collect();
        let entry = entry(&version);
        Self { entry: Asset::new("email-transport-settings.js", entry.into_bytes()), version, assets }
    }

    /// The page of a service with this name.
    pub fn page(&self, title: &str) -> Asset {
        Asset::new("console/index.html", page(&self.version, title).into_bytes())
    }

    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.path == path)
    }

    /// What the page loads, apart from itself.
    pub fn initial_assets(&self) -> impl Iterator<Item = &Asset> {
        self.assets.iter().filter(|asset| is_module(asset.path) || asset.path.starts_with("console/"))
    }
}

impl Asset {
    fn new(path: &'static str, bytes: Vec<u8>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail.
        let compressed =
            encoder.write_all(&bytes).and_then(|()| encoder.finish()).expect("memory can be written to");
        let tag = format!("W/\"{}\"", hexadecimal(digest(&SHA256, &bytes).as_ref()));
        Self { path, media_type: media_type(path), bytes: bytes.into(), compressed: compressed.into(), tag }
    }
}

/// A file as it is sent: our own modules lose their comments, which are a third of them. Lines keep their numbers, so
/// that an error names the line of the source.
fn to_served_bytes(path: &str, bytes: &[u8]) -> Vec<u8> {
    let own = media_type(path).starts_with("text/javascript") && !path.starts_with("vendor/");
    match std::str::from_utf8(bytes) {
        Ok(source) if own => without_comments(source).into_bytes(),
        _ => bytes.to_vec(),
    }
}

/// Removes comments at the beginning of a line: `// …` and `/* … */`, also over several lines. A comment after code
/// stays. A test holds that no text in a template begins a line like that.
pub(super) fn without_comments(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines() {
        let mut rest = line;
        while in_comment || rest.trim_start().starts_with("/*") {
            let end = rest.split_once("*/");
            in_comment = end.is_none();
            rest = end.map_or("", |(_, after)| after);
            if in_comment {
                break;
            }
        }
        if !rest.trim_start().starts_with("//") {
            text.push_str(rest);
        }
        text.push('\n');
    }
    text
}

/// What the first view does without: `element/later.js` loads it with the first use of the page.
const LATER: [&str; 6] = [
    "element/flows/api-keys.js",
    "element/flows/remedy.js",
    "element/model/remedies.js",
    "element/views/api-keys.js",
    "element/views/conflict.js",
    "element/views/diagnosis.js",
];

/// The modules that the first view needs. The texts of another language are loaded when they are wanted.
fn is_module(path: &str) -> bool {
    let module = path.starts_with("element/") || path.starts_with("vendor/") || path == "texts/en.js";
    module && !LATER.contains(&path) && media_type(path).starts_with("text/javascript")
}

fn modules() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|(path, _)| *path).filter(|path| is_module(path))
}

/// Names every module, so that a browser loads them in parallel instead of from import to import.
fn page(version: &str, title: &str) -> String {
    let folder = format!("/console/assets/{version}");
    let preload = |path| format!("<link rel=\"modulepreload\" href=\"{ASSETS_MARK}/{path}\">");
    let preloads: Vec<String> = modules().map(preload).collect();
    let page = PAGE.replace(PRELOADS_MARK, &preloads.join("\n")).replace(ASSETS_MARK, &folder);
    // Last, so that no mark in the name is replaced.
    page.replace(TITLE_MARK, &escape(title.trim()))
}

/// Text as it stands in HTML, outside of attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn entry(version: &str) -> String {
    let mut lines: Vec<String> =
        modules().map(|path| format!("import \"./assets/{version}/{path}\";\n")).collect();
    lines.push(format!("export * from \"./assets/{version}/element/element.js\";\n"));
    lines.concat()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

/// The first ten bytes: enough for files that we make ourselves.
fn hexadecimal(hash: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    hash.iter().take(10).flat_map(digits).map(char::from).collect()
}
