//! The motif of a seeded image: a mirrored pattern of cells in one colour, different for every seed.

use crate::zoho::noise::mix;

/// Cells on each side.
pub(crate) const CELLS: u32 = 8;

/// Which cells are filled, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    bits: u64,
    /// Colour of the filled cells: red, green, blue.
    pub(crate) ink: [u8; 3],
    /// Colour of the others.
    pub(crate) paper: [u8; 3],
}

impl Pattern {
    pub(crate) fn new(seed: u64) -> Self {
        let [red, green, blue, light, ..] = mix(seed ^ 0x1a6e).to_le_bytes();
        let paper = 224 + light / 8;
        Self { bits: mix(seed), ink: [red / 2 + 32, green / 2 + 32, blue / 2 + 32], paper: [paper; 3] }
    }

    /// The colour at a cell, counted from the upper left corner.
    pub(crate) fn colour(&self, column: u32, row: u32) -> [u8; 3] {
        let column = column.min(CELLS - 1 - column.min(CELLS - 1));
        let bit = (row * CELLS / 2 + column) % 64;
        if self.bits >> bit & 1 == 1 { self.ink } else { self.paper }
    }
}
