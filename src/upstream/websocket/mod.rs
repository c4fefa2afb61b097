//! Responses over WebSocket: a turn on the socket of its session and account sends only what is new, instead of the
//! whole conversation.
//!
//! [`plan`] decides whether a turn connects, reuses a socket, continues a conversation or uses SSE, and what follows
//! from a lost socket; [`conversation`] whether a body continues what a socket holds. Both are pure. [`socket`] moves
//! the bytes, [`sockets`] keeps the open ones. No socket decides which account serves.

mod canonical;
mod conversation;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handshake;
mod not_continued;
mod outline;
mod pause;
mod plan;
mod scanner;
mod socket;
mod sockets;

pub use conversation::{Continuation, Recording};
pub use handshake::{Upgrade, headers_digest, upgrade};
pub use not_continued::NotContinued;
pub use outline::{Outline, delta_frame, full_frame};
pub use plan::{AfterUpgrade, Again, Begin, Found, Loss, NoSocket, TransportReport, TurnPlan};
pub use socket::{Heard, Socket, SocketFault, SocketTurn};
pub use sockets::{Fixed, Key, Reservation, Sockets};
