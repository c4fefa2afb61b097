//! A result goes into its answer past jsonrpsee, which would copy it into an answer a few bytes at a time, and then parse
//! all of the answer to see that it is JSON: a third of the instructions of a request with a long result.
//!
//! The handler hands its result over as the last thing it does, and answers `null` to jsonrpsee; so there is one place
//! for results on each thread, and it is only open while a method is polled.

use std::cell::RefCell;

use jsonrpsee::types::Id;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Makes the answer to the request with this id.
type Answering = Box<dyn FnOnce(&Id<'_>) -> Box<RawValue> + Send>;

thread_local! {
    static PLACE: RefCell<Place> = const { RefCell::new(Place::Closed) };
}

enum Place {
    Closed,
    Empty,
    Taken(Answering),
}

/// What a handler handed over while it was polled.
pub(super) struct Finished(Option<Answering>);

/// Puts `result` into the answer of the request whose method is being polled. It must serialize without failing.
///
/// Gives it back when no connection polls the method, as when it is called on the module itself.
pub fn hand_over<T: Serialize + Send + 'static>(result: T) -> Option<T> {
    #[derive(Serialize)]
    struct Answer<'a, T> {
        jsonrpc: &'static str,
        id: &'a Id<'a>,
        result: T,
    }
    PLACE.with_borrow_mut(|place| {
        if matches!(place, Place::Closed) {
            return Some(result);
        }
        debug_assert!(matches!(place, Place::Empty), "one method handed two results over");
        *place = Place::Taken(Box::new(move |id| {
            #[expect(clippy::expect_used, reason = "ids and wire types serialize without failing")]
            let answer = to_raw_value(&Answer { jsonrpc: "2.0", id, result }).expect("a wire type");
            answer
        }));
        None
    })
}

/// Polls a method, and gives what it handed over. A method must not call another through the module: what that one
/// handed over would be taken for its own.
pub(super) fn while_polled<T>(poll: impl FnOnce() -> T) -> (T, Finished) {
    struct Closing;
    impl Drop for Closing {
        fn drop(&mut self) {
            PLACE.set(Place::Closed);
        }
    }
    let before = PLACE.replace(Place::Empty);
    debug_assert!(matches!(before, Place::Closed), "a method is polled within another");
    // Closed as well when the method panics.
    let _closing = Closing;
    let polled = poll();
    match PLACE.replace(Place::Closed) {
        Place::Taken(answering) => (polled, Finished(Some(answering))),
        Place::Closed | Place::Empty => (polled, Finished(None)),
    }
}

impl Finished {
    pub(super) fn answer(self, id: &Id<'_>) -> Option<Box<RawValue>> {
        self.0.map(|answering| answering(id))
    }
}
