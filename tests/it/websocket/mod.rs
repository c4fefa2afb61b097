//! Responses over WebSocket: what continues a conversation, and what a lost socket leads to.

mod chat;
mod continuing;
mod failures;
mod sockets;

pub use chat::Chat;
