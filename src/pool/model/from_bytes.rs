//! Events read from bytes, so that a fuzzer can generate them: three bytes of settings, and four for each event.

use super::lives::{Event, live_through};
use super::*;
use strum::VariantArray;

const MOST_EVENTS: usize = 200;

/// For any events, the pool and the naive one agree on every choice.
pub fn rotation(data: &[u8]) {
    let [strategy, attempts, reserve, events @ ..] = data else { return };
    let settings = RotationSettings {
        strategy: Strategy::VARIANTS[usize::from(*strategy) % Strategy::VARIANTS.len()],
        max_attempts: u32::from(attempts % 6) + 1,
        reserve_percent: f64::from(reserve % 101),
        priority: [(id("b"), 7), (id("c"), -7)].into(),
        ..RotationSettings::default()
    };
    let events: Vec<Event> =
        events.as_chunks::<4>().0.iter().take(MOST_EVENTS).map(|bytes| event(*bytes)).collect();
    live_through(settings, &events);
}

fn event([kind, who, a, b]: [u8; 4]) -> Event {
    let (who, flag) = (usize::from(who % 4), who >= 128);
    match kind % 10 {
        0 => Event::Pass(i64::from(a) * 100),
        1 => Event::Pass(i64::from(a) * HOUR / 2 + i64::from(b)),
        2 => Event::Disable { who, disabled: flag },
        3 => Event::Login { who },
        4 => Event::Pin { who },
        5 if a < 64 => Event::Reset,
        5 | 6 => Event::Read {
            who,
            used: [0.0, 50.0, 95.0, 100.0][usize::from(b % 4)],
            resets_in: (i64::from(a) + 1) * HOUR,
            requested_ago: i64::from(b >> 2) * SECOND / 2,
        },
        _ => Event::Complete {
            session: flag,
            model: who % 2 == 1,
            outcomes: vec![outcome(kind, a), outcome(a, b), outcome(b, kind)],
        },
    }
}

fn outcome(kind: u8, figure: u8) -> Outcome {
    match kind % 8 {
        0 | 1 => Outcome::Success,
        2 => Outcome::UsageLimit { quoted: (figure > 0).then(|| i64::from(figure) * HOUR / 2) },
        3 => Outcome::RateLimit { retry_after: (figure > 0).then(|| u64::from(figure) * 3) },
        4 => Outcome::Fails(FailureKind::ServerError),
        5 => Outcome::Fails(FailureKind::ModelUnsupported),
        6 => Outcome::Fails(FailureKind::WorkspaceDenied),
        _ if figure < 128 => Outcome::Fails(FailureKind::LoginRequired),
        _ => Outcome::Fails(FailureKind::Deactivated),
    }
}
