//! Parameters that upstream refused: each is left out once per completion, and the refusal is kept for a day, so that
//! later completions avoid the refused request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strum::VariantArray;

use crate::pool::{At, DispensableParameter};

const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Far more models than exist; another one costs one refused request.
const MAX_MODELS: usize = 256;

type UntilByModel = HashMap<(String, DispensableParameter), At>;

/// Until when each refusal is kept.
#[derive(Default)]
pub(crate) struct RefusedParameters(Mutex<UntilByModel>);

impl RefusedParameters {
    pub(crate) fn remember(&self, model: &str, parameter: DispensableParameter, now: At) {
        let mut refused = self.lock();
        refused.retain(|_, until| *until > now);
        if refused.len() < MAX_MODELS {
            refused.insert((model.to_owned(), parameter), now + REMEMBERED_FOR);
        }
    }

    /// Returns the parameters to leave out of requests for `model`.
    pub(crate) fn of_model(&self, model: &str, now: At) -> Vec<DispensableParameter> {
        let refused = self.lock();
        if refused.is_empty() {
            return Vec::new();
        }
        let is_refused = |parameter: &DispensableParameter| {
            refused.get(&(model.to_owned(), *parameter)).is_some_and(|until| *until > now)
        };
        DispensableParameter::VARIANTS.iter().copied().filter(is_refused).collect()
    }

    fn lock(&self) -> MutexGuard<'_, UntilByModel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DispensableParameter::MaxOutputTokens;

    #[test]
    fn refusals_are_remembered_for_a_day_by_model() {
        let refused = RefusedParameters::default();
        let (now, day) = (At(1_000), Duration::from_secs(24 * 3600));
        refused.remember("m", MaxOutputTokens, now);
        assert_eq!(refused.of_model("m", now), [MaxOutputTokens]);
        assert_eq!(refused.of_model("m", At((now + day).0 - 1)), [MaxOutputTokens]);
        assert!(refused.of_model("m", now + day).is_empty());
        assert!(refused.of_model("other", now).is_empty());
    }

    #[test]
    fn memory_is_bounded_and_freed_after_a_day() {
        let refused = RefusedParameters::default();
        for index in 0..=MAX_MODELS {
            refused.remember(&format!("m{index}"), MaxOutputTokens, At(0));
        }
        assert_eq!(refused.lock().len(), MAX_MODELS);
        refused.remember("new", MaxOutputTokens, At(0) + REMEMBERED_FOR);
        assert_eq!(refused.lock().len(), 1);
    }
}
