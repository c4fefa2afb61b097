//! The footer and its settings, for the wire.

use crate::pool::{self, At, FOOTER_SETTINGS};
use crate::protocol;
use crate::render::clean;
use crate::sidecar::view::settings::settings_view;

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
    settings_view(FOOTER_SETTINGS, prefs)
}
