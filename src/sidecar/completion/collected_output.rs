//! The output of a collected response. The backend ends a stream with a response whose `output` is empty: its items
//! came in `response.output_item.done` events (schema/upstream.md).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::upstream::Event;

/// The items so far, by their index in the output.
#[derive(Default)]
pub(crate) struct CollectedOutput(BTreeMap<u64, Box<RawValue>>);

impl CollectedOutput {
    /// Keeps the item of a `response.output_item.done` event.
    pub(crate) fn add(&mut self, event: &Event) {
        #[derive(Deserialize)]
        struct ItemDone<'a> {
            r#type: &'a str,
            output_index: Option<u64>,
            item: Box<RawValue>,
        }
        // Few events end an item, and all of them contain this text.
        if memchr::memmem::find(event.json(), b"output_item.done").is_none() {
            return;
        }
        let Ok(done) = serde_json::from_slice::<ItemDone<'_>>(event.json()) else { return };
        if done.r#type == "response.output_item.done" {
            let after_all = self.0.last_key_value().map_or(0, |(index, _)| index + 1);
            self.0.insert(done.output_index.unwrap_or(after_all), done.item);
        }
    }

    /// Returns the response with these items as its `output`, when it has none. Everything else stays byte for byte.
    pub(crate) fn fill(&self, response: Box<RawValue>) -> Box<RawValue> {
        #[derive(Deserialize)]
        struct Response<'a> {
            #[serde(borrow, default)]
            output: Option<&'a RawValue>,
        }
        let text = response.get();
        let Ok(Response { output }) = serde_json::from_str::<Response<'_>>(text) else { return response };
        let is_empty = output.is_none_or(|output| {
            let inner = output.get().trim_start_matches('[').trim_end_matches(']').trim();
            inner.is_empty() || inner == "null"
        });
        if self.0.is_empty() || !is_empty {
            return response;
        }
        let items: Vec<&str> = self.0.values().map(|item| item.get()).collect();
        let items = format!("[{}]", items.join(","));
        let filled = match null_or_empty_span(text, output) {
            Some((start, end)) => format!("{}{items}{}", &text[..start], &text[end..]),
            None => {
                let end = text.rfind('}').unwrap_or(text.len());
                let comma = if text[..end].trim_end().ends_with('{') { "" } else { "," };
                format!("{}{comma}\"output\":{items}{}", &text[..end], &text[end..])
            }
        };
        RawValue::from_string(filled).unwrap_or(response)
    }
}

/// Returns where the value of `output` is in `text`, if there is one. An absent member and `null` deserialize alike, so
/// a `null` is searched for by its name.
fn null_or_empty_span(text: &str, output: Option<&RawValue>) -> Option<(usize, usize)> {
    if let Some(output) = output {
        let start = output.get().as_ptr() as usize - text.as_ptr() as usize;
        return Some((start, start + output.get().len()));
    }
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow, default, deserialize_with = "spelled")]
        output: Option<&'a RawValue>,
    }
    fn spelled<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Some)
    }
    let null = serde_json::from_str::<Response<'_>>(text).ok()?.output?;
    null_or_empty_span(text, Some(null))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn filled(events: &[&str], response: &str) -> String {
        let mut output = CollectedOutput::default();
        for event in events {
            output.add(&Event::of_text(event));
        }
        output.fill(RawValue::from_string(response.to_owned()).unwrap()).get().to_owned()
    }

    #[test]
    fn items_fill_an_output_that_is_missing_null_or_empty() {
        let second = r#"{"type":"response.output_item.done","output_index":1,"item":{"id":"b","n":1.0}}"#;
        let first = r#"{"type":"response.output_item.done","item":{"id":"a"},"output_index":0}"#;
        let other = r#"{"type":"response.output_text.delta","delta":"output_item.done"}"#;
        let items = r#"[{"id":"a"},{"id":"b","n":1.0}]"#;
        let check = |response: &str, expected: String| {
            assert_eq!(filled(&[second, other, first], response), expected, "{response}");
        };
        check(r#"{"id":"r","output":[],"x":1.50}"#, format!(r#"{{"id":"r","output":{items},"x":1.50}}"#));
        check(r#"{"output": null }"#, format!(r#"{{"output": {items} }}"#));
        check(r#"{"id":"r"}"#, format!(r#"{{"id":"r","output":{items}}}"#));
        check("{}", format!(r#"{{"output":{items}}}"#));
        check(r#"{"output":[{"id":"own"}]}"#, r#"{"output":[{"id":"own"}]}"#.to_owned());
        assert_eq!(filled(&[], r#"{"output":[]}"#), r#"{"output":[]}"#);
    }
}
