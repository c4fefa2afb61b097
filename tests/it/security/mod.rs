//! Answers of schema/security.md that no other test shows.

mod browser;
mod files;
mod terminal;
mod upstream;

use std::fs;
use std::path::Path;

use crate::layers::rust_files;

/// Every test that the threat model names exists, and it names one for every answer.
#[test]
fn every_answer_of_the_threat_model_is_shown_by_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("schema/security.md")).expect("the page");
    let mut code = String::new();
    for file in rust_files(&root.join("src")).into_iter().chain(rust_files(&root.join("tests/it"))) {
        code.push_str(&fs::read_to_string(file).expect("a source file"));
    }
    let exists = |name: &str| {
        code.contains(&format!("fn {name}("))
            || root.join(format!("tests/scripts/{name}.rpc")).exists()
            || root.join(format!("tests/fuzz/targets/{name}.rs")).exists()
    };
    let no_answer = |row: &&str| !["| Threat ", "| --- "].iter().any(|head| row.starts_with(head));
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")).filter(no_answer) {
        let shown_by = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {row}");
        for name in names {
            assert!(exists(name), "there is no test {name}: {row}");
            named += 1;
        }
    }
    assert!(named >= 40, "{named}");
}
