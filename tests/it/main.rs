//! The integration tests, one crate: modules by subject. All that can runs against the real binary.

#[cfg(feature = "sim")]
mod canary;
#[cfg(feature = "sim")]
mod killed;
mod layers;
#[cfg(feature = "sim")]
mod redeem;
mod schema;
#[cfg(feature = "sim")]
mod stage;
