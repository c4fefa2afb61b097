//! The layers of the crate: which module may name which. A broken row fails with the line that broke it.

use std::fs;
use std::path::{Path, PathBuf};

/// (layer, modules of this crate it may name, outside crates it must not name).
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("pool", &["pool", "secret"], &["serde", "serde_json", "tokio", "tracing", "reqwest", "jsonrpsee"]),
    ("protocol", &["protocol"], &["tokio", "reqwest"]),
    ("rpc", &["rpc"], &["reqwest", "oauth2", "notify"]),
    ("http.rs", &["http"], &["jsonrpsee", "notify", "oauth2"]),
    ("upstream", &["upstream", "pool", "secret", "http", "clock"], &["jsonrpsee", "notify", "oauth2"]),
    ("auth", &["auth", "pool", "secret", "http", "store"], &["jsonrpsee", "notify"]),
    ("store", &["store", "pool", "secret", "clock"], &["jsonrpsee", "notify", "reqwest", "oauth2", "tokio"]),
    ("watch.rs", &["watch"], &["jsonrpsee", "reqwest", "oauth2"]),
    ("watch", &["watch"], &["jsonrpsee", "reqwest", "oauth2"]),
    ("screen", &["screen", "protocol", "pool"], &["serde", "serde_json", "tokio", "tracing", "jsonrpsee"]),
    (
        "sidecar",
        &[
            "sidecar", "pool", "protocol", "rpc", "upstream", "auth", "store", "watch", "http", "secret",
            "clock", "screen",
        ],
        &["reqwest", "oauth2", "notify", "hyper"],
    ),
];

#[test]
fn every_layer_names_only_what_it_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    let mut seen = 0;
    for (layer, may_name, must_not) in RULES {
        for file in rust_files(&src.join(layer)) {
            seen += 1;
            let text = fs::read_to_string(&file).expect("a source file is readable");
            for (number, line) in text.lines().enumerate() {
                let place = || format!("{}:{}: {}", file.display(), number + 1, line.trim());
                for named in names_after(line, "crate::") {
                    if !may_name.contains(&named) {
                        broken.push(place());
                    }
                }
                let is_use =
                    line.trim_start().starts_with("use ") || line.trim_start().starts_with("pub use ");
                if is_use && must_not.iter().any(|outside| names_after(line, "use ").contains(outside)) {
                    broken.push(place());
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} files were read: are the layers still where the rules look?");
    assert!(broken.is_empty(), "these lines cross a layer:\n{}", broken.join("\n"));
}

#[test]
fn a_line_that_crosses_a_layer_is_seen() {
    assert_eq!(names_after("use crate::pool::At;", "crate::"), ["pool"]);
    assert_eq!(names_after("    let x = crate::sidecar::y(crate::pool::z);", "crate::"), ["sidecar", "pool"]);
    assert_eq!(names_after("use serde::Serialize;", "use "), ["serde"]);
}

/// The first path segment behind each `prefix` in a line; comments do not count.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(prefix)
        .map(|(at, _)| {
            let rest = &code[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

pub fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.flatten().flat_map(|entry| rust_files(&entry.path())).filter(|file| is_rust(file)).collect()
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}
