//! The unanswered requests: limits their number, and finds the one to cancel.
//!
//! It sends no answer; the holder of a [`Ticket`] answers, exactly once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonrpsee::types::Id;
use tokio::sync::{oneshot, watch};

use super::error::Refusal;

/// The unanswered requests of one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct InFlight {
    max: usize,
    table: Arc<Mutex<Table>>,
}

/// Whether a request counts towards the limit that the client set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Counted,
    /// A call whose purpose is to wait. These have a separate limit of the same size.
    Waiting,
}

/// A place among the unanswered requests, freed when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    in_flight: InFlight,
    id: Option<Id<'static>>,
    class: Class,
    cancelled: oneshot::Receiver<()>,
    /// Notified when the answer is queued.
    queued: Option<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Table {
    counted: usize,
    waiting: usize,
    /// Dropping the sender cancels; the entry stays until the answer is ready.
    cancel: HashMap<Id<'static>, (Class, Option<oneshot::Sender<()>>)>,
}

impl InFlight {
    pub fn new(max: usize) -> Self {
        Self { max, table: Arc::default() }
    }

    /// Returns whether one more request of this class may begin. An id that is still unanswered cannot be used again,
    /// because neither its answers nor `$/cancelRequest` could be distinguished.
    pub fn room_for(&self, id: Option<&Id<'_>>, class: Class) -> Result<(), Refusal> {
        let mut table = self.table();
        if id.is_some_and(|id| table.cancel.contains_key(id)) {
            return Err(Refusal::InvalidRequest("A request with this id is still in flight"));
        }
        if *table.count(class) >= self.max { Err(Refusal::Overloaded) } else { Ok(()) }
    }

    /// Takes the place that [`InFlight::room_for`] found.
    pub fn enter(&self, id: Option<Id<'static>>, class: Class) -> Ticket {
        let (cancel, cancelled) = oneshot::channel();
        let mut table = self.table();
        *table.count(class) += 1;
        if let Some(id) = id.clone() {
            table.cancel.insert(id, (class, Some(cancel)));
        }
        drop(table);
        Ticket { in_flight: self.clone(), id, class, cancelled, queued: None }
    }

    /// Cancels one request. An id that is not in flight is ignored, because its answer may already be queued.
    pub fn cancel(&self, id: &Id<'_>) {
        if let Some((_, sender)) = self.table().cancel.get_mut(&id.clone().into_owned()) {
            *sender = None;
        }
    }

    pub fn cancel_waiting(&self) {
        for (class, sender) in self.table().cancel.values_mut() {
            if *class == Class::Waiting {
                *sender = None;
            }
        }
    }

    pub fn cancel_all(&self) {
        for (_, sender) in self.table().cancel.values_mut() {
            *sender = None;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn count(&mut self, class: Class) -> &mut usize {
        match class {
            Class::Counted => &mut self.counted,
            Class::Waiting => &mut self.waiting,
        }
    }
}

impl Ticket {
    /// Returns when the request is to be cancelled; never for one without an id.
    pub async fn cancelled(&mut self) {
        if self.id.is_none() {
            std::future::pending::<()>().await;
        }
        // Cancelling drops the sender, so both results mean the same.
        let _ = (&mut self.cancelled).await;
    }

    /// Sets `queued` once the answer is queued; drops it unset if it never is.
    pub fn announce_to(&mut self, queued: watch::Sender<bool>) {
        self.queued = Some(queued);
    }

    /// The answer is in the queue. Frees the place.
    pub fn queued(mut self) {
        if let Some(queued) = self.queued.take() {
            queued.send_replace(true);
        }
    }

    /// The answer is ready: from now on the id may be used again, and it is too late to cancel. The place stays taken
    /// until the ticket is dropped.
    pub fn answered(&mut self) {
        if let Some(id) = self.id.take() {
            self.in_flight.table().cancel.remove(&id);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.answered();
        *self.in_flight.table().count(self.class) -= 1;
    }
}
