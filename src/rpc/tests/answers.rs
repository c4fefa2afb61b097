//! Lines in, lines out.

use super::*;

const PARSE: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error","data":{"kind":"parse_error","retryable":false}}}"#;

fn invalid(id: &str, reason: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600,"message":{reason:?},"data":{{"kind":"invalid_request","retryable":false}}}}}}"#
    )
}

fn error(id: &str, code: i32, message: &str, data: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message:?},"data":{data}}}}}"#)
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

const NOT_AN_ID: &str = "An id must be a string or a non-negative integer";
const NO_METHOD: &str = "A request needs a method, which must be a string";

/// Sends all of `input` and the end, and expects exactly these bytes.
async fn check_bytes(input: &[u8], expected: &str, end: Ended) {
    let mut client = Client::connect(Config { max_message_bytes: 1000, ..Config::default() }, 1 << 20).await;
    client.to.write_all(input).await.expect("the server reads");
    client.close().await;
    let output = client.rest().await;
    let shown = String::from_utf8_lossy(input);
    assert_eq!(output, expected, "for {shown}");
    assert_eq!(client.ended().await, end, "for {shown}");
}

async fn check(input: &str, expected: &[String]) {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    check_bytes(input.as_bytes(), &expected, Ended::Eof).await;
}

#[tokio::test]
async fn ids_are_echoed_exactly_or_refused() {
    for id in ["0", "1", "18446744073709551615", r#""a""#, r#""""#, r#""é\n\"""#] {
        check(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#), &[result(id, r#""pong""#)]).await;
    }
    check(r#"{"id":"\u0041\/","method":"ping"}"#, &[result(r#""A/""#, r#""pong""#)]).await;
    for id in
        ["null", "-1", "-0", "1.0", "1e3", "0.5", "true", "[]", "{}", "18446744073709551616", r#""\ud800""#]
    {
        check(&format!(r#"{{"id":{id},"method":"ping"}}"#), &[invalid("null", NOT_AN_ID)]).await;
    }
}

#[tokio::test]
async fn a_result_that_is_handed_over_is_in_the_answer_of_its_own_request() {
    let odd = r#"{"b":1e400,"a":"\ud800","b": [ ]}"#;
    for id in ["7", r#""é\n\"""#] {
        let input = format!(r#"{{"id":{id},"method":"echo","params":{odd}}}"#);
        check(&input, &[result(id, odd)]).await;
    }
    let entries = [
        format!(r#"{{"id":1,"method":"echo","params":{odd}}}"#),
        r#"{"method":"echo","params":[]}"#.to_owned(),
        r#"{"id":2,"method":"ping"}"#.to_owned(),
    ];
    let answers = [result("1", odd), result("2", r#""pong""#)];
    check(&format!("[{}]", entries.join(",")), &[format!("[{}]", answers.join(","))]).await;
    // Without a connection jsonrpsee makes the answer.
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[3]}"#;
    let (answer, _) = toy(Arc::new(Semaphore::new(0))).raw_json_request(request, 1).await.expect("a request");
    assert_eq!(answer.get(), result("1", "[3]"));
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    check(r#"{"id":1,"method":"ping","jsonrpc":"1.0"}"#, &[invalid("1", "jsonrpc must be \"2.0\"")]).await;
    check(r#"{"method":"ping","jsonrpc":2}"#, &[invalid("null", "jsonrpc must be \"2.0\"")]).await;
    check(r#"{"id":1,"method":5}"#, &[invalid("1", NO_METHOD)]).await;
    check(r#"{"foo":1}"#, &[invalid("null", NO_METHOD)]).await;
    check("{}", &[invalid("null", NO_METHOD)]).await;
    check(r#"{"id":1,"id":2,"method":"ping"}"#, &[invalid("null", "A member of the request appears twice")])
        .await;
    for params in ["1", "\"x\"", "true"] {
        let input = format!(r#"{{"id":1,"method":"ping","params":{params}}}"#);
        check(&input, &[invalid("1", "params must be an object or an array")]).await;
    }
    check(r#"{"id":1,"method":"echo","params":null}"#, &[result("1", "null")]).await;
    check(r#"{"id":1,"result":5}"#, &[]).await;
    check(r#"{"id":1,"error":{"code":1,"message":""}}"#, &[]).await;
}

#[tokio::test]
async fn what_is_no_json_is_told_so_and_the_next_line_is_fine() {
    let pong = result("1", r#""pong""#);
    for bad in ["{", "{]", r#"{"id":1,}"#, r#"{"id":1} x"#, "[1", "[1] 2", "{\"a\":\"\u{1}\"}", "nonsense"] {
        let input = format!("{{\"id\":1,\"method\":\"ping\"}}\n{bad}\n{{\"id\":1,\"method\":\"ping\"}}\n");
        check(&input, &[pong.clone(), PARSE.to_owned(), pong.clone()]).await;
    }
    check_bytes(b"{\"id\":1,\"method\":\"\xff\"}", &format!("{PARSE}\n"), Ended::Eof).await;
    let deep = "[".repeat(900);
    check(&deep, &[PARSE.to_owned()]).await;
}

#[tokio::test]
async fn errors_carry_kind_and_retryable() {
    let kind = |kind: &str| format!(r#"{{"kind":"{kind}","retryable":false}}"#);
    check(
        r#"{"id":1,"method":"nope"}"#,
        &[error("1", -32601, "Method not found", &kind("method_not_found"))],
    )
    .await;
    check(
        r#"{"id":1,"method":"fail"}"#,
        &[error("1", -32016, "no", r#"{"kind":"storage","retryable":true}"#)],
    )
    .await;
    let detail = r#"{"detail":"invalid type: string \"x\", expected u8 at line 1 column 4","kind":"invalid_params","retryable":false}"#;
    check(r#"{"id":1,"method":"strict","params":["x"]}"#, &[error("1", -32602, "Invalid params", detail)])
        .await;
    let internal = error("1", -32603, "Internal error", &kind("internal"));
    for method in ["panic", "panic_later", "panic_written", "explode"] {
        let input = format!(r#"{{"id":1,"method":"{method}"}}"#);
        check(&input, std::slice::from_ref(&internal)).await;
    }
    let later = r#"{"id":1,"method":"panic_written","params":[]}"#;
    check(later, std::slice::from_ref(&internal)).await;
    let batch = format!(r#"[{later},{{"id":2,"method":"ping"}}]"#);
    check(&batch, &[format!("[{internal},{}]", result("2", r#""pong""#))]).await;
}

#[tokio::test]
async fn notifications_have_no_answer() {
    for method in ["ping", "nope", "panic", "panic_later", "panic_written", "count", "fail"] {
        check(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#), &[]).await;
    }
}

#[tokio::test]
async fn params_stay_the_clients_bytes() {
    let odd = r#"{"b":1.0e+2,"a":"\ud800","n":123456789012345678901234567890, "a2":[ ]}"#;
    check(&format!(r#"{{"id":1,"method":"echo","params":{odd}}}"#), &[result("1", odd)]).await;
}

#[tokio::test]
async fn batches_follow_the_specification() {
    let ping = r#"{"id":1,"method":"ping"}"#;
    let pong = result("1", r#""pong""#);
    check("[]", &[invalid("null", "An empty batch is not a request")]).await;
    check(r#"[{"method":"ping"},{"method":"nope"}]"#, &[]).await;
    let not_object = invalid("null", "A request must be an object");
    check("[1,[]]", &[format!("[{not_object},{not_object}]")]).await;
    let mixed =
        format!(r#"[{ping},{{"method":"ping"}},7,{{"id":2,"method":"echo","params":[1]}},{{"id":3}}]"#);
    let expected = format!("[{pong},{not_object},{},{}]", result("2", "[1]"), invalid("3", NO_METHOD));
    check(&mixed, &[expected]).await;
    let stream = invalid("5", "A subscription cannot be part of a batch");
    check(
        &format!(r#"[{{"id":5,"method":"count","params":{{"n":3}}}},{ping}]"#),
        &[format!("[{stream},{pong}]")],
    )
    .await;
}

#[tokio::test]
async fn a_batch_beyond_all_measure_is_refused_as_a_whole() {
    let input = format!("[{}1]\n", "1,".repeat(crate::rpc::MAX_BATCH_ENTRIES));
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send(&input).await;
    let data = r#"{"kind":"message_too_large","retryable":false}"#;
    assert_eq!(client.line().await, error("null", -32600, "The message is too large", data));
}

#[tokio::test]
async fn lines_may_be_blank_long_or_unfinished() {
    let pong = result("1", r#""pong""#);
    let ping = r#"{"id":1,"method":"ping"}"#;
    let too_large = error(
        "null",
        -32600,
        "The message is too large",
        r#"{"kind":"message_too_large","retryable":false}"#,
    );
    check(&format!("\u{feff} \r\n\n{ping}\r\n\n \t\n{ping}"), &[pong.clone(), pong.clone()]).await;
    let padded = |length: usize| format!("{ping}{}", " ".repeat(length - ping.len()));
    check(&format!("{}\r\n{ping}\n", padded(1000)), &[pong.clone(), pong.clone()]).await;
    check(&format!("{}\n{ping}\n", padded(1001)), &[too_large.clone(), pong.clone()]).await;
    check(&format!("{}\n{ping}\n", padded(300_000)), &[too_large.clone(), pong.clone()]).await;
    check(&padded(300_000), &[too_large]).await;
}

#[tokio::test]
async fn header_blocks_are_answered_with_header_blocks() {
    let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let ping = r#"{"id":"é","method":"ping"}"#;
    let pong = framed(&result("\"é\"", r#""pong""#));
    let input = format!("{}content-length:{}\nContent-Type: x\n\n{ping}", framed(ping), ping.len());
    check_bytes(input.as_bytes(), &format!("{pong}{pong}"), Ended::Eof).await;
    let large = " ".repeat(1001);
    let too_large = error(
        "null",
        -32600,
        "The message is too large",
        r#"{"kind":"message_too_large","retryable":false}"#,
    );
    let input = format!("{}{}{}", framed(&large), framed(ping), framed("{"));
    let expected = format!("{}{pong}{}", framed(&too_large), framed(PARSE));
    check_bytes(input.as_bytes(), &expected, Ended::Eof).await;
    check_bytes(b"Content-Length: 10\r\n\r\n{", &framed(PARSE), Ended::Eof).await;
    let endless = "x:".repeat(5000);
    for lost in [
        "Content-Type: x\r\n\r\n{}",
        "Content-Length: -1\r\n\r\n{}",
        "Content-Length: 99999999999999999999999\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "hello\n",
        "hello",
        &endless,
    ] {
        check_bytes(lost.as_bytes(), &framed(PARSE), Ended::FramingLost).await;
    }
}

#[tokio::test]
async fn a_subscription_is_answered_once_before_its_first_notification() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    for (request, subscription) in [(1, "c1"), (2, "c2")] {
        client.send(&format!("{{\"id\":{request},\"method\":\"count\",\"params\":{{\"n\":20}}}}\n")).await;
        assert_eq!(client.line().await, result(&request.to_string(), &format!("{subscription:?}")));
        for number in 1..=20 {
            let counted = format!(
                r#"{{"jsonrpc":"2.0","method":"count","params":{{"subscription":"{subscription}","result":{number}}}}}"#
            );
            assert_eq!(client.line().await, counted);
        }
    }
    client.send("{\"id\":3,\"method\":\"refuse\"}\n{\"id\":4,\"method\":\"ping\"}\n").await;
    let mut answers = [client.line().await, client.line().await];
    answers.sort();
    assert_eq!(
        answers,
        [
            r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"not you","data":{"kind":"invalid_params","retryable":false}}}"#.to_owned(),
            result("4", r#""pong""#)
        ]
    );
}

#[tokio::test]
async fn notifications_of_ours_are_one_line_each() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    client.send("{\"id\":1,\"method\":\"ping\"}\n").await;
    client.line().await;
    let raw = RawValue::from_string("{\"a\":\n\r\n[\"\\n\"]}".to_owned()).expect("JSON");
    client.outbox.notify("news", &raw).await.expect("open");
    assert_eq!(client.line().await, r#"{"jsonrpc":"2.0","method":"news","params":{"a":   ["\n"]}}"#);
}

#[tokio::test]
async fn what_is_begun_first_goes_on_before_the_next_message_is_looked_at() {
    let mut client = Client::connect(Config::default(), 1 << 20).await;
    let count = |id: u32| format!("{{\"id\":{id},\"method\":\"count\",\"params\":{{\"n\":1}}}}\n");
    client.send(&(1..=3).map(count).collect::<String>()).await;
    for request in 1..=3 {
        assert_eq!(client.line().await, result(&request.to_string(), &format!("\"c{request}\"")));
        assert!(client.line().await.contains(r#""method":"count""#), "of {request}");
    }
    client.close().await;
    assert_eq!(client.ended().await, Ended::Eof);
}
