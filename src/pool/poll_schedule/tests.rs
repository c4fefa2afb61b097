use proptest::prelude::*;

use super::*;
use crate::pool::testing::{account as bare, id, reading, window};
use crate::pool::{HealthEvidence, STALE_AFTER, Source, WEEK};

const NOW: At = At(1_800_000_000_000);
const TEMPO: PollSchedule = PollSchedule::every(STALE_AFTER);

fn in_secs(secs: i64) -> At {
    At(NOW.0 + secs * 1000)
}

fn account(name: &str) -> Account {
    let mut account = bare(name);
    account.credential.expires_at = in_secs(864_000);
    account
}

fn read_at(name: &str, secs: i64) -> Account {
    let mut account = account(name);
    account.health.usage = Some(reading(&[window(WEEK, 3.0, None)], in_secs(secs)).into());
    account
}

/// Cooled `since` seconds from now, `until` seconds from now.
fn cooled(certainty: Certainty, kind: FailureKind, since: i64, until: i64) -> Account {
    let why = HealthEvidence {
        kind,
        code: None,
        message: String::new(),
        since: in_secs(since),
        source: Source::ResponseBody,
    };
    let mut account = read_at("a", -1);
    account.health.cooldown = Some(Cooldown { until: in_secs(until), certainty, quoted_reset: None, why });
    account
}

fn answered_at(secs: i64) -> PollLog {
    let mut asks = PollLog::default();
    asks.ask(&id("a"), in_secs(secs));
    asks.answered(&id("a"), Ok(()), TEMPO, in_secs(secs));
    asks
}

/// When the account is due, in seconds from now.
fn due(asks: &PollLog, account: &Account, attended: bool) -> Option<i64> {
    asks.due_at(account, TEMPO, attended, NOW).map(|at| ((at.0 - NOW.0) / 1000).max(-999_999))
}

#[test]
fn an_account_is_asked_for_when_nothing_known_of_it_is_fresh() {
    let period = |attended| TEMPO.period(&id("a"), attended).as_secs() as i64;
    assert!((300..=360).contains(&period(true)) && (1800..=2160).contains(&period(false)));
    assert_ne!(TEMPO.period(&id("a"), true), TEMPO.period(&id("b"), true));
    let check = |asks: PollLog, account: Account, attended: bool, expected: Option<i64>| {
        assert_eq!(due(&asks, &account, attended), expected, "{asks:?} {account:?}");
    };
    let never = PollLog::default;
    check(never(), account("a"), true, Some(-999_999));
    check(answered_at(-10), account("a"), true, Some(period(true) - 10));
    check(answered_at(-10), account("a"), false, Some(period(false) - 10));
    // Headers keep the windows fresh, and only the windows.
    check(answered_at(-600), read_at("a", -10), true, Some(period(true) - 10));
    check(answered_at(-1700), read_at("a", -10), true, Some(100));
    // Times in the future say nothing.
    check(answered_at(60), read_at("a", 60), true, Some(-999_999));

    let mut out = account("a");
    out.disabled = true;
    check(never(), out, true, None);
    let mut out = account("a");
    out.credential.expires_at = NOW;
    check(never(), out, true, None);
    let mut out = account("a");
    out.health
        .needs_login(cooled(Certainty::Guess, FailureKind::LoginRequired, 0, 0).health.cooldown.unwrap().why);
    check(never(), out, true, None);
}

