//! The schema and the reference are generated from the types and committed; these tests compare the two.

mod examples;
mod pretty;
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use strum::VariantArray;

use jsonschema::Registry;
use multicodex::pool::{AffinityMode, FooterOrder, ResetWindow, Strategy, UsageMode};
use multicodex::protocol::openrpc;
use serde_json::{Value, json};

const REGENERATE: &str = "UPDATE_SCHEMA=1 cargo test --test it schema";

#[test]
fn openrpc_document_is_up_to_date() {
    committed("openrpc.json", &openrpc::document());
}

#[test]
fn schema_bundle_is_up_to_date() {
    committed("multicodex.schema.json", &openrpc::bundle());
}

#[test]
fn reference_is_up_to_date() {
    committed_text("reference.md", &reference::page(&openrpc::document(), &examples::read()));
}

#[test]
fn every_method_has_an_example_and_every_link_of_the_reference_a_target() {
    let document = openrpc::document();
    let examples = examples::read();
    let methods = document["methods"].as_array().expect("methods");
    let names = methods.iter().filter_map(|method| method["name"].as_str());
    let without: Vec<&str> = names.filter(|name| examples.of_method(name).is_empty()).collect();
    assert_eq!(without, ["rpc.discover"], "whose result is openrpc.json itself");

    let page = reference::page(&document, &examples);
    let targets: Vec<String> = page.lines().filter_map(reference::anchor).collect();
    let links = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    let broken: Vec<&str> = links.filter(|link| !targets.iter().any(|target| target == link)).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn openrpc_document_is_valid_against_the_meta_schema() {
    let meta = data("openrpc-meta-schema-1.14.9.json");
    // The meta-schema refers to the JSON Schema meta-schema by address. The next test checks our schemas more strictly.
    let anything = json!({"definitions": {"JSONSchemaObject": {"properties": {"$ref": {}}}}});
    let registry = Registry::new()
        .add("https://meta.json-schema.tools/", anything.clone())
        .and_then(|registry| registry.add("https://meta.json-schema.tools", anything))
        .and_then(|registry| registry.prepare())
        .expect("a registry of one schema");
    let validator =
        jsonschema::options().with_registry(&registry).build(&meta).expect("the meta-schema compiles");
    let errors: Vec<String> = validator
        .iter_errors(&openrpc::document())
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(
        !validator.is_valid(&json!({"openrpc": "1.3.2"})),
        "a document without methods must not be valid"
    );
}

#[test]
fn every_definition_of_the_bundle_compiles_as_a_2020_12_schema() {
    let bundle = openrpc::bundle();
    let names: Vec<&String> = bundle["$defs"].as_object().expect("definitions").keys().collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let mut schema = bundle.clone();
        schema["$ref"] = json!(format!("#/$defs/{name}"));
        jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Every choice that a client can set has the same name in settings.json.
#[test]
fn every_choice_of_the_protocol_is_a_choice_of_the_settings() {
    let bundle = openrpc::bundle();
    let check = |definition: &str, names: &[&str]| {
        // Values with a description are listed one by one, the others together.
        let described = bundle["$defs"][definition]["oneOf"].as_array().into_iter().flatten();
        let (one, several): (Vec<_>, Vec<_>) =
            described.chain([&bundle["$defs"][definition]]).map(|it| (&it["const"], &it["enum"])).unzip();
        let several = several.into_iter().filter_map(Value::as_array).flatten();
        let mut known: Vec<&str> = one.into_iter().chain(several).filter_map(Value::as_str).collect();
        let mut names = names.to_vec();
        known.sort_unstable();
        names.sort_unstable();
        assert_eq!(known, names, "{definition}");
    };
    check("Strategy", &Strategy::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check("Affinity", &AffinityMode::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check("UsageMode", &UsageMode::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check("ResetWindow", &ResetWindow::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check("FooterOrder", &FooterOrder::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
}

fn committed(name: &str, generated: &Value) {
    committed_text(name, &format!("{}\n", serde_json::to_string_pretty(generated).expect("JSON")));
}

fn committed_text(name: &str, text: &str) {
    let path = root().join("schema").join(name);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, text).expect("schema/ is writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "schema/{name} differs from the types; regenerate it: {REGENERATE}");
}

fn data(name: &str) -> Value {
    let text = fs::read_to_string(root().join("tests/data").join(name)).expect("test data");
    serde_json::from_str(&text).expect("test data is JSON")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
