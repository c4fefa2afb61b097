//! Reasoning belongs to the account and the model that produced it. From GPT-6.2 on, upstream removes what belongs to
//! others and reports it in the terminal event (schema/upstream.md, streams).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::account::SimAccount;
use super::steps::Step;

/// Who produced the items that were sent so far, by their `encrypted_content`.
#[derive(Debug, Default)]
pub(super) struct Produced(HashMap<String, Origin>);

#[derive(Debug)]
struct Origin {
    workspace_id: String,
    user_id: String,
    model: String,
}

impl Produced {
    pub(super) fn remember(&mut self, steps: &[Step], account: &SimAccount, model: &str) {
        for step in steps {
            // Other events need no parsing.
            if let Step::Event(data) = step
                && data.contains("\"encrypted_content\"")
                && let Ok(event) = serde_json::from_str::<Value>(data)
                && event["type"] == "response.output_item.done"
                && let Some(content) = event["item"]["encrypted_content"].as_str()
            {
                let origin = Origin {
                    workspace_id: account.workspace_id.clone(),
                    user_id: account.user_id.clone(),
                    model: model.to_owned(),
                };
                self.0.insert(content.to_owned(), origin);
            }
        }
    }

    /// The `input_transformations` of a response to this input. An item of unknown origin is kept.
    pub(super) fn removed(&self, input: &Value, account: &SimAccount, model: &str) -> Vec<Value> {
        if !model.starts_with("gpt-6.2-") {
            return Vec::new();
        }
        let items = input.as_array().into_iter().flatten().filter(|item| item["type"] == "reasoning");
        items
            .filter_map(|item| {
                let origin = self.0.get(item["encrypted_content"].as_str()?)?;
                let reason = if origin.workspace_id != account.workspace_id {
                    "organization_mismatch"
                } else if origin.user_id != account.user_id {
                    "end_user_mismatch"
                } else if origin.model != model {
                    "model_mismatch"
                } else {
                    return None;
                };
                Some(removal(&item["id"], reason))
            })
            .collect()
    }
}

pub(super) fn removal(id: &Value, reason: &str) -> Value {
    json!({ "type": "reasoning", "id": id, "action": "removed", "reason": reason })
}
