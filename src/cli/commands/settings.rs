//! `rotation`, `footer` and `reset`.

use std::process::ExitCode;

use serde::Serialize;
use tracing::level_filters::LevelFilter;

use super::accounts::line;
use crate::cli::args::SettingArgs;
use crate::cli::one_shot::{Needs, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::protocol::{
    FooterChange, NoParams, ResetScope, RotationChange, RotationParams, SetFooter, SetRotation, ShowFooter,
    ShowRotation, ShowStatus, StatusParams,
};
use crate::render;
use crate::sidecar::{Start, footer_change, rotation_change, setting_lines};

/// Settings can be read and changed in any state of the accounts file.
const SETTINGS: Needs = Needs { start: Start::NotMerging, least: LevelFilter::WARN, accounts: false };

pub(in crate::cli) fn rotation(options: ServeOptions, args: SettingArgs) -> Result<ExitCode, String> {
    let change = rotation_change(args.settings)?;
    one_shot(options, SETTINGS, async |sidecar| {
        let rotation = if change == RotationChange::default() {
            sidecar.call::<ShowRotation>(&RotationParams::default()).await?
        } else {
            sidecar.call::<SetRotation>(&change).await?
        };
        if args.output.json {
            print_json(&rotation).await?;
        } else {
            let settings = lines_of(&rotation.settings)?;
            print(settings + &render::rotation(&rotation, &sidecar.text_style().await?)).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(in crate::cli) fn footer(options: ServeOptions, args: SettingArgs) -> Result<ExitCode, String> {
    let change = footer_change(args.settings)?;
    one_shot(options, SETTINGS, async |sidecar| {
        let footer = if change == FooterChange::default() {
            sidecar.call::<ShowFooter>(&NoParams {}).await?
        } else {
            sidecar.call::<SetFooter>(&change).await?
        };
        if args.output.json {
            print_json(&footer).await?;
        } else {
            let status = sidecar.call::<ShowStatus>(&StatusParams::default()).await?;
            print(format!("{}{}\n", lines_of(&footer)?, render::clean(&status.text))).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(in crate::cli) fn reset(options: ServeOptions, scope: ResetScope) -> Result<ExitCode, String> {
    let scope = match scope {
        ResetScope::Manual => "manual",
        ResetScope::Quota => "quota",
        ResetScope::All => "all",
    };
    line(options, Needs::ACCOUNTS, format!("reset {scope}"))
}

fn lines_of(settings: &impl Serialize) -> Result<String, String> {
    let lines = setting_lines(settings).map_err(|error| error.message)?;
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}
