//! Chance for the tests that kill: how often, and when.

/// Rounds of kills per test; the closing figure of a release comes from more of them: `KILLS=50 ./test killed`.
pub(crate) fn kills(usual: u32) -> u32 {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(usual)
}

/// A small generator, so that a failure can be repeated with the seed that it prints.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
        println!("SEED={seed}");
        Self::of(seed)
    }

    /// One that always rolls the same for this seed.
    pub(crate) fn of(seed: u64) -> Self {
        // Neighbouring seeds begin far apart, and none is 0, which this generator never leaves.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 on, below this one.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
