//! The integration tests: one crate, modules by subject, all against the real binary.

fn main_is_here() {}
#[test]
fn x() {
    main_is_here()
}
