//! The gateway of the real binary, over real HTTP on loopback.

mod clients;
mod commands;
mod door;
mod many;
mod refusals;
mod running;
mod same_as_stdio;
mod streaming;
mod waiting;

use running::Answer;
