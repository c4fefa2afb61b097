//! The conversation of one socket, in the words in which it was sent and answered.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The last response with everything that led to it.
#[derive(Debug, Default)]
pub(super) struct History {
    last: Option<(String, Vec<Box<RawValue>>)>,
}

/// The response that is being given.
#[derive(Debug)]
pub(super) struct Answering {
    id: Option<String>,
    items: Vec<Box<RawValue>>,
}

impl History {
    /// The items of the response with this id; `None` when it is not the last one of this socket.
    pub(super) fn items_of(&self, response: &str) -> Option<&[Box<RawValue>]> {
        self.last.as_ref().filter(|(id, _)| id == response).map(|(_, items)| &items[..])
    }

    pub(super) fn begin(&mut self, input: Vec<Box<RawValue>>) -> Answering {
        self.last = None;
        Answering { id: None, items: input }
    }

    pub(super) fn end(&mut self, answering: Answering) {
        self.last = answering.id.map(|id| (id, answering.items));
    }
}

impl Answering {
    /// Takes in an event that is about to be sent; returns whether the response has come to a good end.
    pub(super) fn observe(&mut self, event: &str) -> bool {
        #[derive(Deserialize)]
        struct Event {
            r#type: String,
            item: Option<Box<RawValue>>,
            response: Option<Response>,
        }
        #[derive(Deserialize)]
        struct Response {
            id: String,
        }
        let Ok(event) = serde_json::from_str::<Event>(event) else { return false };
        match (event.r#type.as_str(), event.item, event.response) {
            ("response.output_item.done", Some(item), _) => self.items.push(item),
            ("response.completed", _, Some(response)) => {
                self.id = Some(response.id);
                return true;
            }
            _ => {}
        }
        false
    }
}
