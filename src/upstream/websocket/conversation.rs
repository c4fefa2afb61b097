//! What upstream keeps of a conversation on one socket, and whether a request continues it. If anything is unknown, the
//! whole body is sent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::event::{Event, EventMeaning};
use super::super::usage_reading::Asked;
use super::canonical::{Digest, item_digest};
use super::not_continued::NotContinued;
use super::outline::Outline;
use crate::pool::At;

/// The last response of a socket with everything before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    members: Digest,
    /// Sent and received, in their order.
    items: Vec<Digest>,
    response_id: String,
}

/// Where a continued turn begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    pub previous: String,
    /// The index of the first item that upstream has not seen.
    pub from: usize,
    /// How much shorter the body is without the earlier items.
    pub skipped_bytes: usize,
}

impl Conversation {
    pub fn continued_by(&self, outline: &Outline) -> Result<Continuation, NotContinued> {
        if outline.continues_by_itself || outline.members != Some(self.members) {
            return Err(NotContinued::MembersDiffer);
        }
        let items = outline.items.as_deref().unwrap_or_default();
        let seen = items.get(..self.items.len()).filter(|_| items.len() > self.items.len());
        let extends = seen.is_some_and(|seen| {
            seen.iter().zip(&self.items).all(|(item, known)| item.digest == Some(*known))
        });
        if !extends {
            return Err(NotContinued::HistoryDiffers);
        }
        let from = self.items.len();
        Ok(Continuation {
            previous: self.response_id.clone(),
            from,
            skipped_bytes: outline.bytes_before(from),
        })
    }
}

/// One turn while it is observed. It becomes a conversation when it succeeds.
#[derive(Debug)]
pub struct Recording {
    members: Option<Digest>,
    /// `None` when something was sent that cannot be compared.
    sent: Option<Vec<Digest>>,
    response_id: Option<String>,
    added: BTreeSet<u64>,
    received: BTreeMap<u64, Option<Digest>>,
    /// Something came that contradicts an earlier part.
    confused: bool,
}

/// How a turn ended for its socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The socket can serve another turn, which may continue this conversation.
    Well(Option<Conversation>),
    /// The socket must not be used again.
    Badly,
}

#[derive(Deserialize)]
struct Spoken<'a> {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(borrow, default)]
    output: Option<Vec<&'a RawValue>>,
}

impl Recording {
    /// `outline` describes the whole body, also when only its end is sent.
    pub fn new(outline: &Outline) -> Self {
        let sent = outline.items.as_ref().filter(|_| !outline.continues_by_itself);
        Recording {
            members: outline.members,
            sent: sent.and_then(|items| items.iter().map(|item| item.digest).collect()),
            response_id: None,
            added: BTreeSet::new(),
            received: BTreeMap::new(),
            confused: false,
        }
    }

    /// Returns whether the response has begun.
    pub fn has_begun(&self) -> bool {
        self.response_id.is_some()
    }

    /// Returns how the turn ended, once this event ends it.
    pub fn observe(&mut self, event: &Event) -> Option<Ended> {
        let json = event.json();
        if event.is_terminal() {
            // Only whether it is good matters here, not its usage.
            let asked = Asked { requested_at: At(0), answered_at: At(0) };
            let is_good = matches!(event.meaning(asked), EventMeaning::Completed(_));
            return Some(if is_good { self.completed(json) } else { Ended::Badly });
        }
        // Few events are about a whole item or response, and all of them contain this text.
        let is_about_one = ["output_item.", "response.created"]
            .iter()
            .any(|name| memchr::memmem::find(json, name.as_bytes()).is_some());
        if is_about_one && let Ok(spoken) = serde_json::from_slice::<Spoken<'_>>(json) {
            self.hear(spoken);
        }
        None
    }

    fn hear(&mut self, spoken: Spoken<'_>) {
        match spoken.r#type.as_str() {
            "response.created" => {
                let id = spoken.response.and_then(|response| response.id);
                self.confused |= self.response_id.is_some() || id.is_none();
                self.response_id = id;
            }
            "response.output_item.added" => match spoken.output_index {
                Some(index) => self.confused |= !self.added.insert(index),
                None => self.confused = true,
            },
            "response.output_item.done" => match (spoken.output_index, spoken.item) {
                (Some(index), Some(item)) => {
                    self.confused |= self.received.insert(index, item_digest(item.get())).is_some();
                }
                _ => self.confused = true,
            },
            _ => {}
        }
    }

    fn completed(&mut self, json: &[u8]) -> Ended {
        let Ok(Spoken { response: Some(response), .. }) = serde_json::from_slice::<Spoken<'_>>(json) else {
            return Ended::Badly;
        };
        let unfinished = self.added.iter().any(|index| !self.received.contains_key(index));
        if unfinished || self.confused || self.response_id.is_none() || response.id != self.response_id {
            return Ended::Badly;
        }
        Ended::Well(self.conversation(&response))
    }

    fn conversation(&mut self, response: &Response<'_>) -> Option<Conversation> {
        let has_gaps = self.received.keys().zip(0..).any(|(index, expected)| *index != expected);
        let received: Vec<Digest> = self.received.values().copied().collect::<Option<_>>()?;
        // This backend repeats nothing there. A backend that does must repeat the same.
        let repeated = response.output.as_deref().unwrap_or_default();
        let repeats_the_same = repeated.is_empty()
            || repeated.iter().map(|item| item_digest(item.get())).eq(received.iter().copied().map(Some));
        if has_gaps || !repeats_the_same {
            return None;
        }
        let mut items = self.sent.take()?;
        items.extend(received);
        Some(Conversation { members: self.members?, items, response_id: self.response_id.clone()? })
    }
}

#[cfg(test)]
mod tests;
