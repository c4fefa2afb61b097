//! Which of two values counts when two sidecars join what they know.

use std::cmp::Ordering;

/// Whether `theirs` wins over `mine`: the weight decides, and of equal weights the order of the values themselves. Any
/// order does, as long as every sidecar uses the same one.
pub(crate) fn outweighs<T: PartialOrd, K: Ord>(theirs: &T, mine: &T, weight: impl Fn(&T) -> K) -> bool {
    let by_value = || theirs.partial_cmp(mine).unwrap_or(Ordering::Equal);
    weight(theirs).cmp(&weight(mine)).then_with(by_value).is_gt()
}
