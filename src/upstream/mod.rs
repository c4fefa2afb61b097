//! Communicates with ChatGPT: responses as a stream of events, usage, and what every answer means.
//!
//! It does not decide what follows from a failure, knows no account, and keeps a credential no longer than its request.

mod body;
mod classify;
mod client;
mod error_frame;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod headers;
mod idle_timeout;
mod input_transformations;
mod lenient;
mod models;
mod over_socket;
mod reserve;
mod reset_credits;
mod sse;
mod stream;
mod token_usage;
mod usage_reading;
mod websocket;
mod without_member;
mod without_reasoning;

pub use body::{BodyRefusal, PreparedBody, ResponsesRequest, prepare, prepare_any};
// Classification and splitting alone are public for tests/micro.
pub use classify::{classify, presentable};
pub use client::{Answer, Bearer, RedeemError, Upstream};
pub use error_frame::answer_inside;
pub use event::{Event, EventMeaning, ResponseReceipt};
pub use headers::{
    AnswerHeaders, HeaderRefusal, Originator, may_be_relayed, request_headers, session_in_headers,
    session_key,
};
pub use idle_timeout::{Silent, with_idle_timeout};
pub use models::ModelList;
pub use over_socket::OverSocket;
pub use sse::{MAX_EVENT_BYTES, SseSplitter, TooLarge};
pub use stream::{EventStream, StreamFault};
pub use token_usage::token_count;
pub use usage_reading::Asked;
pub use websocket::{Again, Loss, NotContinued, TransportReport, TurnPlan};
pub use without_reasoning::ReasoningHash;
