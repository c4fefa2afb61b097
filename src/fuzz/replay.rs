//! Seeds are in `tests/fuzz/seeds/<target>`, inputs that once failed in `tests/fuzz/found/<target>`.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// `MULTICODEX_FUZZ_INPUTS=1000000` runs more of them; each target has the same inputs in every run.
const MUTATIONS: u32 = 3000;

fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let inputs = |kind: &str| -> Vec<Vec<u8>> {
        let files = fs::read_dir(folder.join(kind).join(name)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = files.map(|file| file.path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap_or_default()).collect()
    };
    let seeds = inputs("seeds");
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let check = |input: &[u8]| {
        let held = catch_unwind(|| target(input)).is_ok();
        assert!(held, "{name} does not hold for {:?}", String::from_utf8_lossy(input));
    };
    let found = inputs("found");
    seeds.iter().chain(&found).for_each(|input| check(input));
    let more = std::env::var("MULTICODEX_FUZZ_INPUTS").ok().and_then(|count| count.parse().ok());
    let mut dice = Dice(name.bytes().fold(1, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte)));
    for _ in 0..more.unwrap_or(MUTATIONS) {
        let mut input = dice.one_of(&seeds).clone();
        for _ in 0..=dice.below(4) {
            mutate(&mut input, &seeds, &mut dice);
        }
        check(&input);
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    const WORDS: &[&str] = &[
        "null",
        "true",
        "-1",
        "1e400",
        "18446744073709551616",
        "\"\"",
        "\\ud800",
        "[]",
        "{}",
        ",",
        ":",
        "\r\n",
        "\n\n",
        "\u{feff}",
        "\0",
        "é",
        "\u{1b}[2J",
        "Content-Length: 2\r\n\r\n",
        "data: ",
    ];
    let at = dice.below(input.len() + 1);
    let end = at + dice.below(input.len() - at + 1);
    match dice.below(6) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 => drop(input.drain(at..end)),
        2 => drop(input.splice(at..at, dice.one_of(WORDS).bytes())),
        3 => drop(input.splice(at..end, dice.one_of(WORDS).bytes())),
        4 => {
            let part = input[at..end].to_vec();
            drop(input.splice(end..end, part));
        }
        _ => {
            let other = dice.one_of(seeds);
            let from = dice.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

/// xorshift64*: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or_default() % end.max(1)
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

macro_rules! replayed {
    ($($target:ident)*) => { $(#[test] fn $target() { replay(stringify!($target), super::$target); })* };
}

replayed! {
    accounts_file auth_file callback continuation framing jwt message pasted refusal request rotation settings_file sse usage
}
