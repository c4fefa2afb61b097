//! Usage windows as readings: every number has a time and a source, and a missing number is unknown.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::pool::outweighs::outweighs;
use crate::pool::saved::{all_known, known};
use crate::pool::{At, Reserve, ResetCredit, ResetCreditList};

/// 5 hours, in minutes, the unit that names windows.
pub const FIVE_HOURS: u32 = 300;
/// 7 days, in minutes, the unit that names windows.
pub const WEEK: u32 = 10_080;
/// The length of the window of a spend cap: longer than any other.
pub const SPEND_CAP: u32 = u32::MAX;
/// Older readings are shown as stale and read again.
pub const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// One rate-limit window. Identified by its length, never by the slot it came in (schema/upstream.md, usage).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// 300 = "5h", 10080 = "7d". Other lengths exist (free plans with a week only, monthly plans).
    pub window_minutes: u32,
    /// From 0, may be over 100.
    pub used_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<At>,
}

impl Window {
    /// Returns the used percentage as of `now`: a window whose reset has passed counts as 0 % until it is read again.
    pub fn used_at(&self, now: At) -> f64 {
        if self.resets_at.is_some_and(|reset| reset <= now) { 0.0 } else { self.used_percent }
    }

    /// Returns when it resets next; unknown once that reset has passed.
    pub fn next_reset(&self, now: At) -> Option<At> {
        self.resets_at.filter(|reset| *reset > now)
    }

    pub fn is_exhausted(&self, now: At) -> bool {
        self.used_at(now) >= 100.0
    }
}

/// Returns `5h`, `7d`, `30d`, `90m`: the largest unit that divides the length.
pub fn window_name(minutes: u32) -> Cow<'static, str> {
    const HOUR: u32 = 60;
    const DAY: u32 = 24 * HOUR;
    match minutes {
        0 => "0m".into(),
        SPEND_CAP => "cap".into(),
        FIVE_HOURS => "5h".into(),
        WEEK => "7d".into(),
        days if days.is_multiple_of(DAY) => format!("{}d", days / DAY).into(),
        hours if hours.is_multiple_of(HOUR) => format!("{}h", hours / HOUR).into(),
        minutes => format!("{minutes}m").into(),
    }
}

/// Returns the latest reset among the used-up windows, because the account is available only when all of them have
/// reset. `None` when no window is used up, or none of them says when it resets.
pub fn latest_exhausted_reset(windows: impl IntoIterator<Item = Window>, now: At) -> Option<At> {
    let exhausted = windows.into_iter().filter(|window| window.is_exhausted(now));
    exhausted.filter_map(|window| window.next_reset(now)).max()
}

/// A separate limit beside the main one, e.g. `codex_bengalfox`.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalLimit {
    pub limit_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(serialize_with = "finite")]
    pub windows: Vec<Window>,
    /// Upstream said that it refuses, whatever the percentages are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses: bool,
}

#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credits {
    pub has_credits: bool,
    pub unlimited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
}

/// The account's own spending limit. Amounts are upstream's texts.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpendControl {
    pub reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    #[serde(skip_serializing_if = "is_not_finite")]
    pub used_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<At>,
}

impl SpendControl {
    /// Returns the cap as a window, when it says how far it is used.
    pub fn window(&self) -> Option<Window> {
        let used_percent = self.used_percent.or(self.reached.then_some(100.0))?;
        let used_percent = if self.reached { used_percent.max(100.0) } else { used_percent };
        Some(Window { window_minutes: SPEND_CAP, used_percent, resets_at: self.resets_at })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    UsageEndpoint,
    ResponseHeaders,
    StreamEvent,
}

/// When and from where something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
pub struct Seen {
    pub source: UsageSource,
    #[serde(rename = "fetchedAt")]
    pub at: At,
}

/// A part of the usage. Parts come from different answers, so each has its own time.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Known<T> {
    #[serde(flatten)]
    pub value: T,
    #[serde(flatten)]
    pub seen: Seen,
}

