//! `rotation`, `footer` and `reset`.

use std::process::ExitCode;

use tracing::level_filters::LevelFilter;

use super::accounts::line;
use crate::cli::args::SettingArgs;
use crate::cli::one_shot::{Needs, one_shot, print_json};
use crate::cli::options::ServeOptions;
use crate::protocol::{NoParams, ResetScope, RotationParams, ShowFooter, ShowRotation};
use crate::sidecar::{Start, quoted};

/// Settings can be read and changed whatever state the accounts file is in.
const SETTINGS: Needs = Needs { start: Start::NotMerging, least: LevelFilter::WARN, accounts: false };

pub(in crate::cli) fn rotation(options: ServeOptions, change: &SettingArgs) -> Result<ExitCode, String> {
    if change.output.json && change.settings.is_empty() {
        return one_shot(options, SETTINGS, async |sidecar| {
            print_json(&sidecar.call::<ShowRotation>(&RotationParams::default()).await?).await?;
            Ok(ExitCode::SUCCESS)
        });
    }
    line(options, SETTINGS, as_line("rotation", &change.settings))
}

pub(in crate::cli) fn footer(options: ServeOptions, change: &SettingArgs) -> Result<ExitCode, String> {
    if change.output.json && change.settings.is_empty() {
        return one_shot(options, SETTINGS, async |sidecar| {
            print_json(&sidecar.call::<ShowFooter>(&NoParams {}).await?).await?;
            Ok(ExitCode::SUCCESS)
        });
    }
    line(options, SETTINGS, as_line("footer", &change.settings))
}

pub(in crate::cli) fn reset(options: ServeOptions, scope: ResetScope) -> Result<ExitCode, String> {
    let scope = match scope {
        ResetScope::Manual => "manual",
        ResetScope::Quota => "quota",
        ResetScope::All => "all",
    };
    line(options, Needs::ACCOUNTS, format!("reset {scope}"))
}

fn as_line(word: &str, settings: &[String]) -> String {
    settings.iter().fold(word.to_owned(), |line, setting| format!("{line} {}", quoted(setting)))
}
