//! The conversation of one socket, byte for byte as it was sent and answered.

use serde::Deserialize;
use serde_json::value::RawValue;

/// The last response with everything before it.
#[derive(Debug, Default)]
pub(super) struct History {
    last: Option<(String, Vec<Box<RawValue>>)>,
}

/// The response in progress.
#[derive(Debug)]
pub(super) struct Answering {
    id: Option<String>,
    items: Vec<Box<RawValue>>,
}

impl History {
    /// Returns the items of the response with this id; `None` when it is not the last one of this socket.
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
    /// Records an event that is about to be sent. Returns whether the response ended successfully.
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
