//! How saved types are read: a part that this version does not know is left out, and nothing else with it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// A part that may be of a later version, e.g. evidence of a kind that is unknown here.
#[derive(Deserialize)]
#[serde(untagged)]
enum MaybeKnown<T> {
    Known(T),
    Unknown(IgnoredAny),
}

impl<T> MaybeKnown<T> {
    fn known(self) -> Option<T> {
        match self {
            MaybeKnown::Known(value) => Some(value),
            MaybeKnown::Unknown(IgnoredAny) => None,
        }
    }
}

/// For `#[serde(default, deserialize_with)]` of an optional part.
pub(crate) fn known<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<MaybeKnown<T>>::deserialize(deserializer)?.and_then(MaybeKnown::known))
}

/// For `#[serde(default, deserialize_with)]` of a list.
pub(crate) fn all_known<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Vec::<MaybeKnown<T>>::deserialize(deserializer)?;
    Ok(list.into_iter().filter_map(MaybeKnown::known).collect())
}
