//! Real, released clients of the gateway.
//!
//! They need npm and python3. Without them the tests report on stderr that they were skipped; with `CI=true` they fail.

mod codex;
mod programs;
mod sdks;
