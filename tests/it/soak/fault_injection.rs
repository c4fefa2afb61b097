//! Upstream's day: faults now and then, and windows that fill and reset.

use std::sync::Arc;
use std::time::Duration;

use multicodex::sim::{Behaviour, Route, Rule, SimUsage, SimWindow};
use tokio::time::sleep;

use super::{Day, NAMES};
use crate::env::TestEnv;

/// For completions. None that lasts longer than the day, none that disables an account, and none that says that tokens
/// were invalidated: three of those in five minutes stop all refreshing for ten, which is half of a day here.
const ROWS: [&str; 17] = [
    "rate_limit_retry_after",
    "rate_limit_text",
    "token_expired",
    "server_error",
    "bad_gateway",
    "unavailable",
    "overloaded",
    "cloudflare",
    "stream_rate_limit",
    "stream_overloaded",
    "stream_server_error_after_output",
    "limit_reached_event",
    "cut_after_headers",
    "cut_after_preamble",
    "cut_after_output",
    "reset_after_output",
    "hang_after_headers",
];
/// For the token endpoint.
const TOKEN_ROWS: [&str; 5] =
    ["token_rate_limit", "token_without_access", "token_bad_request", "server_error", "bad_gateway"];

/// Twice a second one account meets a fault.
pub async fn faults(day: Day, env: Arc<TestEnv>) {
    let mut random = day.random(1);
    while !day.is_over() {
        sleep(Duration::from_millis(random.u64(50..1000))).await;
        let name = NAMES[random.usize(..NAMES.len())];
        let rule = match random.u8(..20) {
            0 => Rule::next(1, row(TOKEN_ROWS[random.usize(..TOKEN_ROWS.len())])).on(Route::Token),
            1 => Rule::next(1, Behaviour::Normal).on(Route::Token).delayed(random.u64(50..1500)),
            2 => Rule::next(1, row("server_error")).on(Route::Usage),
            3 | 4 => Rule::next(1, Behaviour::usage_limit_for(random.i64(1..4))),
            _ => Rule::next(1, row(ROWS[random.usize(..ROWS.len())])),
        };
        env.sim().add_rule(rule.of(name));
    }
}

/// Each account's five-hour window fills with every completion, and begins again at its own time.
pub async fn windows(day: Day, env: Arc<TestEnv>) {
    let mut random = day.random(2);
    // The eight clients send about forty completions a second to each account: a sixth of its quota, so only those run
    // out that begin with little or are used more than the others.
    let cost_percent = 15.0 / (40.0 * day.five_hours().as_secs_f64());
    while !day.is_over() {
        for name in NAMES {
            let rest = day.five_hours().mul_f64(random.f64() * 0.5 + 0.5);
            let window = |minutes, used_percent| SimWindow {
                minutes,
                used_percent,
                resets_in_seconds: i64::try_from(rest.as_secs()).unwrap_or(i64::MAX).max(1),
            };
            let windows = vec![window(300, random.f64() * 80.0), window(10_080, random.f64() * 50.0)];
            env.sim().set_usage(name, SimUsage { windows, cost_percent, ..SimUsage::default() });
            sleep(day.five_hours() / 5).await;
        }
    }
}

/// No faults from now on.
pub fn clear(env: &TestEnv) {
    for name in NAMES {
        env.sim().set_usage(name, SimUsage::default());
        env.sim().add_rule(Rule::next(1000, Behaviour::Normal).of(name));
        env.sim().add_rule(Rule::next(1000, Behaviour::Normal).of(name).on(Route::Token));
    }
}

fn row(name: &str) -> Behaviour {
    Behaviour::row(name).expect("a row of the simulator")
}
