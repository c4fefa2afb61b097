//! The simulated ChatGPT backend: logins, token endpoint, usage, models and responses on loopback, with a switch per
//! account and per request for every known fault of upstream. For the tests, the demonstration and authors of clients
//! (`multicodex simulate`). It checks what upstream checks, and cannot be reached from another machine.
//!
//! - [`Behaviour`], [`StreamPlan`]: what happens with a request, in Rust and (by serde) in the admin interface and the
//!   scripts; [`ROWS`] names the known cases.
//! - [`Rule`]: which requests it applies to.
//! - [`SimAccount`]: an account that can log in. Tokens are unsigned JWTs that name the simulator as their issuer.
//! - [`SimHandle`]: the admin interface within the process; `/__sim/` is the same over HTTP.

mod account;
mod accounts_file;
mod admin;
mod answer;
mod behaviour;
mod checks;
mod command;
mod connection;
mod dispatch;
mod events;
mod framing;
mod handle;
mod jwt;
mod log;
mod login;
mod oauth;
mod on_thread;
mod quota;
mod reasoning;
mod received;
mod responses;
mod rows;
mod rule;
mod server;
mod slow_link;
mod socket;
mod sse_body;
mod state;
mod steps;
mod stream_plan;
mod tokens;
mod wham;

pub use account::{SimAccount, SimCredits, SimLimit, SimLogin, SimUsage, SimWindow};
pub use accounts_file::{accounts_json, write_accounts};
pub use answer::Answer;
pub use behaviour::{Behaviour, Break, Issue};
pub use command::{SimulateOptions, simulate};
pub use handle::SimHandle;
pub use jwt::jwt;
pub use log::{LoggedFrame, LoggedRequest, RequestEnd};
pub use on_thread::SimOnThread;
pub use quota::{SimReserve, SimResetCredit};
pub use rows::{ROWS, Row};
pub use rule::{Route, Rule, When};
pub use server::{Sim, SimConfig};
pub use slow_link::{LinkSpeed, SlowLink};
pub use stream_plan::{After, FaultKind, Framing, Newline, Pace, Spoken, StreamFault, StreamPlan};
