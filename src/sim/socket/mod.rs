//! `codex/responses` over WebSocket: the handshake, then one response at a time, each requested by a `response.create`
//! frame. A response can be continued by its id on its own socket, only while it is the last one there.
//!
//! The log has an entry for every handshake (route `socket`) and one for every frame (route `responses`, method `WS`).
//! Its body is the whole conversation as upstream has it then, however little was sent, so it shows a client that
//! continues wrongly.

mod frame;
mod handshake;
mod history;
mod session;

pub(super) use handshake::{is_upgrade, upgrade};
pub(super) use session::Session;
