//! Every fault of the simulator, in every phase, with clients that read, stall, cancel and die: one answer, one
//! terminal notice, the right state of the account, exactly the expected requests, and nothing left over.

mod clients;
mod clock;
mod failing_disk;
mod fault_harness;
mod files;
mod matrix;
mod process;
mod resources;

use serde_json::{Value, json};

use crate::env::RawClient;

fn complete(peer: &mut RawClient) -> Result<Value, Value> {
    peer.call("complete/collect", json!({"request": {"model": "gpt-6.1-sol", "input": []}}))
}
