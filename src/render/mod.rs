//! Answers of the protocol as text for people: tables that fit their terminal whatever is in them. It asks nothing,
//! prints nothing, and reads no clock.

mod accounts;
mod cell;
mod history;
mod rotation;
mod spark;
mod stats;
mod table;
mod verify;
mod when;

pub use accounts::{account, accounts};
pub use cell::clean;
pub use history::history;
pub use rotation::rotation;
pub use stats::stats;
pub use verify::verify;
pub use when::duration;

/// What the text is written onto.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns; none where nothing is cut, as in a pipe.
    pub width: Option<usize>,
    pub colour: bool,
}

impl Look {
    /// Without colours, for a terminal of the usual width.
    pub const PLAIN: Look = Look { width: Some(80), colour: false };
}
