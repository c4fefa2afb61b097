//! `reset`: the user clears a pin, or what refusals caused. A state that only a login or upstream can change stays.

use crate::pool::{At, Pool};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetScope {
    /// The pin.
    Manual,
    /// Cooldowns of every limit, back-off, and models that were refused.
    Quota,
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetReport {
    pub unpinned: bool,
    /// Accounts that were cooling or backed off and are not any more.
    pub cooldowns_cleared: u32,
}

impl Pool {
    pub fn reset(&mut self, scope: ResetScope, now: At) -> ResetReport {
        let mut report = ResetReport::default();
        if matches!(scope, ResetScope::Manual | ResetScope::All) {
            report.unpinned = self.unpin();
        }
        if matches!(scope, ResetScope::Quota | ResetScope::All) {
            for account in &mut self.accounts {
                report.cooldowns_cleared += u32::from(account.health.withdraw(now));
            }
            self.touch();
        }
        report
    }
}
