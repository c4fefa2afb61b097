//! The footer and its settings, for the wire.

use crate::pool::{self, At};
use crate::protocol;
use crate::render::clean;

pub(crate) fn status(footer: &pool::Footer, now: At) -> protocol::Status {
    protocol::Status {
        account: footer.account.as_ref().map(ToString::to_string),
        segments: footer.segments.iter().map(segment).collect(),
        text: clean(&footer.text()).into_owned(),
        updated_at: now.millis(),
    }
}

fn segment(segment: &pool::Segment) -> protocol::StatusSegment {
    protocol::StatusSegment {
        text: clean(&segment.text).into_owned(),
        role: match segment.role {
            pool::Role::Brand => protocol::StatusRole::Brand,
            pool::Role::Account => protocol::StatusRole::Account,
            pool::Role::Window => protocol::StatusRole::Window,
            pool::Role::Reset => protocol::StatusRole::Reset,
            pool::Role::Separator => protocol::StatusRole::Separator,
            pool::Role::Notice => protocol::StatusRole::Notice,
        },
        severity: segment.severity.map(severity),
    }
}

fn severity(severity: pool::Severity) -> protocol::Severity {
    match severity {
        pool::Severity::Success => protocol::Severity::Success,
        pool::Severity::Notice => protocol::Severity::Notice,
        pool::Severity::Warning => protocol::Severity::Warning,
        pool::Severity::Error => protocol::Severity::Error,
        pool::Severity::Unknown => protocol::Severity::Unknown,
    }
}

pub(crate) fn footer(prefs: &pool::FooterPrefs) -> protocol::Footer {
    protocol::Footer {
        usage_mode: usage_mode(prefs.usage_mode),
        reset_window: reset_window(prefs.reset_window),
        show_account: prefs.show_account,
        show_reset: prefs.show_reset,
        order: footer_order(prefs.order),
    }
}

fn usage_mode(value: pool::UsageMode) -> protocol::UsageMode {
    match value {
        pool::UsageMode::Left => protocol::UsageMode::Left,
        pool::UsageMode::Used => protocol::UsageMode::Used,
    }
}

pub(crate) fn usage_mode_of(value: protocol::UsageMode) -> pool::UsageMode {
    match value {
        protocol::UsageMode::Left => pool::UsageMode::Left,
        protocol::UsageMode::Used => pool::UsageMode::Used,
    }
}

fn reset_window(value: pool::ResetWindow) -> protocol::ResetWindow {
    match value {
        pool::ResetWindow::FiveHours => protocol::ResetWindow::FiveHours,
        pool::ResetWindow::SevenDays => protocol::ResetWindow::SevenDays,
        pool::ResetWindow::Both => protocol::ResetWindow::Both,
    }
}

pub(crate) fn reset_window_of(value: protocol::ResetWindow) -> pool::ResetWindow {
    match value {
        protocol::ResetWindow::FiveHours => pool::ResetWindow::FiveHours,
        protocol::ResetWindow::SevenDays => pool::ResetWindow::SevenDays,
        protocol::ResetWindow::Both => pool::ResetWindow::Both,
    }
}

fn footer_order(value: pool::FooterOrder) -> protocol::FooterOrder {
    match value {
        pool::FooterOrder::AccountFirst => protocol::FooterOrder::AccountFirst,
        pool::FooterOrder::UsageFirst => protocol::FooterOrder::UsageFirst,
    }
}

pub(crate) fn footer_order_of(value: protocol::FooterOrder) -> pool::FooterOrder {
    match value {
        protocol::FooterOrder::AccountFirst => pool::FooterOrder::AccountFirst,
        protocol::FooterOrder::UsageFirst => pool::FooterOrder::UsageFirst,
    }
}
