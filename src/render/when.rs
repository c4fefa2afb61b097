//! Durations and amounts, shortened.

/// `2d4h`, `2h13m`, `13m`, `45s`: the two largest units; a smaller unit that is zero is left out.
pub fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, unit: &str, small: i64, smaller: &str| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{smaller}"),
    };
    match (days, hours, minutes) {
        (1.., _, _) => two(days, "d", hours % 24, "h"),
        (_, 1.., _) => two(hours, "h", minutes % 60, "m"),
        (_, _, 1..) => format!("{minutes}m"),
        _ => format!("{seconds}s"),
    }
}

/// Returns how long ago `at` was. It may come from an edited file, so it may lie in the future.
pub(super) fn since(at: i64, now: i64) -> String {
    duration(now.saturating_sub(at))
}

/// `850ms`, `1.2s`, `34s`, `2m5s`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..9950 => format!("{:.1}s", ms as f64 / 1000.0),
        9950..59_500 => format!("{:.0}s", ms as f64 / 1000.0),
        _ => {
            let seconds = ms.saturating_add(500) / 1000;
            match (seconds / 60, seconds % 60) {
                (minutes, 0) => format!("{minutes}m"),
                (minutes, seconds) => format!("{minutes}m{seconds}s"),
            }
        }
    }
}

/// `950`, `9.9k`, `12k`, `1.2M`.
pub(super) fn amount(number: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"), (1_000_000_000_000, "T")];
    let Some((size, unit)) = UNITS.iter().rev().find(|(size, _)| number >= size - size / 2000) else {
        return number.to_string();
    };
    let share = number as f64 / *size as f64;
    if share < 9.95 { format!("{share:.1}{unit}") } else { format!("{share:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_few_letters_as_say_enough() {
        let cases =
            [(0, "0s"), (-5, "0s"), (45_999, "45s"), (60_000, "1m"), (3_600_000, "1h"), (7_980_000, "2h13m")];
        for (ms, expected) in cases {
            assert_eq!(duration(ms), expected);
        }
        assert_eq!(
            (duration(86_400_000 + 3_600_000).as_str(), duration(172_800_000).as_str()),
            ("1d1h", "2d")
        );
        for (ms, expected) in
            [(0, "0ms"), (999, "999ms"), (1234, "1.2s"), (9999, "10s"), (59_600, "1m"), (125_000, "2m5s")]
        {
            assert_eq!(span(ms), expected);
        }
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.0k"),
            (12_345, "12k"),
            (999_499, "999k"),
            (999_600, "1.0M"),
            (1_250_000, "1.2M"),
            (u64::MAX, "18446744T"),
        ] {
            assert_eq!(amount(number), expected);
        }
    }
}
