//! The transport setting, for the wire.

use crate::pool;
use crate::protocol;
use crate::upstream;

pub(crate) fn transport_of(transport: protocol::Transport) -> pool::Transport {
    match transport {
        protocol::Transport::Auto => pool::Transport::Auto,
        protocol::Transport::Sse => pool::Transport::Sse,
        protocol::Transport::WebSocket => pool::Transport::WebSocket,
    }
}

pub(crate) fn transport_used(used: pool::TransportUsed) -> protocol::TransportUsed {
    match used {
        pool::TransportUsed::Sse => protocol::TransportUsed::Sse,
        pool::TransportUsed::WebSocket => protocol::TransportUsed::WebSocket,
    }
}

pub(crate) fn not_continued(why: upstream::NotContinued) -> protocol::NotContinued {
    use protocol::NotContinued::*;
    match why {
        upstream::NotContinued::FirstTurn => FirstTurn,
        upstream::NotContinued::MembersDiffer => MembersDiffer,
        upstream::NotContinued::HistoryDiffers => HistoryDiffers,
        upstream::NotContinued::HeadersDiffer => HeadersDiffer,
        upstream::NotContinued::NewSocket => NewSocket,
        upstream::NotContinued::AccountChanged => AccountChanged,
        upstream::NotContinued::Refused => Refused,
    }
}