/// What one upstream answer said about usage. A part that is absent leaves the known one as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageReading {
    /// Windows of the main limit (`codex`), shortest first.
    pub windows: Vec<Window>,
    /// Upstream's word for the limit that was reached, e.g. `workspace_member_credits_depleted`.
    pub reached: Option<String>,
    pub limits: Vec<AdditionalLimit>,
    /// Whether `limits` is complete.
    pub lists_limits: bool,
    pub credits: Option<Credits>,
    pub spend: Option<SpendControl>,
    /// How often the user may reset the limits.
    pub resets_left: Option<u32>,
    /// Whether the reserve may be used; `None` when the answer does not say.
    pub reserve: Option<Reserve>,
    pub plan: Option<String>,
    pub source: UsageSource,
    /// When its request was sent. A reading must not end a cooldown that is younger.
    pub requested_at: At,
    pub fetched_at: At,
}

/// What is known about one account's usage, the latest reading of each part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Of the main limit. Empty when unknown.
    #[serde(serialize_with = "finite")]
    pub windows: Vec<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
    /// The source and time of `windows` and `reached`.
    pub source: UsageSource,
    pub fetched_at: At,
    /// Sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "all_known")]
    pub limits: Vec<Known<AdditionalLimit>>,
    /// When all limits were listed last. A limit that was known before and is not in that list does not exist any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits_listed_at: Option<At>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub credits: Option<Known<Credits>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub spend: Option<Known<SpendControl>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "resets_left")]
    pub resets_left: Option<Known<u32>>,
    /// As in the latest list.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "reset_credits")]
    pub reset_credits: Option<Known<Vec<ResetCredit>>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub reserve: Option<Known<Reserve>>,
}

impl<T> Known<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        Known { value: change(self.value), seen: self.seen }
    }
}

/// JSON has no word for a number that is not finite, and such a reading is no reading.
fn finite<S: Serializer>(windows: &[Window], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(windows.iter().filter(|window| window.used_percent.is_finite()))
}

fn is_not_finite(used_percent: &Option<f64>) -> bool {
    used_percent.is_none_or(|used| !used.is_finite())
}

/// A number of resets is saved as `left`.
mod resets_left {
    use super::{Deserialize, Deserializer, Known, Serialize, Serializer, known};

    #[derive(Serialize, Deserialize)]
    struct ResetsLeft {
        left: u32,
    }

    pub(super) fn serialize<S: Serializer>(
        known: &Option<Known<u32>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let saved =
            known.as_ref().map(|known| Known { value: ResetsLeft { left: known.value }, seen: known.seen });
        saved.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Known<u32>>, D::Error> {
        let saved: Option<Known<ResetsLeft>> = known(deserializer)?;
        Ok(saved.map(|known| known.map(|saved| saved.left)))
    }
}

/// The reset credits are saved as `list`.
mod reset_credits {
    use super::{Deserialize, Deserializer, Known, ResetCredit, Serialize, Serializer, known};

    #[derive(Serialize, Deserialize)]
    struct Listed<L> {
        list: L,
    }

    pub(super) fn serialize<S: Serializer>(
        known: &Option<Known<Vec<ResetCredit>>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let saved =
            known.as_ref().map(|known| Known { value: Listed { list: &known.value }, seen: known.seen });
        saved.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Known<Vec<ResetCredit>>>, D::Error> {
        let saved: Option<Known<Listed<Vec<ResetCredit>>>> = known(deserializer)?;
        Ok(saved.map(|known| known.map(|saved| saved.list)))
    }
}

impl Usage {
    /// Returns the windows of the main limit, or of the named one.
    pub fn windows_of(&self, limit_id: Option<&str>) -> &[Window] {
        match limit_id {
            None => &self.windows,
            Some(id) => self
                .limits
                .iter()
                .find(|limit| limit.value.limit_id == id)
                .map_or(&[], |limit| limit.value.windows.as_slice()),
        }
    }

    /// Returns the windows of a limit, and for the main one also the window of the spend cap.
    pub fn all_windows<'a>(
        &'a self,
        limit_id: Option<&str>,
    ) -> impl Iterator<Item = Window> + Clone + use<'a> {
        let cap = self.spend.as_ref().filter(|_| limit_id.is_none()).and_then(|spend| spend.value.window());
        self.windows_of(limit_id).iter().copied().chain(cap)
    }

    /// Returns whether nothing is left of a limit: a window is at 100 %, or upstream said that it refuses. What
    /// upstream said about a window does not count after its reset.
    pub fn is_used_up(&self, limit_id: Option<&str>, now: At) -> bool {
        let refuses = match limit_id {
            None => self.reached.is_some(),
            Some(id) => self.limits.iter().any(|limit| limit.value.limit_id == id && limit.value.refuses),
        };
        let mut windows = self.windows_of(limit_id).iter();
        let is_current = |window: &Window| window.resets_at.is_none_or(|reset| reset > now);
        self.all_windows(limit_id).any(|window| window.is_exhausted(now))
            || (refuses && (windows.len() == 0 || windows.any(is_current)))
    }

