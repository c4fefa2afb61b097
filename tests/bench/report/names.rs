//! The names of the figures that have a budget: the measurement and the table of budgets use the same text.

pub const FIRST_ANSWER: &str = "spawn to first answer / a minimal Rust program's";
pub const IDLE: &str = "resident, idle after initialize (https upstream)";
pub const STREAMING: &str = "resident with 256 streams open";
pub const PING: &str = "a call that answers `false`, one at a time / blocking echo";
pub const ACCOUNTS: &str = "`accounts` of 10 accounts, one at a time / blocking echo";
pub const FIRST_DELTA: &str = "first delta p50, 1 stream";
pub const FIRST_DELTA_OF_MANY: &str = "first delta p50, 32 streams";
pub const SMALL_EVENTS: &str = "events/s of a stream of 50,000 small events";
pub const AFTER_A_LIMIT: &str = "first delta after a usage limit / two direct requests";
pub const TOOL_LOOP_DELTA: &str =
    "first delta p50, turn of a 200 kB tool loop by WebSocket / SSE, 20 ms, 20 Mbit/s";
pub const TOOL_LOOP_BYTES: &str = "bytes sent for a turn of it, WebSocket / SSE";
pub const PICK: &str = "picking among 1,000 accounts";
