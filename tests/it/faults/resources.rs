//! What a process holds, as the kernel counts it.

use std::fs;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::env::{DEADLINE, TestEnv};

/// Connections that are kept for the next request.
const KEPT_DESCRIPTORS: usize = 3;
/// A thread for blocking file work stays for a while.
const KEPT_THREADS: usize = 4;
const MAX_GROWTH_KB: usize = 16 << 10;

#[derive(Clone, Copy, Debug)]
pub struct Resources {
    descriptors: usize,
    threads: usize,
    memory_kb: usize,
}

impl Resources {
    pub fn of(pid: u32) -> Resources {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let figure = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a figure");
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
        Resources { descriptors, threads: figure("Threads"), memory_kb: figure("VmRSS") }
    }

    /// Waits until the process holds no more than before.
    pub fn have_come_back(&self, pid: u32) {
        let until = Instant::now() + DEADLINE;
        loop {
            let now = Resources::of(pid);
            let back = now.descriptors <= self.descriptors + KEPT_DESCRIPTORS
                && now.threads <= self.threads + KEPT_THREADS
                && now.memory_kb <= self.memory_kb + MAX_GROWTH_KB;
            if back {
                return;
            }
            assert!(Instant::now() < until, "{now:?} is held, and was {self:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A shared library costs every sidecar its pages and its relocations, and is easy to overlook: one call of `pow` in a
/// dependency added libm.
#[test]
fn a_sidecar_loads_no_library_but_those_of_the_c_runtime() {
    let env = TestEnv::new([]);
    let mut peer = env.raw_client();
    peer.call("initialize", json!({})).expect("a handshake");
    let maps = fs::read_to_string(format!("/proc/{}/maps", peer.pid())).expect("it runs");
    let files = maps.lines().filter_map(|line| line.rsplit('/').next()).filter(|name| name.contains(".so"));
    let others: Vec<&str> = files
        .filter(|name| !["libc.", "libgcc_s.", "ld-"].iter().any(|known| name.starts_with(known)))
        .collect();
    assert!(maps.contains("libc"), "{maps}");
    assert_eq!(others, [""; 0]);
}