    /// Returns the separate limit of a model, found by its name: `GPT-5.3-Codex-Spark` for `gpt-5.3-codex-spark`.
    pub fn limit_named(&self, model: &str) -> Option<&str> {
        let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_'], "-");
        let is_of_model = |limit: &AdditionalLimit| {
            limit.name.as_deref().is_some_and(|name| plain(name) == plain(model))
                || plain(&limit.limit_id) == plain(model)
        };
        let limit = self.limits.iter().find(|limit| is_of_model(&limit.value))?;
        Some(&limit.value.limit_id)
    }

    pub fn seen(&self) -> Seen {
        Seen { at: self.fetched_at, source: self.source }
    }

    /// Takes over every part of `reading`. The windows of one limit are replaced together, because a change of plan
    /// removes some.
    pub fn update(&mut self, reading: UsageReading) {
        self.join(&Usage::from(reading), true);
    }

    /// Takes over a list of reset credits, unless a later one is known.
    pub fn update_reset_credits(&mut self, list: ResetCreditList) {
        let (count, credits) = list.parts();
        take_later_known(&mut self.resets_left, &Some(count), true);
        take_later_known(&mut self.reset_credits, &Some(credits), true);
    }

    /// Returns the available reset credits of the last list, the first to expire first, unless a later count
    /// contradicts the list.
    pub fn listed_reset_credits(&self, now: At) -> Option<Vec<&ResetCredit>> {
        let listed = self.reset_credits.as_ref()?;
        let mut available: Vec<_> = listed.value.iter().filter(|credit| credit.is_available(now)).collect();
        available.sort_by_key(|credit| credit.redeemed_before());
        let is_current = self.resets_left.as_ref().is_none_or(|count| {
            count.seen.at <= listed.seen.at || usize::try_from(count.value) == Ok(available.len())
        });
        is_current.then_some(available)
    }

    /// Returns whether to read the list of reset credits: there are some, and the list is unknown, contradicted by a
    /// later count, or older than `max_age`.
    pub fn wants_reset_credits(&self, max_age: Duration, now: At) -> bool {
        let some_left = self.resets_left.as_ref().is_some_and(|count| count.value > 0);
        let listed_at = self.reset_credits.as_ref().map(|listed| listed.seen.at);
        some_left
            && (self.listed_reset_credits(now).is_none()
                || listed_at.is_none_or(|at| now.since(at) > max_age))
    }

    /// Merges what another sidecar knows: of each part the later one. In any order, any number of times.
    pub(crate) fn absorb(&mut self, other: &Usage) {
        self.join(other, false);
    }

    /// `came_later`: of two parts with one age, that of `other` is the later.
    fn join(&mut self, other: &Usage, came_later: bool) {
        // An answer without windows says nothing about windows.
        let main = |usage: &Usage| (usage.windows.clone(), usage.reached.clone(), usage.seen());
        let mut mine = main(self);
        take_later(&mut mine, &main(other), came_later, |it| (!it.0.is_empty(), it.2.at));
        let (windows, reached, Seen { at, source }) = mine;
        (self.windows, self.reached, self.fetched_at, self.source) = (windows, reached, at, source);
        for theirs in &other.limits {
            let id = |known: &Known<AdditionalLimit>| known.value.limit_id.clone();
            match self.limits.binary_search_by_key(&id(theirs), id) {
                Ok(i) => take_later(&mut self.limits[i], theirs, came_later, |known| known.seen.at),
                Err(i) => self.limits.insert(i, theirs.clone()),
            }
        }
        self.limits_listed_at = self.limits_listed_at.max(other.limits_listed_at);
        self.limits.retain(|known| Some(known.seen.at) >= self.limits_listed_at);
        take_later_known(&mut self.credits, &other.credits, came_later);
        take_later_known(&mut self.spend, &other.spend, came_later);
        take_later_known(&mut self.resets_left, &other.resets_left, came_later);
        take_later_known(&mut self.reset_credits, &other.reset_credits, came_later);
        take_later_known(&mut self.reserve, &other.reserve, came_later);
    }

