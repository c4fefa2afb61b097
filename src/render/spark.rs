//! Sparklines: a row of numbers as a row of bars.

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character for each number, with the height of its share of the highest number. Zero is a gap.
pub(super) fn sparkline(numbers: &[u64]) -> String {
    let highest = numbers.iter().copied().max().unwrap_or(0);
    numbers.iter().map(|&number| step(number, highest)).collect()
}

fn step(number: u64, highest: u64) -> char {
    if number == 0 {
        return ' ';
    }
    // 128 bits cannot overflow here. Only the highest number gets the last step.
    let nth = (u128::from(number) * 8).div_ceil(u128::from(highest)) - 1;
    usize::try_from(nth).ok().and_then(|nth| STEPS.get(nth)).copied().unwrap_or(STEPS[7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_fills_its_place_and_the_least_is_still_seen() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), " ▁▄█");
        assert_eq!(sparkline(&[3]), "█");
        assert_eq!(sparkline(&[0, 0]), "  ");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[u64::MAX, 1]), "█▁");
    }
}
