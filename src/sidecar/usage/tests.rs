//! Polling over simulated hours: which account is asked when, by people's presence and by failures.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use super::UsageService;
use crate::auth;
use crate::pool::testing::{reading, window};
use crate::pool::{Failure, FailureKind, PollSchedule, RedeemAnswer, ResetCreditList, Source, UsageReading};
use crate::sidecar::reset_credits::{ResetCredits, UsageEndpoint};
use crate::sidecar::testing::{NOW, Owners};
use crate::store::{PollLogFile, ResetJournal};
use crate::upstream::{Bearer, RedeemError};

const INTERVAL: Duration = Duration::from_secs(5 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Gives one kind of answer for every account, and records when it was asked for which.
struct FakeUsage {
    started: tokio::time::Instant,
    asked: Mutex<Vec<(String, Duration)>>,
    failing: Mutex<Option<FailureKind>>,
}

impl UsageEndpoint for FakeUsage {
    fn usage<'a>(&'a self, bearer: Bearer<'a>, _: bool) -> BoxFuture<'a, Result<UsageReading, Failure>> {
        let email = auth::claims(bearer.token).email.unwrap();
        let at = self.started.elapsed();
        self.asked.lock().unwrap().push((email, at));
        let answer = match *self.failing.lock().unwrap() {
            Some(kind) => Err(Failure::new(kind, Source::UsageEndpoint, "no")),
            None => Ok(reading(&[window(300, 10.0, None)], NOW + at)),
        };
        ready(answer).boxed()
    }

    fn reset_credits<'a>(&'a self, _: Bearer<'a>) -> BoxFuture<'a, Result<ResetCreditList, Failure>> {
        ready(Err(Failure::new(FailureKind::Network, Source::UsageEndpoint, "no"))).boxed()
    }

    fn redeem<'a>(
        &'a self,
        _: Bearer<'a>,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<RedeemAnswer, RedeemError>> {
        let failure = Failure::new(FailureKind::Network, Source::UsageEndpoint, "no");
        ready(Err(RedeemError::Refused(failure))).boxed()
    }
}

impl FakeUsage {
    fn asked_for(&self, name: &str) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(email, _)| email.starts_with(name)).map(|(_, at)| *at).collect()
    }
}

fn service(owners: &Owners) -> (Arc<UsageService>, Arc<FakeUsage>) {
    let fake = Arc::new(FakeUsage {
        started: tokio::time::Instant::now(),
        asked: Mutex::default(),
        failing: Mutex::default(),
    });
    let reset_credits = ResetCredits::new(
        owners.registry.clone(),
        owners.refresher.clone(),
        owners.notifier.clone(),
        fake.clone(),
        ResetJournal::new(&owners.paths.guard_dir),
    );
    let service = UsageService::new(
        owners.registry.clone(),
        owners.refresher.clone(),
        owners.notifier.clone(),
        fake.clone(),
        PollSchedule::every(INTERVAL),
        PollLogFile::new(&owners.paths.state_dir),
        Arc::new(reset_credits),
    );
    (Arc::new(service), fake)
}

/// Lets `time` pass with the polls running, and stops them.
async fn poll_for(service: &Arc<UsageService>, time: Duration) {
    let polling = tokio::spawn(service.clone().run_polls());
    tokio::time::sleep(time).await;
    polling.abort();
}

fn pauses(asked: &[Duration]) -> Vec<Duration> {
    asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn each_account_is_polled_about_every_interval_while_a_person_is_there() {
    let owners = Owners::with_accounts(&[("ada", 600), ("bob", 600)]);
    let (service, fake) = service(&owners);
    let attending = tokio::spawn({
        let service = service.clone();
        async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                service.attended();
            }
        }
    });
    poll_for(&service, HOUR).await;
    attending.abort();
    for name in ["ada", "bob"] {
        let asked = fake.asked_for(name);
        assert!((10..=12).contains(&asked.len()), "{name}: {asked:?}");
        let late = INTERVAL + INTERVAL / 5 + Duration::from_secs(5);
        assert!(pauses(&asked).iter().all(|pause| (INTERVAL..late).contains(pause)), "{name}: {asked:?}");
        let id = owners.id(name);
        assert!(owners.registry.decide(|pool, _| pool.get(&id).unwrap().health.usage.is_some()));
    }
}

#[tokio::test(start_paused = true)]
async fn polls_are_rare_while_no_one_is_there() {
    let owners = Owners::with_accounts(&[("ada", 6000)]);
    let (service, fake) = service(&owners);
    poll_for(&service, HOUR * 5).await;
    let asked = fake.asked_for("ada");
    let later: Vec<Duration> = asked.iter().copied().filter(|at| *at > HOUR).collect();
    assert!((6..=8).contains(&later.len()), "{asked:?}");
    assert!(pauses(&later).iter().all(|pause| *pause >= INTERVAL * 6), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn accounts_without_a_valid_token_or_disabled_are_not_polled() {
    let owners = Owners::with_accounts(&[("ada", -1), ("bob", 600), ("cleo", 600)]);
    let bob = owners.id("bob");
    owners.registry.decide(|pool, _| pool.set_disabled(&bob, true));
    let (service, fake) = service(&owners);
    poll_for(&service, HOUR).await;
    assert_eq!(fake.asked_for("ada"), []);
    assert_eq!(fake.asked_for("bob"), []);
    assert!(fake.asked_for("cleo").len() > 3);
    assert_eq!(owners.endpoint.sent(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn failing_endpoint_is_asked_at_growing_pauses_and_changes_no_account() {
    let owners = Owners::with_accounts(&[("ada", 6000)]);
    let id = owners.id("ada");
    let health = || owners.registry.decide(|pool, _| pool.get(&id).unwrap().health.clone());
    let before = health();
    let (service, fake) = service(&owners);
    *fake.failing.lock().unwrap() = Some(FailureKind::Network);
    poll_for(&service, HOUR).await;
    let asked = fake.asked_for("ada");
    let minutes: Vec<u64> = pauses(&asked).iter().map(|pause| pause.as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16], "{asked:?}");
    assert_eq!(health(), before);
    *fake.failing.lock().unwrap() = None;
    poll_for(&service, HOUR).await;
    assert_ne!(health(), before);
}