#[test]
fn a_cooled_account_is_probed_when_a_reading_counts_and_then_now_and_then() {
    use Certainty::*;
    use FailureKind::*;
    let check = |account: Account, asked: Option<i64>, expected: i64| {
        let asks = asked.map_or_else(PollLog::default, answered_at);
        assert_eq!(due(&asks, &account, true), Some(expected), "{account:?} {asked:?}");
    };
    let regular = TEMPO.period(&id("a"), true).as_secs() as i64;
    check(cooled(Guess, UsageLimit, -5, 3600), None, -5);
    check(cooled(Guess, UsageLimit, -5, 3600), Some(-60), -5);
    check(cooled(Guess, UsageLimit, -5, 3600), Some(-4), 5);
    check(cooled(Prediction, UsageLimit, -5, 3600), None, 5);
    check(cooled(Prediction, Credits, -5, 3600), Some(-60), 5);
    // A twelfth of the rest, between 5 and 30 minutes.
    check(cooled(Prediction, UsageLimit, -100, 600), Some(-60), 240);
    check(cooled(Prediction, UsageLimit, -100, 12 * 600 - 60), Some(-60), 540);
    check(cooled(Prediction, UsageLimit, -100, 600_000), Some(-60), 1740);
    // An account whose cooldown no reading can end is read like any other.
    check(cooled(Directive, RateLimit, -5, 200), Some(-60), regular - 1);
    check(cooled(Guess, RateLimit, -5, 60), Some(-60), regular - 1);
    // What has ended, too.
    check(cooled(Prediction, UsageLimit, -500, 0), Some(-60), regular - 1);
    // A refusal dated by a clock that was ahead counts as seen now.
    check(cooled(Prediction, UsageLimit, 7200, 9000), None, 10);

    let mut own = cooled(Prediction, UsageLimit, -100, 600);
    let cooldown = own.health.cooldown.take().unwrap();
    own.health.limit_cooldowns.push(("codex_bengalfox".into(), cooldown));
    check(own, Some(-60), 240);
}

