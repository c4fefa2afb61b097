//! Real clients of the gateway, each as it is released.
//!
//! They need npm and python3. Without them the tests say on stderr that they were skipped; with `CI=true` they fail.

mod codex;
mod programs;
mod sdks;
