//! The true state of five accounts, whatever the pool assumes.

use multicodex::pool::{
    AccountId, At, FIVE_HOURS, Failure, FailureKind, Source, UsageReading, UsageSource, WEEK, Window,
};

use super::rng::{HOUR, MINUTE, Rng};

/// A window begins with the first use after its last one ended.
#[derive(Clone, Copy, Debug)]
struct Quota {
    minutes: u32,
    /// In thousands of tokens at full price.
    capacity: i64,
    used: i64,
    resets_at: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Truth {
    pub id: AccountId,
    quotas: [Quota; 2],
    /// Pays for what goes beyond the limits.
    credits: i64,
    /// From when to when it answers only errors.
    outages: Vec<(i64, i64)>,
    /// From when to when it is rate-limited.
    pauses: Vec<(i64, i64)>,
    /// From when to when it needs a login.
    pub logged_out: Option<(i64, i64)>,
    /// When the user spends a saved reset on it, without any announcement.
    pub early_reset: Option<i64>,
}

/// The accounts at midnight before Monday: plans of two sizes, each at another point of its week. `share` is in percent
/// of plans that are ample for the traffic.
pub fn fleet(share: i64, dice: &mut Rng) -> Vec<Truth> {
    // (week's capacity, used so far in percent, hours until the week resets, credits)
    let plans =
        [(1700, 35, 100, 0), (600, 70, 30, 0), (600, 10, 150, 0), (600, 50, 62, 4_000), (600, 0, 0, 0)];
    let mut fleet: Vec<Truth> = plans
        .iter()
        .zip('a'..)
        .map(|(&(capacity, used, resets_in, credits), name)| {
            (capacity * share, used, resets_in, credits, name)
        })
        .map(|(capacity, used, resets_in, credits, name)| Truth {
            id: AccountId::new(format!("acc_{name}")),
            quotas: [
                Quota { minutes: FIVE_HOURS, capacity: capacity / 8, used: 0, resets_at: None },
                Quota {
                    minutes: WEEK,
                    capacity,
                    used: capacity * used / 100,
                    resets_at: (used > 0).then_some(resets_in * HOUR),
                },
            ],
            credits,
            outages: dice.spans(10, 2 * MINUTE, 25 * MINUTE),
            pauses: dice.spans(30, MINUTE / 2, 4 * MINUTE),
            logged_out: None,
            early_reset: None,
        })
        .collect();
    fleet[2].logged_out = Some((34 * HOUR, 40 * HOUR));
    fleet[1].early_reset = Some(83 * HOUR);
    fleet
}

impl Truth {
    /// Returns what a completion that is sent now meets, except the answer.
    pub fn refusal(&mut self, now: i64, dice: &mut Rng) -> Option<Failure> {
        self.roll(now);
        let refuse = |kind, source| Failure::new(kind, source, "simulated");
        if within(self.logged_out.as_slice(), now).is_some() {
            return Some(refuse(FailureKind::LoginRequired, Source::TokenEndpoint));
        }
        if within(&self.outages, now).is_some() {
            return Some(refuse(FailureKind::ServerError, Source::ResponseBody));
        }
        if let Some(ends) = within(&self.pauses, now) {
            let rest = At(ends).since(At(now));
            let retry_after = Some(rest).filter(|_| dice.percent(70));
            return Some(Failure { retry_after, ..refuse(FailureKind::RateLimit, Source::ResponseHeaders) });
        }
        let resets_at = self.exhausted_until()?;
        // Some answers quote nothing.
        let resets_at = Some(At(resets_at)).filter(|_| dice.percent(80));
        Some(Failure { resets_at, ..refuse(FailureKind::UsageLimit, Source::ResponseBody) })
    }

    pub fn can_serve(&mut self, now: i64) -> bool {
        self.roll(now);
        within(self.logged_out.as_slice(), now).is_none()
            && within(&self.outages, now).is_none()
            && within(&self.pauses, now).is_none()
            && self.exhausted_until().is_none()
    }

    /// Returns whether it was reset early since the last answer.
    pub fn was_reset_since(&self, heard_of: Option<i64>, now: i64) -> bool {
        self.early_reset.is_some_and(|at| at <= now && heard_of.is_none_or(|heard_of| heard_of < at))
    }

    pub fn answers_about_usage(&self, now: i64) -> bool {
        within(self.logged_out.as_slice(), now).is_none() && within(&self.outages, now).is_none()
    }

    pub fn spend(&mut self, cost: i64, now: i64) {
        self.roll(now);
        if self.exhausted_until_without_credits().is_some() {
            self.credits -= cost;
        }
        for quota in &mut self.quotas {
            quota.resets_at.get_or_insert(now + i64::from(quota.minutes) * MINUTE);
            quota.used += cost;
        }
    }

    pub fn start_anew(&mut self) {
        for quota in &mut self.quotas {
            (quota.used, quota.resets_at) = (0, None);
        }
    }

    pub fn reading(&mut self, requested_at: i64, now: i64, source: UsageSource) -> UsageReading {
        self.roll(now);
        let window = |quota: &Quota| Window {
            window_minutes: quota.minutes,
            used_percent: (quota.used * 100 / quota.capacity).min(100) as f64,
            resets_at: Some(At(quota.resets_at.unwrap_or(now + i64::from(quota.minutes) * MINUTE))),
        };
        UsageReading {
            windows: self.quotas.iter().map(window).collect(),
            reached: None,
            limits: Vec::new(),
            lists_limits: false,
            credits: None,
            spend: None,
            resets_left: None,
            reserve: None,
            plan: None,
            source,
            requested_at: At(requested_at),
            fetched_at: At(now),
        }
    }

    fn roll(&mut self, now: i64) {
        for quota in &mut self.quotas {
            if quota.resets_at.is_some_and(|at| at <= now) {
                (quota.used, quota.resets_at) = (0, None);
            }
        }
    }

    fn exhausted_until(&self) -> Option<i64> {
        self.exhausted_until_without_credits().filter(|_| self.credits <= 0)
    }

    fn exhausted_until_without_credits(&self) -> Option<i64> {
        let exhausted = self.quotas.iter().filter(|quota| quota.used >= quota.capacity);
        exhausted.filter_map(|quota| quota.resets_at).max()
    }
}

/// Returns the end of the span that contains `now`.
fn within(spans: &[(i64, i64)], now: i64) -> Option<i64> {
    spans.iter().find(|(from, to)| (*from..*to).contains(&now)).map(|(_, to)| *to)
}
