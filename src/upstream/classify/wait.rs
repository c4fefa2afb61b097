//! How long an answer says to wait: `retry-after-ms`, `retry-after` (seconds or a date, RFC 9110 10.2.3), or the words
//! "try again in 1.5s".

use std::time::Duration;

use http::HeaderMap;

use crate::pool::At;
use crate::upstream::lenient;

pub(super) fn retry_after(headers: &HeaderMap, message: Option<&str>, now: At) -> Option<Duration> {
    lenient::header_number(headers, "retry-after-ms")
        .and_then(|millis| seconds(millis / 1000.0))
        .or_else(|| lenient::header_number(headers, "retry-after").and_then(seconds))
        .or_else(|| Some(http_date(lenient::header(headers, "retry-after")?)?.since(now)))
        .or_else(|| try_again_in(message?))
}

/// "Please try again in 11.054s", "… in 350ms", "… in 6m0s", "… in 2 hours 5 minutes".
fn try_again_in(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let (_, mut rest) = message.split_once("try again in")?;
    let mut total = None;
    loop {
        rest = rest.trim_start();
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..digits].parse::<f64>() else { return total };
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86400.0,
            _ => return total,
        };
        rest = &rest[letters..];
        total = Some(total.unwrap_or_default() + seconds(number * unit)?);
    }
}

fn seconds(seconds: f64) -> Option<Duration> {
    /// A temporary condition does not last longer. The limit also keeps sums from overflowing.
    const YEAR: f64 = 366.0 * 86400.0;
    (0.0..=YEAR).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that is still written.
fn http_date(text: &str) -> Option<At> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(months.iter().position(|name| *name == month)?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hours, minutes, secs) = (clock.next()??, clock.next()??, clock.next()??);
    let within = (1970..10_000).contains(&year)
        && (1..=31).contains(&day)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..=60).contains(&secs);
    if !within || words.next()? != "GMT" {
        return None;
    }
    // Days since the epoch in the proleptic Gregorian calendar, with the year beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(At::from_secs(days * 86400 + hours * 3600 + minutes * 60 + secs))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_words_try_again_in_are_understood() {
        let check = |message: &str, millis: Option<u64>| {
            assert_eq!(try_again_in(message), millis.map(Duration::from_millis), "{message}");
        };
        check("Rate limit reached. Please try again in 1.5s.", Some(1500));
        check("Please try again in 11.054s. Visit …", Some(11_054));
        check("please Try Again In 350ms", Some(350));
        check("try again in 20 seconds", Some(20_000));
        check("try again in 1 second.", Some(1000));
        check("try again in 6m0s.", Some(360_000));
        check("try again in 1h2m3.5s", Some(3_723_500));
        check("try again in 2 hours 5 minutes", Some(7_500_000));
        check("try again in 3 days, or", Some(259_200_000));
        check("try again in a moment", None);
        check("try again in 5 fortnights", None);
        check("try again in 999999999999999999999999s", None);
        check("try again later", None);
        check("try again in", None);
    }

    #[test]
    fn headers_come_before_words() {
        let now = At::from_secs(784_111_777 - 10);
        let check = |pairs: &[(&'static str, &str)], expected: Option<u64>| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            let wait = retry_after(&headers, Some("try again in 7s"), now);
            assert_eq!(wait, expected.map(Duration::from_millis), "{pairs:?}");
        };
        check(&[], Some(7000));
        check(&[("retry-after", "2")], Some(2000));
        check(&[("retry-after", "0")], Some(0));
        check(&[("retry-after", "1.25")], Some(1250));
        check(&[("retry-after", "2"), ("retry-after-ms", "300")], Some(300));
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(10_000));
        check(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(0));
        check(&[("retry-after", "")], Some(7000));
        check(&[("retry-after", "-5")], Some(7000));
        check(&[("retry-after", "soon")], Some(7000));
    }

    #[test]
    fn dates_are_days_since_the_epoch() {
        let check = |text: &str, expected: i64| assert_eq!(http_date(text), Some(At::from_secs(expected)));
        check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
        check("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600);
        check("Mon, 23 Nov 2026 20:22:01 GMT", 1_795_465_321);
        for nonsense in [
            "Mon, 9223372036854775807 Nov 2026 20:22:01 GMT",
            "Mon, 0 Nov 2026 20:22:01 GMT",
            "Mon, 23 Nov 2026 9223372036854775807:22:01 GMT",
            "Mon, 23 Nov 2026 -1:22:01 GMT",
            "Mon, 23 Nov 2026 20:60:01 GMT",
            "Mon, 23 Nov 2026 20:22:61 GMT",
        ] {
            assert_eq!(http_date(nonsense), None, "{nonsense}");
        }
    }
}
