//! Other programs on the same files: the pi-multicodex extension and the real pi.

pub mod extension;
pub mod real_pi;
