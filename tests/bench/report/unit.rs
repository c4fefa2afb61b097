//! The units that figures have.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    #[serde(rename = "us")]
    Microseconds,
    #[serde(rename = "ns")]
    Nanoseconds,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "MiB")]
    Mebibytes,
    #[serde(rename = "B")]
    Bytes,
}

impl Unit {
    /// For people.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Microseconds if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
            Unit::Microseconds if value >= 100.0 => format!("{value:.0} us"),
            Unit::Microseconds => format!("{value:.1} us"),
            Unit::Nanoseconds if value >= 10_000.0 => format!("{:.1} us", value / 1000.0),
            Unit::Nanoseconds => format!("{value:.0} ns"),
            Unit::PerSecond if value >= 1_000_000.0 => format!("{:.2} M/s", value / 1e6),
            Unit::PerSecond if value >= 10_000.0 => format!("{:.1} k/s", value / 1e3),
            Unit::PerSecond => format!("{value:.0} /s"),
            Unit::MegabytesPerSecond => format!("{value:.0} MB/s"),
            Unit::Bytes => format!("{value:.0} B"),
            Unit::Mebibytes => format!("{value:.1} MiB"),
        }
    }
}
