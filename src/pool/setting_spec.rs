//! The settings that a user can change, one row each. The settings file, `rotation/set` and `footer/set`,
//! `/multicodex`, the command line and completion all walk these tables.

use std::time::Duration;

use strum::VariantNames;

use crate::pool::{
    AccountId, AffinityMode, FooterOrder, FooterPrefs, ReserveUse, ResetCreditUse, ResetWindow,
    RotationSettings, Strategy, Transport, UsageMode,
};

/// One setting of `S`.
#[derive(Debug)]
pub struct SettingSpec<S: 'static> {
    /// The name in the settings file, in the protocol and in commands.
    pub name: &'static str,
    pub kind: SettingKind,
    pub get: fn(&S) -> SettingValue,
    /// Ignores a value that [`SettingKind::allows`] refuses.
    pub set: fn(&mut S, &SettingValue),
}

/// The values that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SettingKind {
    OneOf(&'static [&'static str]),
    Switch,
    Whole {
        min: u64,
        max: u64,
    },
    Number {
        min: f64,
        max: f64,
    },
    /// Whole milliseconds.
    Millis {
        min: u64,
    },
    /// A whole number for each account that has one; all others have 0.
    PerAccount {
        min: i32,
        max: i32,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    Name(String),
    Switch(bool),
    Whole(u64),
    Number(f64),
    Time(Duration),
    PerAccount(Vec<(AccountId, i32)>),
}

/// A setting and its new value. Settings that are not named stay.
pub type SettingChange<S> = (&'static SettingSpec<S>, SettingValue);

pub const FOOTER_SETTINGS: &[SettingSpec<FooterPrefs>] = &[
    SettingSpec {
        name: "usageMode",
        kind: SettingKind::OneOf(<UsageMode as VariantNames>::VARIANTS),
        get: |prefs| name(prefs.usage_mode.name()),
        set: |prefs, value| put(&mut prefs.usage_mode, value.parsed()),
    },
    SettingSpec {
        name: "resetWindow",
        kind: SettingKind::OneOf(<ResetWindow as VariantNames>::VARIANTS),
        get: |prefs| name(prefs.reset_window.name()),
        set: |prefs, value| put(&mut prefs.reset_window, value.parsed()),
    },
    SettingSpec {
        name: "showAccount",
        kind: SettingKind::Switch,
        get: |prefs| SettingValue::Switch(prefs.show_account),
        set: |prefs, value| put(&mut prefs.show_account, value.switch()),
    },
    SettingSpec {
        name: "showReset",
        kind: SettingKind::Switch,
        get: |prefs| SettingValue::Switch(prefs.show_reset),
        set: |prefs, value| put(&mut prefs.show_reset, value.switch()),
    },
    SettingSpec {
        name: "order",
        kind: SettingKind::OneOf(<FooterOrder as VariantNames>::VARIANTS),
        get: |prefs| name(prefs.order.name()),
        set: |prefs, value| put(&mut prefs.order, value.parsed()),
    },
];

pub const ROTATION_SETTINGS: &[SettingSpec<RotationSettings>] = &[
    SettingSpec {
        name: "strategy",
        kind: SettingKind::OneOf(<Strategy as VariantNames>::VARIANTS),
        get: |settings| name(settings.strategy.name()),
        set: |settings, value| put(&mut settings.strategy, value.parsed()),
    },
    SettingSpec {
        name: "affinity",
        kind: SettingKind::OneOf(<AffinityMode as VariantNames>::VARIANTS),
        get: |settings| name(settings.affinity.name()),
        set: |settings, value| put(&mut settings.affinity, value.parsed()),
    },
    SettingSpec {
        name: "transport",
        kind: SettingKind::OneOf(<Transport as VariantNames>::VARIANTS),
        get: |settings| name(settings.transport.name()),
        set: |settings, value| put(&mut settings.transport, value.parsed()),
    },
    SettingSpec {
        name: "maxAttempts",
        kind: SettingKind::Whole { min: 1, max: u32::MAX as u64 },
        get: |settings| SettingValue::Whole(settings.max_attempts.into()),
        set: |settings, value| {
            put(&mut settings.max_attempts, value.whole().and_then(|count| u32::try_from(count).ok()));
        },
    },
    SettingSpec {
        name: "fallbackCooldownMs",
        kind: SettingKind::Millis { min: 1 },
        get: |settings| SettingValue::Time(settings.fallback_cooldown),
        set: |settings, value| put(&mut settings.fallback_cooldown, value.time()),
    },
    SettingSpec {
        name: "reservePercent",
        kind: SettingKind::Number { min: 0.0, max: 100.0 },
        get: |settings| SettingValue::Number(settings.reserve_percent),
        set: |settings, value| put(&mut settings.reserve_percent, value.number()),
    },
    SettingSpec {
        name: "waitForResetMs",
        kind: SettingKind::Millis { min: 0 },
        get: |settings| SettingValue::Time(settings.wait_for_reset.unwrap_or_default()),
        set: |settings, value| {
            put(
                &mut settings.wait_for_reset,
                value.time().map(|wait| Some(wait).filter(|wait| !wait.is_zero())),
            );
        },
    },
    SettingSpec {
        name: "reserve",
        kind: SettingKind::OneOf(<ReserveUse as VariantNames>::VARIANTS),
        get: |settings| name(settings.reserve.name()),
        set: |settings, value| put(&mut settings.reserve, value.parsed()),
    },
    SettingSpec {
        name: "resetCredits",
        kind: SettingKind::OneOf(<ResetCreditUse as VariantNames>::VARIANTS),
        get: |settings| name(settings.reset_credits.name()),
        set: |settings, value| put(&mut settings.reset_credits, value.parsed()),
    },
    SettingSpec {
        name: "priority",
        kind: SettingKind::PerAccount { min: -100, max: 100 },
        get: |settings| {
            let priorities = settings.priority.iter().map(|(account, priority)| (account.clone(), *priority));
            let mut priorities: Vec<_> = priorities.collect();
            priorities.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.as_str().cmp(b.0.as_str())));
            SettingValue::PerAccount(priorities)
        },
        set: |settings, value| {
            if let SettingValue::PerAccount(priorities) = value {
                settings.priority = priorities.iter().cloned().collect();
            }
        },
    },
];

