//! Luna Reserve: a second quota that upstream offers an account whose ordinary usage is up (schema/upstream.md, usage).

use serde::{Deserialize, Serialize};

/// The model that a request names to be answered from the reserve.
pub const RESERVE_MODEL: &str = "gpt-reserve";
/// Upstream's name for the limit of the reserve.
pub const RESERVE_LIMIT: &str = "base_model_inference";
/// The usual name of the model that answers from the reserve.
pub const RESERVE_ORDINARY_MODEL: &str = "gpt-5.6-luna";

/// Upstream's latest word on whether the reserve of an account may be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reserve {
    /// Upstream offers it now: the ordinary usage is up, and the reserve is not.
    pub granted: bool,
    /// The usual name of the reserve's model, if upstream said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinary_model: Option<String>,
}

impl Reserve {
    /// Returns whether upstream mentioned a reserve, and not only that ordinary usage is allowed.
    pub fn is_told_of(&self) -> bool {
        self.granted || self.ordinary_model.is_some()
    }

    /// Returns whether the reserve answers with the requested model.
    pub fn answers_as(&self, model: &str) -> bool {
        let ordinary = self.ordinary_model.as_deref().unwrap_or(RESERVE_ORDINARY_MODEL);
        [ordinary, RESERVE_MODEL].iter().any(|known| known.eq_ignore_ascii_case(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_answers_as_its_ordinary_model_and_as_itself() {
        let answers = |ordinary: Option<&str>, model: &str| {
            Reserve { granted: true, ordinary_model: ordinary.map(str::to_owned) }.answers_as(model)
        };
        assert!(answers(None, "gpt-5.6-luna") && answers(None, "GPT-5.6-Luna"));
        assert!(answers(Some("gpt-7-luna"), "gpt-7-luna") && answers(Some("gpt-7-luna"), "gpt-reserve"));
        assert!(!answers(Some("gpt-7-luna"), "gpt-5.6-luna") && !answers(None, "gpt-6.2-sol"));
    }
}
