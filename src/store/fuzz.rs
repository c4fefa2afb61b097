//! Properties of any bytes in a shared file. `tests/fuzz` generates the bytes.

use std::collections::HashSet;

use serde_json::Value;

use crate::pool::{At, Credential};
use crate::secret::Secret;
use crate::store::Document;
use crate::store::pi::members::Members;
use crate::store::pi::settings;

const AT: At = At(1_800_000_000_000);

/// An accounts file that parses is read again as it was written; a change of one account changes nothing else, and a
/// removed account is gone.
pub fn accounts_file(data: &[u8]) {
    let Some(text) = str::from_utf8(data).ok() else { return };
    let Ok(document) = text.parse::<Document>() else { return };
    let written = document.to_json();
    let Ok(again) = written.parse::<Document>() else { panic!("not read again: {written}") };
    assert_eq!(again.to_json(), written);
    assert!(again.accounts().eq(document.accounts()), "other accounts: {written}");
    assert_eq!(again.problems(), document.problems());
    let labels: Vec<String> = document.accounts().map(|account| account.email).collect();
    let unique: HashSet<String> = labels.iter().map(|label| label.to_lowercase()).collect();
    assert_eq!(unique.len(), labels.len(), "{labels:?}");

    // Accounts with these tokens could not be distinguished from the one that gets them.
    let Some(label) = labels.first().filter(|_| !text.contains("ss-2")) else { return };
    let mut changed = document.clone();
    let credential =
        Credential { access: Secret::new("access-2"), refresh: Secret::new("refresh-2"), expires_at: AT };
    assert_eq!(changed.set_credential(label, &credential), Ok(()));
    assert_eq!(changed.accounts().next().map(|account| account.credential()), Some(credential));
    assert!(changed.accounts().skip(1).eq(document.accounts().skip(1)), "a change of one changed another");
    if let (Some(mut before), Some(mut after)) = (values(&document), values(&changed)) {
        let place = document.position(label).unwrap_or_default();
        for file in [&mut before, &mut after] {
            for name in ["accessToken", "refreshToken", "expiresAt"] {
                file["accounts"][place][name] = Value::Null;
            }
        }
        assert_eq!(after, before, "a change of one member changed another");
    }
    assert_eq!(changed.remove(label), Ok(()));
    // A second entry of the same label may take its place, but not its tokens.
    assert!(changed.accounts().all(|account| account.access.expose() != "access-2"));
}

/// The file as other programs read it. `None` where they would refuse it: numbers beyond any float, half surrogate
/// pairs.
fn values(document: &Document) -> Option<Value> {
    serde_json::from_str(&document.to_json()).ok()
}

/// pi's file: the values that are read are those in the file, and a new credential changes nothing else.
pub fn auth_file(data: &[u8]) {
    let Some(text) = str::from_utf8(data).ok() else { return };
    let (Ok(file), Ok(value)) = (serde_json::from_str::<Members>(text), serde_json::from_str::<Value>(text))
    else {
        return;
    };
    let Ok(Some(found)) = crate::store::pi::auth::parse(&file) else { return };
    let entry = &value["openai-codex"];
    assert_eq!(entry["type"], "oauth");
    assert_eq!(
        (found.access.expose(), found.refresh.expose()),
        (entry["access"].as_str().unwrap_or_default(), entry["refresh"].as_str().unwrap_or_default())
    );
    let credential =
        Credential { access: Secret::new("access-2"), refresh: Secret::new("refresh-2"), expires_at: AT };
    let written = crate::store::pi::auth::with_credential(&file, &credential);
    let Some(Ok(written)) = written else { panic!("an entry that is read can be written") };
    let mut expected = value.clone();
    expected["openai-codex"]["access"] = "access-2".into();
    expected["openai-codex"]["refresh"] = "refresh-2".into();
    expected["openai-codex"]["expires"] = AT.millis().into();
    assert_eq!(serde_json::from_slice::<Value>(&written).ok(), Some(expected));
}

/// Whatever is set, the used values are within their bounds, and each value that was not used is named.
pub fn settings_file(data: &[u8]) {
    let Ok(file) = serde_json::from_slice::<Members>(data) else { return };
    let read = settings::read(&file);
    let rotation = &read.rotation;
    assert!(rotation.max_attempts >= 1);
    assert!((0.0..=100.0).contains(&rotation.reserve_percent));
    assert!(!rotation.fallback_cooldown.is_zero());
    assert!(rotation.wait_for_reset.is_none_or(|wait| !wait.is_zero()));
    assert!(rotation.priority.values().all(|priority| (-100..=100).contains(priority)));
    assert!(read.problems.iter().all(|problem| problem.path.starts_with("pi-multicodex")));
    if file.raw("pi-multicodex").is_none() {
        assert_eq!(read, settings::Settings::default());
    }
}
