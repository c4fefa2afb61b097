//! How programs are configured to use the gateway: for one command, or in a file for good.

mod codex;
mod key_command;
mod launch;
mod snippets;

pub use self::key_command::key_command;
pub use self::launch::{Access, Launch, launch};
pub use self::snippets::{Client, snippet};
