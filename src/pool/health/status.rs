//! What was learned about an account, and how the knowledge of two sidecars is merged. It holds no credential.
//!
//! In each part the later evidence wins, so merging in any order, any number of times, gives the same state. Withdrawn
//! evidence leaves a time instead of a gap: otherwise a sidecar that still has it would bring it back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pool::outweighs::outweighs;
use crate::pool::saved::known;
use crate::pool::{At, Backoff, Certainty, Cooldown, FailureKind, Source, Usage};

/// How long the account is not used for a model that it was refused.
const MODEL_EXCLUSION: Duration = Duration::from_secs(60 * 60);
/// The same when every account refused the model, because one of them may get it any time.
const MODEL_EXCLUSION_BY_ALL: Duration = Duration::from_secs(10 * 60);
/// A client may send any number of invented model names; only the last ones are kept.
const MAX_MODEL_EXCLUSIONS: usize = 64;

/// Why an account cannot be used until a person acts. Kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "SavedStatus", into = "SavedStatus")]
pub enum HealthStatus {
    #[default]
    Good,
    /// Only a new login helps.
    NeedsLogin(HealthEvidence),
    /// Upstream deactivated the workspace or the account.
    Deactivated(HealthEvidence),
}

/// How a [`HealthStatus`] is saved: a status of a later version reads as good.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedStatus {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    needs_login: Option<HealthEvidence>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    deactivated: Option<HealthEvidence>,
}

/// The evidence behind a [`HealthStatus`], a cooldown or a back-off: what, when, from where.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct HealthEvidence {
    pub kind: FailureKind,
    /// Upstream's own code, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    pub since: At,
    pub source: Source,
}

/// A model that this account was refused, and until when it is not used for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelExclusion {
    pub model: String,
    pub until: At,
    /// When that was found out, or lifted: of two sidecars the later one counts.
    #[serde(default)]
    pub since: At,
}

/// What was learned about an account: everything that is kept in the state directory and shared between sidecars.
/// Deleting it gives a cold start and never costs a credential.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    #[serde(flatten)]
    pub standing: HealthStatus,
    /// Of the main limit. Separate limits are in `limit_cooldowns` and affect only requests that meet them. It may have
    /// ended already: see [`Health::cooldown_of`].
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub cooldown: Option<Cooldown>,
    /// (limit id, cooldown), e.g. `codex_bengalfox`, sorted by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "limit_cooldowns")]
    pub limit_cooldowns: Vec<(String, Cooldown)>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub backoff: Option<Backoff>,
    /// Sorted by the models' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_exclusions: Vec<ModelExclusion>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub usage: Option<Usage>,
    /// When it last completed a request, which ended any earlier back-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<At>,
    /// The user cleared cooldowns and back-off with evidence at or before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<At>,
    /// A status with evidence at or before this was ended by a new credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinstated_at: Option<At>,
}

/// How separate limits are saved: each as its cooldown with a `limitId`.
mod limit_cooldowns {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::pool::Cooldown;
    use crate::pool::saved::all_known;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LimitCooldown<C> {
        limit_id: String,
        #[serde(flatten)]
        cooldown: C,
    }

