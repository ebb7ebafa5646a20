//! Deterministic noise, so that a seed needs no memory.

/// A well mixed number for each number (the finaliser of `SplitMix64`).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number below `limit`, which is at least 1.
pub(crate) fn below(seed: u64, limit: u64) -> u64 {
    mix(seed) % limit.max(1)
}

/// One of these, or the default for none.
pub(crate) fn pick<T: Copy + Default>(seed: u64, choice: &[T]) -> T {
    let at = usize::try_from(below(seed, choice.len() as u64)).unwrap_or(0);
    choice.get(at).copied().unwrap_or_default()
}

/// Appends so many bytes.
pub(crate) fn fill(bytes: &mut Vec<u8>, count: usize, seed: u64) {
    let end = bytes.len() + count;
    bytes.reserve(count + 8);
    let mut step = seed;
    while bytes.len() < end {
        step = step.wrapping_add(1);
        bytes.extend_from_slice(&mix(step).to_le_bytes());
    }
    bytes.truncate(end);
}