    /// See [`crate::pool::Health::clamp_future`].
    pub(crate) fn clamp_future(&mut self, now: At) {
        let settle = |seen: &mut Seen| seen.at = seen.at.not_ahead_of(now);
        self.fetched_at = self.fetched_at.not_ahead_of(now);
        self.limits_listed_at = self.limits_listed_at.map(|at| at.not_ahead_of(now));
        self.limits.iter_mut().for_each(|known| settle(&mut known.seen));
        self.credits.iter_mut().for_each(|known| settle(&mut known.seen));
        self.spend.iter_mut().for_each(|known| settle(&mut known.seen));
        self.resets_left.iter_mut().for_each(|known| settle(&mut known.seen));
        self.reset_credits.iter_mut().for_each(|known| settle(&mut known.seen));
        self.reserve.iter_mut().for_each(|known| settle(&mut known.seen));
    }
}

impl From<UsageReading> for Usage {
    fn from(reading: UsageReading) -> Self {
        let seen = Seen { at: reading.fetched_at, source: reading.source };
        let mut limits: Vec<_> = reading.limits.into_iter().map(|value| Known { value, seen }).collect();
        limits.sort_by(|a, b| a.value.limit_id.cmp(&b.value.limit_id));
        limits.dedup_by(|a, b| a.value.limit_id == b.value.limit_id);
        Usage {
            windows: reading.windows,
            reached: reading.reached,
            source: reading.source,
            fetched_at: reading.fetched_at,
            limits,
            limits_listed_at: reading.lists_limits.then_some(reading.fetched_at),
            credits: reading.credits.map(|value| Known { value, seen }),
            spend: reading.spend.map(|value| Known { value, seen }),
            resets_left: reading.resets_left.map(|value| Known { value, seen }),
            reset_credits: None,
            reserve: reading.reserve.map(|value| Known { value, seen }),
        }
    }
}

fn take_later_known<T: Clone + PartialOrd>(
    mine: &mut Option<Known<T>>,
    theirs: &Option<Known<T>>,
    came_later: bool,
) {
    take_later(mine, theirs, came_later, |known| known.as_ref().map(|known| known.seen.at));
}

