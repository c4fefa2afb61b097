//! Why a turn over WebSocket sent the whole conversation.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotContinued {
    FirstTurn,
    MembersDiffer,
    HistoryDiffers,
    HeadersDiffer,
    NewSocket,
    AccountChanged,
    Refused,
}

impl NotContinued {
    pub const ALL: [NotContinued; 7] = {
        use NotContinued::*;
        [FirstTurn, MembersDiffer, HistoryDiffers, HeadersDiffer, NewSocket, AccountChanged, Refused]
    };

    pub fn name(self) -> &'static str {
        match self {
            NotContinued::FirstTurn => "first_turn",
            NotContinued::MembersDiffer => "members_differ",
            NotContinued::HistoryDiffers => "history_differs",
            NotContinued::HeadersDiffer => "headers_differ",
            NotContinued::NewSocket => "new_socket",
            NotContinued::AccountChanged => "account_changed",
            NotContinued::Refused => "refused",
        }
    }
}