impl SettingKind {
    /// Returns what a value must be, to follow "must be".
    pub fn expected(self) -> String {
        match self {
            SettingKind::OneOf(names) => match names {
                [names @ .., last] if !names.is_empty() => format!("{} or {last}", names.join(", ")),
                names => names.concat(),
            },
            SettingKind::Switch => "true or false".to_owned(),
            SettingKind::Whole { min, .. } => format!("a whole number from {min}"),
            SettingKind::Number { min, max } => format!("a number from {min} to {max}"),
            SettingKind::Millis { min: 0 } => "milliseconds".to_owned(),
            SettingKind::Millis { min } => format!("milliseconds, above {}", min - 1),
            SettingKind::PerAccount { min, max } => {
                format!("a list of {{account, priority}}, each priority a whole number from {min} to {max}")
            }
        }
    }

    pub fn allows(self, value: &SettingValue) -> bool {
        match (self, value) {
            (SettingKind::OneOf(names), SettingValue::Name(name)) => names.contains(&name.as_str()),
            (SettingKind::Switch, SettingValue::Switch(_)) => true,
            (SettingKind::Whole { min, max }, SettingValue::Whole(whole)) => (min..=max).contains(whole),
            (SettingKind::Number { min, max }, SettingValue::Number(number)) => (min..=max).contains(number),
            (SettingKind::Millis { min }, SettingValue::Time(time)) => time.as_millis() >= u128::from(min),
            (SettingKind::PerAccount { min, max }, SettingValue::PerAccount(levels)) => {
                levels.iter().all(|(_, level)| (min..=max).contains(level))
            }
            _ => false,
        }
    }
}