    pub(super) fn serialize<S: Serializer>(
        limits: &[(String, Cooldown)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let saved = limits.iter().map(|(id, cooldown)| LimitCooldown { limit_id: id.clone(), cooldown });
        serializer.collect_seq(saved)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, Cooldown)>, D::Error> {
        let limits: Vec<LimitCooldown<Cooldown>> = all_known(deserializer)?;
        Ok(limits.into_iter().map(|limit| (limit.limit_id, limit.cooldown)).collect())
    }
}

impl From<SavedStatus> for HealthStatus {
    fn from(saved: SavedStatus) -> Self {
        match (saved.deactivated, saved.needs_login) {
            (Some(why), _) => HealthStatus::Deactivated(why),
            (None, Some(why)) => HealthStatus::NeedsLogin(why),
            (None, None) => HealthStatus::Good,
        }
    }
}

impl From<HealthStatus> for SavedStatus {
    fn from(status: HealthStatus) -> Self {
        match status {
            HealthStatus::Good => SavedStatus { needs_login: None, deactivated: None },
            HealthStatus::NeedsLogin(why) => SavedStatus { needs_login: Some(why), deactivated: None },
            HealthStatus::Deactivated(why) => SavedStatus { needs_login: None, deactivated: Some(why) },
        }
    }
}

impl Health {
    /// Merges what another sidecar learned. Commutative, associative and idempotent.
    pub fn absorb(&mut self, other: &Health) {
        self.reinstated_at = self.reinstated_at.max(other.reinstated_at);
        self.withdrawn_at = self.withdrawn_at.max(other.withdrawn_at);
        self.last_used_at = self.last_used_at.max(other.last_used_at);

        if outweighs(&other.standing, &self.standing, |standing| standing.mark().map(|mark| mark.since)) {
            self.standing = other.standing.clone();
        }
        if outweighs(&other.cooldown, &self.cooldown, |cooldown| cooldown.as_ref().map(Cooldown::precedence))
        {
            self.cooldown = other.cooldown.clone();
        }
        for (limit_id, theirs) in &other.limit_cooldowns {
            match self.limit_slot(limit_id) {
                Ok(i) => {
                    let mine = &mut self.limit_cooldowns[i].1;
                    if outweighs(theirs, mine, Cooldown::precedence) {
                        *mine = theirs.clone();
                    }
                }
                Err(i) => self.limit_cooldowns.insert(i, (limit_id.clone(), theirs.clone())),
            }
        }
        if outweighs(&other.backoff, &self.backoff, |b| b.as_ref().map(|b| (b.why.since, b.failures))) {
            self.backoff = other.backoff.clone();
        }
        for theirs in &other.model_exclusions {
            self.record_exclusion(theirs.clone());
        }
        match (&mut self.usage, &other.usage) {
            (Some(mine), Some(theirs)) => mine.absorb(theirs),
            (None, Some(theirs)) => self.usage = Some(theirs.clone()),
            (_, None) => {}
        }
        self.drop_withdrawn();
    }

    /// Evidence from the future was dated by a clock that was ahead. It now counts as evidence of now, because
    /// otherwise no later reading could outweigh it before that time; durations begin again from now.
    pub(crate) fn clamp_future(&mut self, now: At) {
        for exclusion in &mut self.model_exclusions {
            exclusion.until = exclusion.until.min(now + MODEL_EXCLUSION);
            exclusion.since = exclusion.since.not_ahead_of(now);
        }
        if let Some(usage) = &mut self.usage {
            usage.clamp_future(now);
        }
        let limits = self.limit_cooldowns.iter().map(|(_, cooldown)| cooldown);
        let marks = limits.chain(&self.cooldown).map(|cooldown| cooldown.why.since);
        let marks = marks.chain(self.backoff.as_ref().map(|backoff| backoff.why.since));
        let marks = marks.chain(self.standing.mark().map(|mark| mark.since));
        let others = [self.reinstated_at, self.withdrawn_at, self.last_used_at];
        if !marks.chain(others.into_iter().flatten()).any(|at| at.is_ahead_of(now)) {
            return;
        }
        // All of them are clamped alike, so that later evidence stays later: withdrawn evidence has been dropped, and
        // the rest came after it.
        let just_before = Some(At(now.0.saturating_sub(1)));
        self.reinstated_at = self.reinstated_at.min(just_before);
        self.withdrawn_at = self.withdrawn_at.min(just_before);
        self.last_used_at = self.last_used_at.min(Some(now));
        if let HealthStatus::NeedsLogin(mark) | HealthStatus::Deactivated(mark) = &mut self.standing {
            mark.since = mark.since.min(now);
        }
        let limits = self.limit_cooldowns.iter_mut().map(|(_, cooldown)| cooldown);
        limits.chain(&mut self.cooldown).for_each(|cooldown| cooldown.clamp_future(now));
        if let Some(backoff) = &mut self.backoff {
            backoff.until = backoff.until - backoff.why.since.since(now);
            backoff.why.since = backoff.why.since.min(now);
        }
    }

    /// Returns the running cooldown of the main limit, or of the named one.
    pub fn cooldown_of(&self, limit_id: Option<&str>, now: At) -> Option<&Cooldown> {
        let cooldown = match limit_id {
            None => self.cooldown.as_ref(),
            Some(id) => {
                self.limit_cooldowns.iter().find(|(limit, _)| limit == id).map(|(_, cooldown)| cooldown)
            }
        };
        cooldown.filter(|cooldown| cooldown.until > now)
    }

