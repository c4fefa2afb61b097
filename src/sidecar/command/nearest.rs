//! Finds the word that a mistyped word was probably meant to be.

/// Returns the candidate with the fewest typing errors, if they are few for a word of that length. Case-insensitive;
/// the first one of equal candidates.
pub(crate) fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let slips = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // A beginning of a word counts whatever its length.
        if typed.chars().count() >= 3 && candidate.starts_with(&typed) {
            return 0;
        }
        strsim::damerau_levenshtein(&typed, &candidate)
    };
    let few = (typed.chars().count() + 1) / 3;
    candidates
        .map(|candidate| (slips(candidate), candidate))
        .filter(|(slips, _)| *slips <= few)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_another_word_is_not() {
        fn check(typed: &str, expected: Option<&str>) {
            let words = ["accounts", "use", "show", "verify", "reset", "refresh", "help"];
            assert_eq!(nearest(typed, words.into_iter()), expected, "{typed}");
        }
        check("verfiy", Some("verify"));
        check("Verfy", Some("verify"));
        check("acounts", Some("accounts"));
        check("acc", Some("accounts"));
        check("rest", Some("reset"));
        check("ues", Some("use"));
        check("u", None);
        check("delete", None);
        check("", None);
        check("🦀🦀🦀", None);
    }
}
