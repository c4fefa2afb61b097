//! Reset credits: listed, and redeemed when a person or the setting `resetCredits` says so.

pub(crate) mod list;

use self::list::ListPauses;

#[derive(Debug, Default)]
pub(crate) struct ResetCredits {
    pauses: ListPauses,
}