    /// Returns until when the account is not used for the model.
    pub fn excluded_until(&self, model: &str, now: At) -> Option<At> {
        let exclusion = self.model_exclusions.iter().find(|exclusion| exclusion.model == model)?;
        Some(exclusion.until).filter(|until| *until > now)
    }

    /// Cools the account for one limit, unless known evidence outweighs it. Returns the end that holds.
    pub(crate) fn cool(&mut self, limit_id: Option<&str>, mut new: Cooldown, now: At) -> At {
        new.why.since = self.stamp(new.why.since);
        let held = match limit_id {
            None => self.cooldown.get_or_insert_with(|| new.clone()),
            Some(id) => {
                let slot = self.limit_slot(id).unwrap_or_else(|slot| {
                    self.limit_cooldowns.insert(slot, (id.to_owned(), new.clone()));
                    slot
                });
                &mut self.limit_cooldowns[slot].1
            }
        };
        held.report(new, now);
        held.until
    }

    /// Ranks the account last for a while. Returns the end.
    pub(crate) fn back_off(&mut self, mut why: HealthEvidence, now: At) -> At {
        why.since = self.stamp(why.since);
        let failures = self.backoff.as_ref().map_or(0, |backoff| backoff.failures).saturating_add(1);
        let backoff = Backoff { until: now + Backoff::rest_after(failures), failures, why };
        self.backoff.insert(backoff).until
    }

    pub(crate) fn exclude_model(&mut self, model: &str, now: At) -> At {
        self.model_exclusions.retain(|exclusion| exclusion.until > now);
        let exclusion =
            ModelExclusion { model: model.to_owned(), until: now + MODEL_EXCLUSION, since: self.stamp(now) };
        let until = exclusion.until;
        self.record_exclusion(exclusion);
        if self.model_exclusions.len() > MAX_MODEL_EXCLUSIONS {
            let first = self.model_exclusions.iter().enumerate().min_by_key(|(_, exclusion)| exclusion.until);
            if let Some((first, _)) = first {
                self.model_exclusions.remove(first);
            }
        }
        until
    }

    /// Every account refused the model, so it is tried again sooner. Returns when.
    pub(crate) fn shorten_exclusion(&mut self, model: &str, now: At) -> Option<At> {
        let exclusion = self.model_exclusions.iter_mut().find(|exclusion| exclusion.model == model)?;
        exclusion.until = exclusion.until.min(now + MODEL_EXCLUSION_BY_ALL);
        exclusion.since = exclusion.since.max(now);
        Some(exclusion.until)
    }

    /// The account served this model.
    pub(crate) fn allow_model(&mut self, model: &str, now: At) {
        self.lift_exclusions(now, |exclusion| exclusion.model == model);
    }

    /// Another plan may have other models.
    pub(crate) fn allow_all_models(&mut self, now: At) {
        self.lift_exclusions(now, |_| true);
    }

    /// A lifted exclusion stays as one that has ended, so that it outweighs what other sidecars know.
    fn lift_exclusions(&mut self, now: At, is_lifted: impl Fn(&ModelExclusion) -> bool) {
        for exclusion in self.model_exclusions.iter_mut().filter(|exclusion| is_lifted(exclusion)) {
            exclusion.until = exclusion.until.min(now);
            exclusion.since = exclusion.since.max(now);
        }
    }

    pub(crate) fn needs_login(&mut self, mark: HealthEvidence) {
        let mark = self.after_reinstatement(mark);
        self.standing = HealthStatus::NeedsLogin(mark);
    }

    pub(crate) fn deactivate(&mut self, mark: HealthEvidence) {
        let mark = self.after_reinstatement(mark);
        self.standing = HealthStatus::Deactivated(mark);
    }

    /// A new credential arrived; the next attempt will show whether it is good. Returns whether that changed anything.
    pub(crate) fn reinstate(&mut self) -> bool {
        let Some(mark) = self.standing.mark() else { return false };
        self.reinstated_at = self.reinstated_at.max(Some(mark.since));
        self.standing = HealthStatus::Good;
        true
    }

    /// It completed a request.
    pub(crate) fn succeed(&mut self, now: At) {
        self.backoff = None;
        self.last_used_at = self.last_used_at.max(Some(now));
    }

