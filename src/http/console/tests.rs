use super::files::{EMBEDDED, without_comments};
use super::*;

fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

#[test]
fn no_file_of_the_type_checker_is_embedded() {
    let paths: Vec<&str> = EMBEDDED.iter().map(|(path, _)| *path).collect();
    assert!(paths.is_sorted() && paths.contains(&"element/element.js"), "{paths:?}");
    for path in paths {
        let is_served = [".css", ".js", ".svg", "LICENSE"].iter().any(|end| path.ends_with(end));
        assert!(is_served && path != "element/model/types.js", "{path}");
    }
}

#[test]
fn the_page_names_files_that_there_are_and_holds_no_script_of_its_own() {
    let page = BUNDLE.page("Example Mail");
    let page = std::str::from_utf8(&page.bytes).expect("text");
    assert!(!page.contains('{') && !page.contains("style="), "a mark was left, or a style: {page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains(&format!(
        "<script type=\"module\" src=\"/console/assets/{}/console/page.js\"></script>",
        BUNDLE.version
    )));
    let prefix = format!("\"/console/assets/{}/", BUNDLE.version);
    let named: Vec<&str> =
        page.split(&prefix).skip(1).map(|rest| rest.split('"').next().expect("a quote")).collect();
    assert!(named.len() > 40, "{named:?}");
    for path in named {
        assert!(BUNDLE.asset(path).is_some(), "{path}");
    }
}

#[test]
fn the_page_has_the_operators_name_as_text() {
    let page = BUNDLE.page(" <b>R&D</b> {assets} ");
    let text = std::str::from_utf8(&page.bytes).expect("text");
    let name = "&lt;b&gt;R&amp;D&lt;/b&gt; {assets}";
    assert!(text.contains(&format!("<title>{name}</title>")), "{text}");
    assert!(text.contains(&format!("<p class=\"product\" id=\"product\">{name}</p>")), "{text}");
    assert_ne!(page.tag, BUNDLE.page("Example Mail").tag, "a browser that has the old name asks again");
}

#[test]
fn the_entry_exports_the_element_and_names_every_module() {
    let entry = std::str::from_utf8(&BUNDLE.entry.bytes).expect("text");
    let version = &BUNDLE.version;
    assert!(entry.ends_with(&format!("export * from \"./assets/{version}/element/element.js\";\n")));
    assert!(
        entry.contains("/texts/en.js") && !entry.contains("/texts/de.js"),
        "another language is loaded when wanted"
    );
}

#[test]
fn the_initial_load_is_below_a_hundred_kilobytes() {
    let bytes = initial_load_bytes();
    assert!(bytes < 100_000, "{bytes}");
}

#[test]
fn gzip_is_used_where_it_is_accepted() {
    for (value, accepted) in [
        ("gzip", true),
        ("br, GZIP;q=0.5", true),
        ("gzip;q=0", false),
        ("gzip;q=0.0, br", false),
        ("br, zstd", false),
        ("", false),
        ("xgzip", false),
        ("gzip;q=x", false),
    ] {
        assert_eq!(accepts_gzip(&headers(ACCEPT_ENCODING, value)), accepted, "{value}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}

#[test]
fn a_browser_that_has_the_file_gets_no_second_one() {
    let page = BUNDLE.page("Example Mail");
    let tag: &'static str = Box::leak(page.tag.clone().into_boxed_str());
    let response = respond(&page, REVALIDATE, &headers(IF_NONE_MATCH, tag));
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(response.headers()[ETAG], tag);
    let other = respond(&page, REVALIDATE, &headers(IF_NONE_MATCH, "W/\"other\""));
    assert_eq!(other.status(), StatusCode::OK);
}

#[test]
fn comments_at_the_beginning_of_a_line_are_not_sent_and_lines_stay() {
    let source = "// one\n/** two */ const a = 1; // stays\n/**\n * three\n */\n  let b = `/* in text */`;\n/* x */ /* y */ f();\n";
    let expected = "\n const a = 1; // stays\n\n\n\n  let b = `/* in text */`;\n f();\n";
    assert_eq!(without_comments(source), expected);
}

#[test]
fn no_template_has_a_line_that_looks_like_a_comment() {
    let views = EMBEDDED.iter().filter(|(path, _)| path.starts_with("element/views/"));
    for (path, bytes) in views {
        let mut in_template = false;
        for line in std::str::from_utf8(bytes).expect("text").lines() {
            let comment = line.trim_start().starts_with("//") || line.trim_start().starts_with("/*");
            assert!(!(in_template && comment), "{path}: {line}");
            if !comment && line.matches('`').count() % 2 == 1 {
                in_template = !in_template;
            }
        }
    }
}