impl SettingValue {
    fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        if let SettingValue::Name(name) = self { name.parse().ok() } else { None }
    }

    fn switch(&self) -> Option<bool> {
        if let SettingValue::Switch(on) = self { Some(*on) } else { None }
    }

    fn whole(&self) -> Option<u64> {
        if let SettingValue::Whole(whole) = self { Some(*whole) } else { None }
    }

    fn number(&self) -> Option<f64> {
        if let SettingValue::Number(number) = self { Some(*number) } else { None }
    }

    fn time(&self) -> Option<Duration> {
        if let SettingValue::Time(time) = self { Some(*time) } else { None }
    }
}

fn name(name: &str) -> SettingValue {
    SettingValue::Name(name.to_owned())
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets each setting to each of `values` that it allows, and reads it back.
    fn round_trips<S: Default>(specs: &[SettingSpec<S>], values: &[SettingValue]) {
        for spec in specs {
            let names = if let SettingKind::OneOf(names) = spec.kind { names } else { &[] };
            let names = names.iter().map(|choice| name(choice));
            let allowed: Vec<_> =
                names.chain(values.iter().cloned()).filter(|value| spec.kind.allows(value)).collect();
            assert!(allowed.len() > 1, "{}: only {allowed:?}", spec.name);
            let mut settings = S::default();
            assert!(spec.kind.allows(&(spec.get)(&settings)), "{}: the default is allowed", spec.name);
            for value in allowed {
                (spec.set)(&mut settings, &value);
                assert_eq!((spec.get)(&settings), value, "{}", spec.name);
            }
        }
    }

    #[test]
    fn every_setting_returns_what_it_was_set_to() {
        let values = [
            SettingValue::Switch(true),
            SettingValue::Switch(false),
            SettingValue::Whole(1),
            SettingValue::Whole(u64::from(u32::MAX)),
            SettingValue::Number(0.0),
            SettingValue::Number(12.5),
            SettingValue::Time(Duration::ZERO),
            SettingValue::Time(Duration::from_millis(1)),
            SettingValue::Time(Duration::from_secs(90)),
            SettingValue::PerAccount(vec![]),
            SettingValue::PerAccount(vec![(AccountId::new("b"), 100), (AccountId::new("a"), -100)]),
        ];
        round_trips(FOOTER_SETTINGS, &values);
        round_trips(ROTATION_SETTINGS, &values);
    }

    #[test]
    fn bounds_refuse_the_next_value() {
        let kind = |name: &str| ROTATION_SETTINGS.iter().find(|spec| spec.name == name).map(|spec| spec.kind);
        let refused = |name: &str, value: SettingValue| {
            assert_eq!(kind(name).map(|kind| kind.allows(&value)), Some(false), "{name}: {value:?}");
        };
        refused("maxAttempts", SettingValue::Whole(0));
        refused("maxAttempts", SettingValue::Whole(1 << 32));
        refused("fallbackCooldownMs", SettingValue::Time(Duration::ZERO));
        refused("reservePercent", SettingValue::Number(-0.1));
        refused("reservePercent", SettingValue::Number(100.1));
        refused("strategy", name("fastest"));
        refused("strategy", SettingValue::Switch(true));
        refused("priority", SettingValue::PerAccount(vec![(AccountId::new("a"), 101)]));
        refused("priority", SettingValue::PerAccount(vec![(AccountId::new("a"), -101)]));
    }

    #[test]
    fn expected_values_are_described() {
        let described = |kind: SettingKind, text: &str| assert_eq!(kind.expected(), text);
        described(SettingKind::OneOf(&["a"]), "a");
        described(SettingKind::OneOf(&["a", "b"]), "a or b");
        described(SettingKind::OneOf(&["a", "b", "c"]), "a, b or c");
        described(SettingKind::Switch, "true or false");
        described(SettingKind::Whole { min: 1, max: 9 }, "a whole number from 1");
        described(SettingKind::Number { min: 0.0, max: 100.0 }, "a number from 0 to 100");
        described(SettingKind::Millis { min: 0 }, "milliseconds");
        described(SettingKind::Millis { min: 1 }, "milliseconds, above 0");
        described(
            SettingKind::PerAccount { min: -100, max: 100 },
            "a list of {account, priority}, each priority a whole number from -100 to 100",
        );
    }
}
