//! What decoding a JPEG depends on and its size does not tell: how its colours are meant, and how it is laid out.

/// Of a JPEG that was walked to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    /// 1 grey, 3 colours, 4 for print.
    components: u8,
    /// An Adobe segment is there: four components are stored inverted then.
    is_adobe: bool,
    pub(super) is_progressive: bool,
}

impl Header {
    /// Reads the segments before the first scan.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut header = Self::default();
        let mut rest = bytes.get(2..).unwrap_or_default();
        while let [0xff, marker, after @ ..] = rest {
            match marker {
                0xff => {
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                0x01 | 0xd0..=0xd8 => {
                    rest = after;
                    continue;
                }
                0xd9 | 0xda => break,
                _ => {}
            }
            let [high, low, ..] = after else { break };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(segment) = after.get(2..length) else { break };
            match marker {
                0xee => header.is_adobe |= segment.starts_with(b"Adobe"),
                0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                    header.components = segment.get(5).copied().unwrap_or_default();
                    header.is_progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
                }
                _ => {}
            }
            rest = after.get(length..).unwrap_or_default();
        }
        header
    }

    /// Our decoder takes four components for inverted ones, as Adobe writes them; without Adobe's segment they are not,
    /// and would come out as a negative.
    pub(super) fn has_known_colours(self) -> bool {
        matches!(self.components, 1 | 3) || (self.components == 4 && self.is_adobe)
    }
}
