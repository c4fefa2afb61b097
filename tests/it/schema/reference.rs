//! `schema/reference.md`: a section for each method, notification and type of the OpenRPC document.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::examples::{Examples, Exchange};
use super::pretty::pretty;

const HEAD: &str = "\
<!-- Generated from the Rust types by tests/it/schema. Change the types, then run:
     UPDATE_SCHEMA=1 cargo test --test it schema -->

# Reference of the multicodex protocol

One section for each method, notification and type. How they work together is in [`protocol.md`](protocol.md); the same
facts for programs are in `openrpc.json` and `multicodex.schema.json`.

- Times are integers: milliseconds since 1970-01-01 UTC. Durations end in `Ms`.
- `?` marks a member that may be absent. In params `null` means absent, too.
- The examples are taken from `examples/*.jsonl`, which a test replays against the real binary. `…` stands for what is left out.
";

/// Returns the whole page.
pub fn page(document: &Value, examples: &Examples) -> String {
    let mut page = HEAD.to_owned();
    let methods = document["methods"].as_array().expect("methods");
    page.push_str("\n| method | what it does |\n| --- | --- |\n");
    for method in methods {
        let name = text(&method["name"]);
        writeln!(page, "| [`{name}`](#{}) | {} |", slug(name), text(&method["summary"])).expect("a string");
    }
    page.push_str("\n# Methods\n");
    for method in methods {
        page.push_str(&method_section(method, document, examples));
    }
    page.push_str("\n# Errors\n\nWhat any request can be answered with:\n\n");
    page.push_str(&errors(&document["x-common-errors"]));
    page.push_str("\n# Notifications\n");
    let complete = methods.iter().find(|method| method["name"] == "complete").expect("a method");
    let mut subscription = complete["x-subscription"].clone();
    subscription["name"] = "complete".into();
    subscription["summary"] = "One step of a completion, sent to its subscription.".into();
    page.push_str(&notification_section(&subscription, examples));
    for notification in document["x-notifications"].as_array().expect("notifications") {
        page.push_str(&notification_section(notification, examples));
    }
    page.push_str("\n# Types\n");
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        if !is_shown_with_its_method(name, document) {
            page.push_str(&type_section(name, schema));
        }
    }
    page
}

