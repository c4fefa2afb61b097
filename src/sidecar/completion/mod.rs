//! One completion, from its params to its terminal notice.

pub(crate) mod attempt;
pub(crate) mod collect;
pub(crate) mod collected_output;
pub(crate) mod failed_attempt;
pub(crate) mod held_preambles;
pub(crate) mod reasoning_origins;
mod recorder;
mod refused_parameters;
pub(crate) mod relay;
pub(crate) mod request;
pub(crate) mod run;
pub(crate) mod sink;
mod transport;
pub(crate) mod unavailable;
mod when_dry;
