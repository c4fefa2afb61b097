//! Generated input: nothing panics, and the result does not depend on how the bytes arrive.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::rpc::framing::{Decoder, Frame};

/// Returns the frames in `input` when it arrives in pieces of these lengths, repeated.
fn frames(input: &[u8], lengths: &[usize]) -> Vec<String> {
    let mut decoder = Decoder::new(40);
    let mut frames = Vec::new();
    let mut lengths = lengths.iter().copied().cycle();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(lengths.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        decoder.spare().extend_from_slice(piece);
        while let Some(frame) = decoder.next_frame() {
            frames.push(shown(&frame));
        }
        rest = later;
    }
    while let Some(frame) = decoder.next_frame() {
        frames.push(shown(&frame));
    }
    frames.extend(decoder.last_frame().map(|frame| shown(&frame)));
    frames
}

fn shown(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Message(bytes) => format!("message {:?}", String::from_utf8_lossy(bytes)),
        other => format!("{other:?}"),
    }
}

/// Pieces with a meaning in one framing or the other.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"{\"id\":1,\"method\":\"ping\"}".to_vec()),
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n\r\n".to_vec()),
        2 => Just(b"Content-Length: 24\r\n\r\n".to_vec()),
        2 => Just(b"Content-Length: 50\r\n\r\n".to_vec()),
        2 => Just(b"[{\"method\":\"echo\"},{\"id\":\"\\ud800\"},[]]".to_vec()),
        1 => Just(b"\xef\xbb\xbf".to_vec()),
        1 => (1..90_usize).prop_map(|length| vec![b' '; length]),
        1 => (38..44_usize).prop_map(|length| vec![b'{'; length]),
        2 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_how_the_bytes_arrive(
        input in soup(),
        lengths in proptest::collection::vec(1..30_usize, 1..10),
    ) {
        prop_assert_eq!(frames(&input, &lengths), frames(&input, &[]));
        prop_assert_eq!(frames(&input, &[1]), frames(&input, &[]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_get_well_formed_answers(input in soup(), pieces in 1..20_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let whole = runtime.block_on(talk(&input, input.len()));
        prop_assert_eq!(&runtime.block_on(talk(&input, pieces)), &whole);
        if input.trim_ascii_start().starts_with(b"{") {
            for line in whole.lines() {
                let answer: serde_json::Value = serde_json::from_str(line).expect("JSON");
                prop_assert!(answer.is_array() || answer["jsonrpc"] == "2.0", "{}", line);
            }
        }
    }
}

/// Returns all output for this input, written in pieces of this length.
async fn talk(input: &[u8], piece: usize) -> String {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (from, to) = tokio::io::split(server);
    let config = Config { max_message_bytes: 60, ..Config::default() };
    let methods = toy(Arc::new(Semaphore::new(0)));
    let (input_end, output_end) = (Input::from_reader(from), Output::from_writer(to));
    let served = tokio::spawn(serve(input_end, output_end, config, |_| methods, pending(), async {}));
    let (mut from, mut to) = tokio::io::split(client);
    for piece in input.chunks(piece.max(1)) {
        // A lost framing ends the connection before all is read.
        if to.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(to.shutdown().await);
    let mut output = String::new();
    from.read_to_string(&mut output).await.expect("UTF-8");
    served.await.expect("no panic");
    output
}
