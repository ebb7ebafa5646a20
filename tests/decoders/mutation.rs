//! Changes of bytes that nearly leave them what they are.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Bytes and words that decoders fall over: limits of integers, parts of JSON, ends of lines.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"\n",
    b"\x1b[2J",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\u0000",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551615",
    b"18446744073709551616",
    b"4294967295",
    b"-9223372036854775808",
    b"0.1",
];

#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
    Insert(Index, &'static [u8]),
    Over(Index, &'static [u8]),
    /// The rest is that of another one.
    Splice(Index, Index),
}

/// Up to four changes of one of these.
pub(super) fn mutated(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec(change(), 1..5);
    (any::<Index>(), changes).prop_map(move |(chosen, changes)| {
        let mut bytes = chosen.get(&corpus).clone();
        for change in changes {
            change.make(&mut bytes, &corpus);
        }
        bytes
    })
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        at().prop_map(Change::Cut),
        (at(), 1..16_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), 1..64_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        (at(), select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at(), select(PIECES)).prop_map(|(at, piece)| Change::Over(at, piece)),
        (at(), at()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        // Any place from the first byte to behind the last.
        let place = |at: &Index| at.index(bytes.len() + 1);
        match self {
            Self::Flip(at, bit) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..bytes.len().min(at + count));
            }
            Self::Repeat(at, count) => {
                let at = place(at);
                let part = bytes[at..bytes.len().min(at + count)].to_vec();
                bytes.splice(at..at, part);
            }
            Self::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Over(at, piece) => {
                let at = place(at);
                bytes.splice(at..bytes.len().min(at + piece.len()), piece.iter().copied());
            }
            Self::Splice(at, other) => {
                bytes.truncate(place(at));
                let other = other.get(corpus);
                bytes.extend_from_slice(&other[bytes.len().min(other.len())..]);
            }
        }
    }
}
