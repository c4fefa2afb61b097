//! Work that is done once for all callers: a caller that comes during the work waits for the same result. The work goes
//! on when its callers are cancelled, and after a panic no caller waits for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// The result; `None` when the work panicked, which the panic hook has reported.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

type Table<K, T> = HashMap<K, Flight<T>>;

/// The work in progress.
pub(crate) struct SingleFlight<K, T>(Arc<Mutex<Table<K, T>>>);

impl<K, T> Default for SingleFlight<K, T> {
    fn default() -> Self {
        SingleFlight(Arc::default())
    }
}

impl<K, T> SingleFlight<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Returns the work in progress for `key`, or begins `work`.
    pub(crate) fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let start = || {
            let (work, under_way, key) = (work(), self.0.clone(), key.clone());
            let task = tokio::spawn(async move {
                let ended = AssertUnwindSafe(work).catch_unwind().await;
                lock(&under_way).remove(&key);
                ended.ok()
            });
            task.map(|ended| ended.ok().flatten()).boxed().shared()
        };
        lock(&self.0).entry(key.clone()).or_insert_with(start).clone()
    }

    pub(crate) fn all(&self) -> Vec<Flight<T>> {
        lock(&self.0).values().cloned().collect()
    }
}

fn lock<K, T>(under_way: &Mutex<Table<K, T>>) -> MutexGuard<'_, Table<K, T>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_asks_meanwhile_gets_the_same_result_and_nobody_is_needed_for_it() {
        let flights = SingleFlight::default();
        let landing = Arc::new(Semaphore::new(0));
        let work = |result: u32| {
            let landing = landing.clone();
            move || async move { landing.acquire().await.map(|_| result).ok() }
        };
        drop(flights.join("a", work(1)));
        let (second, other) = (flights.join("a", work(2)), flights.join("b", work(3)));
        landing.add_permits(1);
        assert_eq!((second.await, other.await), (Some(Some(1)), Some(Some(3))));
        assert!(flights.all().is_empty());
        assert_eq!(flights.join("a", work(4)).await, Some(Some(4)));
    }

    #[tokio::test]
    async fn one_that_panics_is_not_waited_for_again() {
        let flights = SingleFlight::default();
        assert_eq!(flights.join("a", || async { panic!("on purpose") }).await, None::<u32>);
        assert_eq!(flights.join("a", || async { 1 }).await, Some(1));
    }
}
