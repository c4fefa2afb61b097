//! The layers of the crate: which module may name which, and that no folder imports a folder that imports it.

mod paths;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rules::{IMPURE_STD, Outside, RULES, Rule, WITHOUT_CIRCLES};

#[test]
fn every_module_names_only_what_its_row_allows() {
    let mut broken = Vec::new();
    let mut ruled = BTreeSet::new();
    for source in sources() {
        let top = &source.module[0];
        let Some(rule) = RULES.iter().find(|rule| rule.module == top) else {
            broken.push(format!("{}: no row for the module {top}", source.file));
            continue;
        };
        ruled.insert(rule.module);
        broken.extend(violations(rule, &source).into_iter().map(|path| format!("{}: {path}", source.file)));
    }
    let idle: Vec<_> =
        RULES.iter().map(|rule| rule.module).filter(|module| !ruled.contains(module)).collect();
    assert!(idle.is_empty(), "rows without a module: {idle:?}");
    assert!(broken.is_empty(), "these paths cross a layer:\n{}", broken.join("\n"));
}

#[test]
fn no_folder_imports_a_folder_that_imports_it() {
    let sources = sources();
    let circles: Vec<String> = WITHOUT_CIRCLES.iter().flat_map(|top| circles(top, &sources)).collect();
    assert!(circles.is_empty(), "these import one another:\n{}", circles.join("\n"));
}

#[test]
fn each_kind_of_violation_is_seen() {
    let planted = [
        ("pool", "use crate::{pool::At, store::Paths};", "crate::store::Paths"),
        ("pool", "fn f() { let x = crate::sidecar::start(); }", "crate::sidecar::start"),
        ("pool", "fn f() { g(std::fs::read(\"x\")) }", "std::fs::read"),
        ("pool", "use std::{fs, fmt};", "std::fs"),
        ("pool", "fn f() { std::time::SystemTime::now(); }", "std::time::SystemTime::now"),
        ("pool", "#[derive(Debug, schemars::JsonSchema)] struct A;", "schemars::JsonSchema"),
        ("pool", "fn f() { tracing::info!(\"x\") }", "tracing::info"),
        ("pool", "use getrandom::fill;", "getrandom::fill"),
        ("pool", "use super::super::store::Paths;", "crate::store::Paths"),
        ("protocol", "use crate::secret::Secret;", "crate::secret::Secret"),
        ("rpc", "fn f() { println!(\"{}\", crate::protocol::NAME) }", "crate::protocol::NAME"),
        ("upstream", "impl crate::store::Lock for A {}", "crate::store::Lock"),
        ("sidecar", "type A = reqwest::Client;", "reqwest::Client"),
        ("sidecar", "use crate::sim::Sim;", "crate::sim::Sim"),
    ];
    for (module, text, expected) in planted {
        let rule = RULES.iter().find(|rule| rule.module == module).expect("a row");
        let source = Source::new(format!("src/{module}/planted.rs"), text);
        assert_eq!(violations(rule, &source), [expected], "{text}");
    }
    let two = [
        Source::new("src/sidecar/a/x.rs".to_owned(), "use crate::sidecar::b::y::Y;"),
        Source::new("src/sidecar/b/y.rs".to_owned(), "use super::super::a::x::X;"),
    ];
    assert_eq!(circles("sidecar", &two), ["sidecar: a, b"]);
    let tests_do_not_count = "#[cfg(test)] mod tests { use crate::store::Paths; }";
    assert!(Source::new("src/pool/x.rs".to_owned(), tests_do_not_count).paths.is_empty());
}

struct Source {
    file: String,
    /// `["pool", "usage"]` for `src/pool/usage.rs`.
    module: Vec<String>,
    paths: BTreeSet<String>,
}

impl Source {
    fn new(file: String, text: &str) -> Self {
        let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
        let module: Vec<String> =
            inside.split('/').filter(|part| *part != "mod").map(str::to_owned).collect();
        let paths = paths::named(text, &module).unwrap_or_else(|error| panic!("{file}: {error}"));
        Source { file, module, paths }
    }
}

/// All source files except those that hold only tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let for_tests = ["tests", "fuzz", "model", "testing", "replay", "properties"];
    let read = |path: PathBuf| {
        let file = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source file is readable");
        Source::new(file, &text)
    };
    let sources = rust_files(&root.join("src")).into_iter().map(read);
    let sources: Vec<Source> = sources
        .filter(|source| !source.module.iter().skip(1).any(|part| for_tests.contains(&part.as_str())))
        .collect();
    assert!(sources.len() > 100, "only {} files: are the layers still where the rules look?", sources.len());
    sources
}

/// Returns the paths in `source` that `rule` forbids.
fn violations<'a>(rule: &Rule, source: &'a Source) -> Vec<&'a str> {
    let allowed = |path: &&'a String| {
        let mut segments = path.split("::");
        let (first, second) = (segments.next().unwrap_or_default(), segments.next());
        match (first, second) {
            ("crate", Some(module)) => {
                module == rule.module
                    || rule.crate_modules.contains(&module)
                    || !RULES.iter().any(|other| other.module == module)
            }
            ("std", _) => match rule.outside {
                Outside::Pure(_) => !IMPURE_STD.iter().any(|part| is_within(path, part)),
                Outside::AllBut(never) => !never.iter().any(|part| is_within(path, part)),
            },
            (_, Some(_)) if is_crate(first) => match rule.outside {
                Outside::Pure(crates) => crates.contains(&first),
                Outside::AllBut(never) => !never.contains(&first),
            },
            _ => true,
        }
    };
    source.paths.iter().filter(|path| !allowed(path)).map(String::as_str).collect()
}

fn is_within(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns whether this is the name of a dependency.
fn is_crate(name: &str) -> bool {
    let manifest = include_str!("../../../Cargo.toml");
    let dependencies = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next());
    let names = dependencies.unwrap_or_default().lines().filter_map(|line| line.split([' ', '=']).next());
    names.map(|dependency| dependency.replace('-', "_")).any(|dependency| dependency == name)
}

/// Returns groups of folders directly below `top` that import one another, as `top: a, b`.
fn circles(top: &str, sources: &[Source]) -> Vec<String> {
    let mut arrows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let parts: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.module[0] == top)
        .filter_map(|source| part(&source.module))
        .collect();
    for source in sources.iter().filter(|source| source.module[0] == top) {
        let Some(from) = part(&source.module) else { continue };
        for path in &source.paths {
            let segments: Vec<&str> = path.split("::").collect();
            if let ["crate", first, to, ..] = segments[..]
                && first == top
                && to != from
                && let Some(to) = parts.get(to)
            {
                arrows.entry(from).or_default().insert(to);
            }
        }
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for next in arrows.get(at).into_iter().flatten() {
                if *next == to {
                    return true;
                }
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        false
    };
    let mut groups: BTreeSet<Vec<&str>> = BTreeSet::new();
    for part in &parts {
        let group: Vec<&str> =
            parts.iter().filter(|other| reaches(part, other) && reaches(other, part)).copied().collect();
        if group.len() > 1 {
            groups.insert(group);
        }
    }
    groups.into_iter().map(|group| format!("{top}: {}", group.join(", "))).collect()
}

fn part(module: &[String]) -> Option<&str> {
    module.get(1).map(String::as_str)
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
