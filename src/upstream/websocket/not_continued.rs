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