/// Returns the anchor of a heading, as GitHub makes it; `None` for other lines.
pub fn anchor(line: &str) -> Option<String> {
    line.starts_with('#').then(|| slug(line.trim_start_matches('#').trim()))
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn method_section(method: &Value, document: &Value, examples: &Examples) -> String {
    let name = text(&method["name"]);
    let mut section = format!("\n## `{name}`\n\n{}\n", text(&method["summary"]));
    if let Some(description) = method["description"].as_str() {
        write!(section, "\n{description}\n").expect("a string");
    }
    let params = &method["params"];
    section.push_str("\n**Params**");
    let rows = params.as_array().expect("params").iter().map(|param| {
        let required = param["required"] == true;
        row(text(&param["name"]), required, &param["schema"])
    });
    section.push_str(&table_or_none(rows.collect()));
    section.push_str(&result(&method["result"]["schema"], document));
    section.push_str("\n**Errors**");
    match method["errors"].as_array().filter(|errors| !errors.is_empty()) {
        Some(_) => write!(section, "\n\n{}", errors(&method["errors"])).expect("a string"),
        None => section.push_str(": only [those of every request](#errors).\n"),
    }
    if name == "complete" {
        section.push_str("\n**Notifications**: [`complete`](#complete-to-a-subscription), until one of `done`, `error`, `cancelled`.\n");
    }
    section.push_str(&method_examples(name, examples.of_method(name)));
    section
}

fn result(schema: &Value, document: &Value) -> String {
    let definition = reference(schema).map(|name| (name, &document["components"]["schemas"][name]));
    match definition {
        Some((name, definition)) if is_shown_with_its_method(name, document) => {
            format!("\n**Result**{}", table_or_none(members(definition)))
        }
        _ => format!("\n**Result**: {}\n", kind(schema)),
    }
}

/// Returns whether a definition is the params or the result of one method, and used nowhere else.
fn is_shown_with_its_method(name: &str, document: &Value) -> bool {
    let address = format!("#/components/schemas/{name}");
    let mut uses = 0;
    let mut in_methods = BTreeSet::new();
    count(document, &address, &mut uses);
    let methods = document["methods"].as_array().into_iter().flatten();
    for method in methods {
        if method["x-params"]["$ref"] == *address {
            return true;
        }
        if method["result"]["schema"]["$ref"] == *address {
            in_methods.insert(text(&method["name"]));
        }
    }
    in_methods.len() == 1 && uses == 1
}

fn count(value: &Value, address: &str, uses: &mut usize) {
    match value {
        Value::Object(members) => {
            *uses += usize::from(members.get("$ref").is_some_and(|reference| reference == address));
            members.values().for_each(|member| count(member, address, uses));
        }
        Value::Array(items) => items.iter().for_each(|item| count(item, address, uses)),
        _ => {}
    }
}

fn errors(errors: &Value) -> String {
    let mut table = "| code | `data.kind` | when |\n| --- | --- | --- |\n".to_owned();
    for error in errors.as_array().expect("errors") {
        let kind = text(&error["data"]["kind"]);
        writeln!(table, "| {} | `{kind}` | {} |", error["code"], text(&error["message"])).expect("a string");
    }
    table
}

fn method_examples(name: &str, exchanges: Vec<&Exchange>) -> String {
    let mut section = "\n**Example**\n\n```text\n".to_owned();
    if name == "rpc.discover" {
        section.push_str("→ {\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"rpc.discover\"}\n");
        section.push_str("← {\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"openrpc\": \"1.3.2\", …}}\n");
    }
    for exchange in exchanges {
        writeln!(section, "→ {}\n← {}", pretty(&exchange.request), pretty(&exchange.answer))
            .expect("a string");
    }
    section.push_str("```\n");
    section
}

fn notification_section(notification: &Value, examples: &Examples) -> String {
    let name = text(&notification["name"]);
    let from = if notification["from"] == "client" { "from the client" } else { "from the sidecar" };
    let heading = if name == "complete" {
        "`complete`, to a subscription".to_owned()
    } else {
        format!("`{name}` ({from})")
    };
    let mut section = format!("\n## {heading}\n\n{}\n\n", text(&notification["summary"]));
    match reference(&notification["params"]) {
        Some(_) => writeln!(section, "**Params**: {}", kind(&notification["params"])).expect("a string"),
        None => write!(section, "**Params**{}", table_or_none(members(&notification["params"])))
            .expect("a string"),
    }
    let messages = examples.of_notification(name);
    if !messages.is_empty() {
        section.push_str("\n**Example**\n\n```text\n");
        for message in messages {
            writeln!(section, "← {}", pretty(message)).expect("a string");
        }
        section.push_str("```\n");
    }
    section
}

fn type_section(name: &str, schema: &Value) -> String {
    let mut section = format!("\n## {name}\n");
    if let Some(description) = schema["description"].as_str() {
        write!(section, "\n{}\n", one_line(description)).expect("a string");
    }
    let variants = schema["oneOf"].as_array().filter(|_| values(schema).is_none());
    if let Some(variants) = variants {
        for variant in variants {
            let tag = text(&variant["properties"]["type"]["const"]);
            write!(section, "\n**`{tag}`**: {}", one_line(text(&variant["description"]))).expect("a string");
            let rows = members(variant).into_iter().filter(|row| !row.starts_with("| `type` "));
            section.push_str(&table_or_nothing(rows.collect()));
        }
    } else if let Some(values) = values(schema) {
        section.push_str("\n| value | |\n| --- | --- |\n");
        for (value, description) in values {
            writeln!(section, "| `{value}` | {description} |").expect("a string");
        }
    } else if schema.get("properties").is_some() {
        section.push_str(&table_or_nothing(members(schema)));
    } else {
        write!(section, "\n{}\n", kind(schema)).expect("a string");
    }
    section
}

/// Returns the values of a type that has only certain texts.
fn values(schema: &Value) -> Option<Vec<(String, String)>> {
    if let Some(plain) = schema["enum"].as_array() {
        return Some(plain.iter().map(|value| (text(value).to_owned(), String::new())).collect());
    }
    let mut found = Vec::new();
    for variant in schema["oneOf"].as_array()? {
        let description = one_line(text(&variant["description"]));
        match (&variant["const"], variant["enum"].as_array()) {
            (Value::String(value), _) => found.push((value.clone(), description)),
            (_, Some(several)) => {
                found.extend(several.iter().map(|value| (text(value).to_owned(), String::new())));
            }
            _ => return None,
        }
    }
    Some(found)
}

fn members(definition: &Value) -> Vec<String> {
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = definition["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| row(name, required.contains(&name.as_str()), schema)).collect()
}

fn row(name: &str, required: bool, schema: &Value) -> String {
    let mark = if required { "" } else { "?" };
    let description = one_line(text(&schema["description"])).replace('|', "\\|");
    format!("| `{name}`{mark} | {} | {description} |", kind(schema))
}

fn table_or_none(rows: Vec<String>) -> String {
    if rows.is_empty() { ": none\n".to_owned() } else { table_or_nothing(rows) }
}

fn table_or_nothing(rows: Vec<String>) -> String {
    if rows.is_empty() {
        return "\n".to_owned();
    }
    format!("\n\n| member | type | |\n| --- | --- | --- |\n{}\n", rows.join("\n"))
}

/// Returns a schema as text: a linked name, or a JSON type.
fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("[{name}](#{})", slug(name));
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let kinds = options.iter().filter(|option| option["type"] != "null").map(kind);
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("`{value}`");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
        }
        _ => return "any JSON".to_owned(),
    };
    let in_words = types.iter().map(|name| match *name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    });
    in_words.collect::<Vec<_>>().join(" or ")
}

fn reference(schema: &Value) -> Option<&str> {
    let address =
        schema["$ref"].as_str().or_else(|| match schema["allOf"].as_array().map(Vec::as_slice) {
            Some([only]) => only["$ref"].as_str(),
            _ => None,
        })?;
    address.rsplit('/').next()
}

/// Links and line breaks of rustdoc have no meaning in a table.
fn one_line(description: &str) -> String {
    description.split_whitespace().collect::<Vec<_>>().join(" ").replace("[`", "`").replace("`]", "`")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
