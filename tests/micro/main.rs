//! What the inner parts cost alone: picking, splitting, framing, classifying. `cargo bench --bench micro` measures,
//! `cargo test --bench micro` runs each once.
#![expect(clippy::expect_used, reason = "benchmarks")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, StatusCode};
use multicodex::pool::{
    Account, AccountId, At, Credential, Demand, Identity, Pool, RotationSettings, Source,
};
use multicodex::rpc::{Decoder, Framing, encode};
use multicodex::secret::Secret;
use multicodex::upstream::{MAX_EVENT_BYTES, SseSplitter, classify};

const NOW: At = At(1_800_000_000_000);

fn pool_of(count: usize) -> Pool {
    let accounts = (0..count).map(|nth| {
        let id = AccountId::new(format!("acc_{nth:016x}"));
        let identity = Identity {
            workspace_id: Some(format!("ws-{nth}")),
            user_id: Some(format!("user-{nth}")),
            ..Identity::default()
        };
        let secret = |of: &str| Secret::new(format!("{of}-{nth}"));
        let credential =
            Credential { access: secret("access"), refresh: secret("refresh"), expires_at: At(i64::MAX) };
        Account::new(id, identity, format!("user-{nth}@example.com"), credential)
    });
    let mut pool = Pool::new(RotationSettings::default());
    pool.sync(accounts.collect(), NOW);
    pool
}

fn pool(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool");
    for count in [10, 100, 1_000, 10_000] {
        let pool = pool_of(count);
        group.throughput(Throughput::Elements(count as u64));
        for (name, demand) in [
            ("pick", Demand::default()),
            ("pick for a model", Demand { model: Some("gpt-6.1-sol".to_owned()), ..Demand::default() }),
        ] {
            group.bench_with_input(BenchmarkId::new(name, count), &demand, |bencher, demand| {
                bencher.iter(|| pool.best(black_box(demand), &[], NOW).expect("an account"));
            });
        }
        group.bench_function(BenchmarkId::new("rank", count), |bencher| {
            bencher.iter(|| pool.ranking(black_box(&Demand::default()), NOW));
        });
    }
    group.finish();
}

/// A stream of small events that comes in chunks of a network packet, of a TLS record, and of a full buffer.
fn splitter(criterion: &mut Criterion) {
    const EVENTS: usize = 2_000;
    let event = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"some forty \
                 characters of text, or so\",\"item_id\":\"msg_1\",\"output_index\":0,\"sequence_number\":12345}\n\n";
    let body = Bytes::from(event.repeat(EVENTS));
    let mut group = criterion.benchmark_group("split events");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for chunk in [1_460, 16_384, 65_536] {
        group.bench_function(BenchmarkId::from_parameter(chunk), |bencher| {
            bencher.iter(|| {
                let mut splitter = SseSplitter::new(MAX_EVENT_BYTES);
                let mut events = 0;
                for from in (0..body.len()).step_by(chunk) {
                    splitter.feed(body.slice(from..body.len().min(from + chunk)));
                    while let Some(event) = splitter.next_event().expect("small") {
                        black_box(event);
                        events += 1;
                    }
                }
                assert_eq!(events, EVENTS);
            });
        });
    }
    group.finish();
}

fn framing(criterion: &mut Criterion) {
    const MESSAGES: usize = 1_000;
    let request = r#"{"id":1,"method":"accounts","params":{"refreshUsage":false}}"#;
    let lines = format!("{request}\n").repeat(MESSAGES);
    let headers = format!("Content-Length: {}\r\n\r\n{request}", request.len()).repeat(MESSAGES);
    let mut group = criterion.benchmark_group("read messages");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for (name, input) in [("lines", lines), ("headers", headers)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut decoder = Decoder::new(1 << 20);
                decoder.spare().extend_from_slice(input.as_bytes());
                let mut messages = 0;
                while let Some(frame) = decoder.next_frame() {
                    black_box(frame);
                    messages += 1;
                }
                assert_eq!(messages, MESSAGES);
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("write a message");
    for bytes in [200, 4_096, 1 << 20] {
        let message = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes));
        let mut buffer = Vec::new();
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| {
                buffer.clear();
                encode(Framing::Lines, black_box(&message), &mut buffer);
            });
        });
    }
    group.finish();
}

fn classification(criterion: &mut Criterion) {
    let limit = r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_in_seconds":3600}}"#;
    let page = "<html><head><title>Just a moment...</title></head></html>";
    let mut group = criterion.benchmark_group("classify");
    for (name, status, body) in
        [("a usage limit", StatusCode::TOO_MANY_REQUESTS, limit), ("a page", StatusCode::FORBIDDEN, page)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| classify(status, &HeaderMap::new(), black_box(body), Source::ResponseBody, NOW));
        });
    }
    group.finish();
}

criterion_group!(micro, pool, splitter, framing, classification);
criterion_main!(micro);
