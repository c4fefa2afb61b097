//! A malicious upstream: it sends without end, or data that decompresses without end.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use flate2::Compression;
use flate2::write::GzEncoder;
use multicodex::sim::SimAccount;
use serde_json::{Value, json};

use crate::env::TestEnv;
use crate::env::{Framing, RawClient};

/// Generous for a debug build; each of the answers would take gigabytes.
const MAX_MEMORY_KB: u64 = 128 << 10;

#[test]
fn no_answer_without_end_fills_the_memory() {
    let mut unfolds = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..512 {
        unfolds.write_all(&zeros).expect("to memory");
    }
    let unfolds = unfolds.finish().expect("to memory");
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n";
    let folded = format!("{head}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", unfolds.len());
    let answers: [(&str, Vec<u8>, Vec<u8>); 3] = [
        ("unfolds", folded.into_bytes(), unfolds),
        ("an endless body", format!("{head}\r\n").into_bytes(), Vec::new()),
        ("an endless head", head.as_bytes().to_vec(), b"X-More: and more, and more\r\n".to_vec()),
    ];
    for (what, first, then) in answers {
        let (_world, mut peer) = against(move |stream| {
            stream.write_all(&first)?;
            if !then.is_empty() && !then.starts_with(b"X") {
                return stream.write_all(&then);
            }
            let more = if then.is_empty() { vec![b'x'; 64 << 10] } else { then.repeat(2000) };
            loop {
                stream.write_all(&more)?;
            }
        });
        let error = answer(&mut peer);
        let shown = error["data"]["body"].as_str().unwrap_or_default().len();
        assert!(shown <= 64 << 10, "{what}: {shown}");
        let memory = peak_memory_kb(peer.pid());
        assert!(memory < MAX_MEMORY_KB, "{what}: {memory} KiB");
    }
}

/// A sidecar whose upstream sends this answer to every request. It ends with the test.
fn against(
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> (TestEnv, RawClient) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            // The client closes the connection when it has read enough.
            let _ = stream.read(&mut head).and_then(|_| answer(&mut stream));
        }
    });
    let env = TestEnv::new([SimAccount::named("ada")]);
    let mut command = env.command(&["serve"]);
    command.args(["--upstream-url", &format!("http://127.0.0.1:{port}")]);
    let peer = RawClient::spawn(command, Framing::Lines);
    (env, peer)
}

fn answer(peer: &mut RawClient) -> Value {
    let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
    peer.call("complete/collect", params).expect_err("no completion")
}

fn peak_memory_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