#[test]
fn failures_rest_longer_and_longer_and_at_least_as_told() {
    let mut asks = PollLog::default();
    let failed = Failure::new(FailureKind::ServerError, Source::UsageEndpoint, "HTTP 500");
    let mut rests = Vec::new();
    for _ in 0..8 {
        asks.ask(&id("a"), NOW);
        asks.answered(&id("a"), Err(&failed), TEMPO, NOW);
        rests.push(due(&asks, &account("a"), true).unwrap());
    }
    assert_eq!(rests, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    let told = |secs| Failure { retry_after: Some(Duration::from_secs(secs)), ..failed.clone() };
    for (told, expected) in [(told(7200), Some(7200)), (told(10), Some(3600)), (told(1 << 30), Some(86_400))]
    {
        asks.answered(&id("a"), Err(&told), TEMPO, NOW);
        assert_eq!(due(&asks, &account("a"), true), expected);
    }
    // The pause is over: now, not an interval after it.
    assert!(asks.is_due(&account("a"), TEMPO, in_secs(86_400)));
    assert!(!asks.is_due(&account("a"), TEMPO, in_secs(86_399)));
    // A clock that was set back by a week delays no reading by a week.
    assert!(asks.is_due(&account("a"), TEMPO, in_secs(-604_800)));

    asks.ask(&id("a"), NOW);
    asks.answered(&id("a"), Ok(()), TEMPO, NOW);
    assert_eq!(asks.0[&id("a")], answered_at(0).0[&id("a")]);
}

#[test]
fn the_place_of_one_that_died_while_it_asked_is_taken() {
    let mut asks = PollLog::default();
    asks.ask(&id("a"), NOW);
    assert_eq!(due(&asks, &account("a"), true), Some(30));
    assert_eq!(due(&asks, &cooled(Certainty::Guess, FailureKind::UsageLimit, 0, 3600), true), Some(30));
}

#[test]
fn accounts_are_asked_for_one_after_the_other() {
    let accounts = [account("a"), account("b"), read_at("c", -10)];
    let mut asks = PollLog::default();
    let next = |asks: &PollLog, at| asks.next(&accounts, TEMPO, NOW, at);
    assert_eq!(next(&asks, NOW), NextPoll::PollRecord(id("a")));
    asks.ask(&id("a"), NOW);
    assert_eq!(next(&asks, NOW), NextPoll::Wait(Some(in_secs(1))));
    assert_eq!(next(&asks, in_secs(1)), NextPoll::PollRecord(id("b")));
    asks.ask(&id("b"), in_secs(1));
    // `c` was read from headers, and never completely.
    assert_eq!(next(&asks, in_secs(2)), NextPoll::PollRecord(id("c")));
    assert_eq!(PollLog::default().next(&[], TEMPO, NOW, NOW), NextPoll::Wait(None));
}

#[test]
fn while_nobody_works_numbers_may_age() {
    let asks = answered_at(-400);
    let mut accounts = [read_at("a", -400)];
    assert_eq!(asks.next(&accounts, TEMPO, in_secs(-1799), NOW), NextPoll::PollRecord(id("a")));
    assert!(matches!(asks.next(&accounts, TEMPO, in_secs(-1800), NOW), NextPoll::Wait(Some(_))));
    accounts[0].health.last_used_at = Some(in_secs(-60));
    assert_eq!(asks.next(&accounts, TEMPO, in_secs(-1800), NOW), NextPoll::PollRecord(id("a")));
}

#[test]
fn three_failures_in_a_row_are_trouble_and_of_all_accounts_they_are_one() {
    let mut asks = PollLog::default();
    let accounts = ["a", "b", "c"].map(account);
    let mut answer = |name: &str, kind: Option<FailureKind>, times: u32| {
        for _ in 0..times {
            asks.ask(&id(name), NOW);
            let failure = kind.map(|kind| Failure::new(kind, Source::UsageEndpoint, ""));
            asks.answered(&id(name), failure.as_ref().map_or(Ok(()), Err), TEMPO, NOW);
        }
        asks.trouble(&accounts)
    };
    use FailureKind::*;
    assert_eq!(answer("a", Some(Network), 2), UsageTrouble::With(vec![]));
    assert_eq!(answer("a", Some(Network), 1), UsageTrouble::With(vec![(id("a"), Network)]));
    assert_eq!(answer("b", Some(Network), 3), UsageTrouble::Everywhere(Network));
    let both = || vec![(id("a"), Network), (id("b"), Network)];
    assert_eq!(answer("c", None, 1), UsageTrouble::With(both()));
    assert_eq!(answer("c", Some(Unauthorized), 2), UsageTrouble::Everywhere(Network));
    assert_eq!(answer("a", None, 1), UsageTrouble::With(vec![(id("b"), Network)]));
}

/// Sidecars that act when the decision says so, as `sidecar::usage` does, and share the record at once and the readings
/// a little later.
struct Sidecars {
    accounts: Vec<Vec<Account>>,
    asks: PollLog,
    /// (when, by whom, of which account): answers in progress.
    answers: Vec<(At, usize, AccountId)>,
    /// (when, for whom, of which account): readings that another sidecar saved.
    news: Vec<(At, usize, Account)>,
    looks: Vec<At>,
    asked: Vec<(At, AccountId)>,
}

impl Sidecars {
    fn new(accounts: &[Account], starts: &[u64]) -> Self {
        Sidecars {
            accounts: vec![accounts.to_vec(); starts.len()],
            asks: PollLog::default(),
            answers: Vec::new(),
            news: Vec::new(),
            looks: starts.iter().map(|start| NOW + Duration::from_millis(*start)).collect(),
            asked: Vec::new(),
        }
    }

    fn run(mut self, duration: Duration, latency: Duration, lag: Duration) -> Vec<(At, AccountId)> {
        let end = NOW + duration;
        loop {
            let times = self.looks.iter().chain(self.answers.iter().map(|it| &it.0));
            let Some(now) = times.chain(self.news.iter().map(|it| &it.0)).min().copied() else { break };
            if now > end {
                break;
            }
            for (at, whose, account) in std::mem::take(&mut self.news) {
                if at > now {
                    self.news.push((at, whose, account));
                } else if let Some(known) =
                    self.accounts[whose].iter_mut().find(|known| known.id == account.id)
                {
                    known.health.absorb(&account.health);
                }
            }
            for (at, whose, of) in std::mem::take(&mut self.answers) {
                if at > now {
                    self.answers.push((at, whose, of));
                    continue;
                }
                self.asks.answered(&of, Ok(()), TEMPO, now);
                let known = self.accounts[whose].iter_mut().find(|known| known.id == of).unwrap();
                known.health.usage = Some(reading(&[window(WEEK, 3.0, None)], now).into());
                let known = known.clone();
                let others = (0..self.looks.len()).filter(|other| *other != whose);
                self.news.extend(others.map(|other| (now + lag, other, known.clone())));
                self.looks[whose] = now + TEMPO.gap();
            }
            for who in 0..self.looks.len() {
                if self.looks[who] > now {
                    continue;
                }
                self.looks[who] = match self.asks.next(&self.accounts[who], TEMPO, NOW + duration, now) {
                    NextPoll::PollRecord(id) => {
                        self.asks.ask(&id, now);
                        self.asked.push((now, id.clone()));
                        self.answers.push((now + latency, who, id));
                        // Until the answer has come.
                        end + Duration::from_millis(1)
                    }
                    NextPoll::Wait(until) => {
                        until.unwrap_or(end).clamp(now + TEMPO.gap(), now + Duration::from_secs(60))
                    }
                };
            }
        }
        self.asked
    }
}

proptest! {
    #[test]
    fn many_sidecars_ask_no_more_often_than_one(
        count in 1..8_usize,
        starts in prop::collection::vec(0..60_000_u64, 2..10),
        latency in 20..3_000_u64,
        lag in 0..3_000_u64,
    ) {
        let accounts: Vec<Account> = (0..count).map(|n| account(&format!("acc_{n}"))).collect();
        let hour = Duration::from_secs(3600);
        let (latency, lag) = (Duration::from_millis(latency), Duration::from_millis(lag));
        let first = *starts.iter().min().unwrap();
        let alone = Sidecars::new(&accounts, &[first]).run(hour, latency, lag);
        let together = Sidecars::new(&accounts, &starts).run(hour, latency, lag);
        for account in &accounts {
            let of = |asked: &[(At, AccountId)]| asked.iter().filter(|(_, id)| *id == account.id).count();
            let (alone, together) = (of(&alone), of(&together));
            prop_assert!((9..=12).contains(&alone), "{alone} alone");
            prop_assert!(together * 10 <= alone * 11, "{together} together, {alone} alone");
        }
    }

    #[test]
    fn no_history_makes_anyone_hurry(
        steps in prop::collection::vec((0..4_u8, 0..3_usize, 1..900_u64), 1..200),
    ) {
        let mut accounts = ["a", "b", "c"].map(account);
        let mut asks = PollLog::default();
        let mut now = NOW;
        for (step, whose, secs) in steps {
            now = now + Duration::from_secs(secs);
            let NextPoll::PollRecord(id) = asks.next(&accounts, TEMPO, now, now) else { continue };
            if let Some(ask) = asks.0.get(&id) {
                let least = match (ask.open, ask.failures) {
                    (true, _) => 30,
                    (false, 0) => 300,
                    (false, failures) => TEMPO.rest_after(failures).as_secs(),
                };
                prop_assert!(now.since(ask.at) >= Duration::from_secs(least), "{ask:?} at {now:?}");
            }
            asks.ask(&id, now);
            match step {
                // The sidecar dies.
                0 => {}
                1 => {
                    let failure = Failure::new(FailureKind::Network, Source::Transport, "");
                    asks.answered(&id, Err(&failure), TEMPO, now);
                }
                _ => asks.answered(&id, Ok(()), TEMPO, now),
            }
            // Meanwhile a completion is answered, with headers.
            accounts[whose].health.usage = Some(reading(&[window(WEEK, 4.0, None)], now).into());
        }
    }
}
