//! What people are told when this machine's clock and upstream's disagree.

use crate::pool::ClockSkew;
use crate::protocol::{Warning, WarningKind};
use crate::sidecar::notify::notifier::Notifier;

impl Notifier {
    pub(crate) fn compare_clocks(&self, skew: ClockSkew) {
        if skew.is_over() {
            self.clear(WarningKind::ClockSkew, None);
        }
        if skew.matters() {
            self.warn(Warning {
                kind: WarningKind::ClockSkew,
                message: format!(
                    "this machine's clock is {} {} upstream's, so resets and token expiries are misjudged",
                    skew.roughly(),
                    skew.direction()
                ),
                account: None,
                hint: Some("set the clock, e.g. timedatectl set-ntp true".to_owned()),
            });
        }
    }
}