fn take_later<T: Clone + PartialOrd, K: Ord>(
    mine: &mut T,
    theirs: &T,
    came_later: bool,
    age: impl Fn(&T) -> K,
) {
    if outweighs(theirs, mine, &age) || came_later && age(theirs) == age(mine) {
        mine.clone_from(theirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(window_minutes: u32, used_percent: f64, resets_at: Option<i64>) -> Window {
        Window { window_minutes, used_percent, resets_at: resets_at.map(At) }
    }

    fn reading(
        windows: Vec<Window>,
        limits: Vec<AdditionalLimit>,
        source: UsageSource,
        at: i64,
    ) -> UsageReading {
        UsageReading {
            windows,
            limits,
            lists_limits: source == UsageSource::UsageEndpoint,
            source,
            ..crate::pool::testing::reading(&[], At(at))
        }
    }

    fn limit(id: &str, used: f64) -> AdditionalLimit {
        AdditionalLimit {
            limit_id: id.into(),
            name: None,
            windows: vec![window(FIVE_HOURS, used, None)],
            refuses: false,
        }
    }

    #[test]
    fn a_list_of_reset_credits_holds_until_a_later_count_contradicts_it() {
        let credit = |id: &str, expires_at: i64| ResetCredit {
            id: id.into(),
            expires_at: Some(At(expires_at)),
            status: Some("available".into()),
        };
        let list = |at: i64, credits: &[ResetCredit]| ResetCreditList {
            available: credits.len() as u32,
            credits: credits.to_vec(),
            requested_at: At(at),
            fetched_at: At(at),
        };
        let counted = |count: u32, at: i64| {
            let mut reading = reading(vec![], vec![], UsageSource::UsageEndpoint, at);
            reading.resets_left = Some(count);
            reading
        };
        let ids = |usage: &Usage, now: i64| -> Option<Vec<String>> {
            Some(usage.listed_reset_credits(At(now))?.into_iter().map(|credit| credit.id.clone()).collect())
        };
        let hour = Duration::from_secs(3600);
        let mut usage = Usage::from(counted(2, 1));
        assert_eq!((ids(&usage, 1), usage.wants_reset_credits(hour, At(1))), (None, true));
        usage.update_reset_credits(list(2, &[credit("late", 900), credit("early", 500)]));
        assert_eq!(ids(&usage, 3), Some(vec!["early".to_owned(), "late".to_owned()]));
        assert!(!usage.wants_reset_credits(hour, At(3)));
        assert_eq!(ids(&usage, 500), Some(vec!["late".to_owned()]), "what expired is not shown");
        usage.update(counted(2, 4));
        assert_eq!(ids(&usage, 5).map(|ids| ids.len()), Some(2), "the same count again");
        usage.update(counted(1, 6));
        assert_eq!((ids(&usage, 7), usage.wants_reset_credits(hour, At(7))), (None, true));
        usage.update(counted(0, 8));
        assert!(!usage.wants_reset_credits(hour, At(8)), "there is nothing to list");
        usage.update_reset_credits(list(5, &[credit("old", 900)]));
        assert_eq!(
            usage.resets_left.as_ref().map(|known| known.value),
            Some(0),
            "an older list changes no count"
        );
        usage.update_reset_credits(list(9, &[credit("late", 900)]));
        assert!(usage.wants_reset_credits(Duration::ZERO, At(700)), "the list is old");
    }

    #[test]
    fn the_account_is_back_when_the_last_exhausted_window_is() {
        let check = |windows: &[Window], expected: Option<i64>| {
            assert_eq!(
                latest_exhausted_reset(windows.iter().copied(), At(100)),
                expected.map(At),
                "{windows:?}"
            );
        };
        check(&[], None);
        check(&[window(FIVE_HOURS, 99.9, Some(200))], None);
        check(&[window(FIVE_HOURS, 100.0, None)], None);
        check(&[window(FIVE_HOURS, 100.0, Some(100))], None);
        check(&[window(FIVE_HOURS, 100.0, Some(200)), window(WEEK, 40.0, Some(900))], Some(200));
        check(&[window(FIVE_HOURS, 100.0, Some(200)), window(WEEK, 101.0, Some(900))], Some(900));
    }

    #[test]
    fn a_window_past_its_reset_counts_as_unused() {
        let passed = window(WEEK, 80.0, Some(100));
        assert_eq!((passed.used_at(At(99)), passed.next_reset(At(99))), (80.0, Some(At(100))));
        assert_eq!((passed.used_at(At(100)), passed.next_reset(At(100))), (0.0, None));
    }

    #[test]
    fn parts_that_a_reading_lacks_stay_with_their_own_time() {
        use UsageSource::*;
        let five_hours = |used| vec![window(FIVE_HOURS, used, None)];
        let limits = |usage: &Usage| -> Vec<(String, f64, i64)> {
            let told = |known: &Known<AdditionalLimit>| {
                (known.value.limit_id.clone(), known.value.windows[0].used_percent, known.seen.at.0)
            };
            usage.limits.iter().map(told).collect()
        };
        let mut first = reading(five_hours(10.0), vec![limit("b", 2.0), limit("a", 1.0)], UsageEndpoint, 2);
        first.credits = Some(Credits { has_credits: true, ..Credits::default() });
        first.reached = Some("rate_limit_reached".into());
        let mut usage = Usage::from(first);
        usage.update(reading(vec![], vec![limit("b", 3.0)], ResponseHeaders, 3));
        assert_eq!(
            (&usage.windows, usage.seen()),
            (&five_hours(10.0), Seen { at: At(2), source: UsageEndpoint })
        );
        assert_eq!(limits(&usage), [("a".into(), 1.0, 2), ("b".into(), 3.0, 3)]);

        usage.update(reading(five_hours(5.0), vec![], StreamEvent, 4));
        assert_eq!((&usage.windows, usage.fetched_at, &usage.reached), (&five_hours(5.0), At(4), &None));
        assert_eq!(usage.credits.as_ref().map(|known| known.seen.at), Some(At(2)));

        // A limit that is no longer listed is gone, for every sidecar that knew it.
        let remembered = usage.clone();
        usage.update(reading(vec![], vec![limit("b", 4.0)], UsageEndpoint, 5));
        assert_eq!(limits(&usage), [("b".into(), 4.0, 5)]);
        let mut other = remembered.clone();
        other.absorb(&usage);
        usage.absorb(&remembered);
        assert_eq!((limits(&usage), &usage), (vec![("b".into(), 4.0, 5)], &other));
    }
}