    /// A request that was sent after the refusal was served, so its limit has ended, unless upstream ordered the wait.
    pub(crate) fn refute(&mut self, limit_id: Option<&str>, asked_at: At, now: At) {
        let held = match limit_id {
            None => self.cooldown.as_mut(),
            Some(id) => self.limit_slot(id).ok().map(|slot| &mut self.limit_cooldowns[slot].1),
        };
        let Some(cooldown) = held else { return };
        // A request from before the clock was set back cannot be distinguished from one before the refusal.
        let after = cooldown.why.since < asked_at && !asked_at.is_ahead_of(now);
        if cooldown.certainty != Certainty::Directive && after {
            cooldown.end(asked_at, now);
        }
    }

    /// The user clears every cooldown, back-off and refused model. Returns whether a cooldown or back-off was running.
    pub(crate) fn withdraw(&mut self, now: At) -> bool {
        let running = self.cooldown_of(None, now).is_some()
            || self.limit_cooldowns.iter().any(|(_, cooldown)| cooldown.until > now)
            || self.backoff.as_ref().is_some_and(|backoff| backoff.until > now);
        let latest = [
            self.cooldown.as_ref().map(|cooldown| cooldown.why.since),
            self.limit_cooldowns.iter().map(|(_, cooldown)| cooldown.why.since).max(),
            self.backoff.as_ref().map(|backoff| backoff.why.since),
            self.model_exclusions.iter().map(|exclusion| exclusion.since).max(),
        ];
        // After the clock was set back, evidence may have a later time than `now`; it is removed, too.
        self.withdrawn_at =
            latest.into_iter().flatten().fold(self.withdrawn_at, |at, since| at.max(Some(since)));
        self.withdrawn_at = self.withdrawn_at.max(Some(now));
        self.drop_withdrawn();
        running
    }

    fn drop_withdrawn(&mut self) {
        let withdrawn = |since: At| Some(since) <= self.withdrawn_at;
        if self.cooldown.as_ref().is_some_and(|cooldown| withdrawn(cooldown.why.since)) {
            self.cooldown = None;
        }
        let succeeded_since = |since: At| Some(since) < self.last_used_at;
        let over = |b: &Backoff| withdrawn(b.why.since) || succeeded_since(b.why.since);
        if self.backoff.as_ref().is_some_and(over) {
            self.backoff = None;
        }
        let withdrawn_at = self.withdrawn_at;
        self.model_exclusions.retain(|exclusion| Some(exclusion.since) > withdrawn_at);
        self.limit_cooldowns.retain(|(_, cooldown)| Some(cooldown.why.since) > withdrawn_at);
        if self.standing.mark().is_some_and(|mark| Some(mark.since) <= self.reinstated_at) {
            self.standing = HealthStatus::Good;
        }
    }

    /// New evidence must be later than any withdrawal, or the next merge would treat it as withdrawn.
    fn stamp(&self, since: At) -> At {
        self.withdrawn_at.map_or(since, |at| since.max(At(at.0.saturating_add(1))))
    }

    fn after_reinstatement(&self, mut mark: HealthEvidence) -> HealthEvidence {
        let earliest = self.reinstated_at.map_or(mark.since, |at| At(at.0.saturating_add(1)));
        mark.since = mark.since.max(earliest);
        mark
    }

    fn limit_slot(&self, limit_id: &str) -> Result<usize, usize> {
        self.limit_cooldowns.binary_search_by(|(id, _)| id.as_str().cmp(limit_id))
    }

    fn record_exclusion(&mut self, new: ModelExclusion) {
        match self.model_exclusions.binary_search_by(|exclusion| exclusion.model.cmp(&new.model)) {
            Ok(i) => {
                let held = &mut self.model_exclusions[i];
                if (new.since, new.until) > (held.since, held.until) {
                    *held = new;
                }
            }
            Err(i) => self.model_exclusions.insert(i, new),
        }
    }
}

impl HealthStatus {
    fn mark(&self) -> Option<&HealthEvidence> {
        match self {
            HealthStatus::Good => None,
            HealthStatus::NeedsLogin(mark) | HealthStatus::Deactivated(mark) => Some(mark),
        }
    }
}

#[cfg(test)]
mod tests;
