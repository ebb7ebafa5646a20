//! A writer of baseline JPEG files whose blocks of 8 by 8 pixels have one colour each.
//!
//! It needs microseconds where an encoder of photographs needs milliseconds, and can make a file as large as
//! wanted by comment segments, which every reader skips.

use crate::zoho::noise::fill;

/// The quantisation step of the mean value of a block, which is stored eightfold.
const STEP: i32 = 16;
/// Codes per length 1 to 16 of the table of differences; the values are the bit counts 0 to 8.
const DIFFERENCES: [u8; 16] = [0, 1, 5, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Code and its length for each bit count.
const CODES: [(u32, u32); 9] = [
    (0b00, 2),
    (0b010, 3),
    (0b011, 3),
    (0b100, 3),
    (0b101, 3),
    (0b110, 3),
    (0b1110, 4),
    (0b1_1110, 5),
    (0b11_1110, 6),
];
/// Longest payload of one segment.
const MAX_PAYLOAD: usize = 65_533;

/// An image of `width` times `height` blocks. `colour` gives red, green and blue of a block.
pub(crate) fn coloured(width: u16, height: u16, colour: impl Fn(u16, u16) -> [u8; 3]) -> Vec<u8> {
    write(width, height, 3, |column, row| {
        let [red, green, blue] = colour(column, row).map(i32::from);
        let luma = (299 * red + 587 * green + 114 * blue) / 1000;
        [luma - 128, (blue - luma) * 564 / 1000, (red - luma) * 713 / 1000]
    })
}

/// A white image of `width` times `height` blocks; about 3 bits each.
pub(crate) fn white(width: u16, height: u16) -> Vec<u8> {
    write(width, height, 1, |_, _| [127, 0, 0])
}

/// Makes a JPEG file so many bytes long with comments of noise; one that is longer already stays as it is.
pub(crate) fn pad(jpeg: &[u8], size: usize, seed: u64) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2.min(jpeg.len()));
    let mut bytes = Vec::with_capacity(size.max(jpeg.len()));
    bytes.extend_from_slice(start);
    let mut missing = size.saturating_sub(jpeg.len());
    while missing >= 4 {
        let mut payload = (missing - 4).min(MAX_PAYLOAD);
        // Never leave a rest too short for a segment of its own.
        if (1..4).contains(&(missing - 4 - payload)) {
            payload -= 4;
        }
        segment(&mut bytes, 0xfe, payload, |bytes| {
            fill(bytes, payload, seed ^ missing as u64);
        });
        missing -= payload + 4;
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn segment(bytes: &mut Vec<u8>, marker: u8, payload: usize, write: impl FnOnce(&mut Vec<u8>)) {
    bytes.extend_from_slice(&[0xff, marker]);
    bytes.extend_from_slice(&u16::try_from(payload + 2).unwrap_or(u16::MAX).to_be_bytes());
    write(bytes);
}

fn write(width: u16, height: u16, components: u8, block: impl Fn(u16, u16) -> [i32; 3]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let jfif = *b"JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00";
    segment(&mut bytes, 0xe0, jfif.len(), |bytes| {
        bytes.extend_from_slice(&jfif);
    });
    segment(&mut bytes, 0xdb, 65, |bytes| {
        bytes.push(0);
        bytes.extend([u8::try_from(STEP).unwrap_or(1); 64]);
    });
    let three = usize::from(components) * 3;
    segment(&mut bytes, 0xc0, 6 + three, |bytes| {
        bytes.push(8);
        bytes.extend_from_slice(&(height * 8).to_be_bytes());
        bytes.extend_from_slice(&(width * 8).to_be_bytes());
        bytes.push(components);
        for component in 1..=components {
            bytes.extend_from_slice(&[component, 0x11, 0]);
        }
    });
    segment(&mut bytes, 0xc4, 17 + 9, |bytes| {
        bytes.push(0x00);
        bytes.extend_from_slice(&DIFFERENCES);
        bytes.extend(0..9);
    });
    // The only code of the second table is "no more values in this block".
    segment(&mut bytes, 0xc4, 17 + 1, |bytes| {
        bytes.push(0x10);
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    });
    segment(&mut bytes, 0xda, 4 + usize::from(components) * 2, |bytes| {
        bytes.push(components);
        for component in 1..=components {
            bytes.extend_from_slice(&[component, 0x00]);
        }
        bytes.extend_from_slice(&[0, 63, 0]);
    });
    let mut bits = Bits { bytes, held: 0, count: 0 };
    let mut previous = [0; 3];
    for row in 0..height {
        for column in 0..width {
            let means = block(column, row);
            for (mean, before) in means.iter().zip(&mut previous).take(usize::from(components)) {
                let value = mean * 8 / STEP;
                bits.difference(value - *before);
                bits.push(0, 1);
                *before = value;
            }
        }
    }
    let mut bytes = bits.finish();
    bytes.extend_from_slice(&[0xff, 0xd9]);
    bytes
}

/// Bits on their way into bytes, the first one highest.
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        self.held = (self.held << count) | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let [.., byte] = (self.held >> self.count).to_be_bytes();
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
            self.held &= (1 << self.count) - 1;
        }
    }

    fn difference(&mut self, difference: i32) {
        let size = 32 - difference.unsigned_abs().leading_zeros();
        let (code, length) = CODES.get(size as usize).copied().unwrap_or((0, 2));
        self.push(code, length);
        // A negative number of n bits is written as itself less one, lowest n bits.
        let bits = if difference < 0 { difference - 1 } else { difference };
        self.push(bits.cast_unsigned() & ((1 << size) - 1), size);
    }

    fn finish(mut self) -> Vec<u8> {
        self.push(0x7f, 7);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_back_as_they_were_given() {
        let colours = [[250, 250, 250], [20, 30, 40], [200, 10, 10], [10, 200, 10], [10, 10, 200], [0, 0, 0]];
        let jpeg = coloured(6, 2, |column, _| colours[usize::from(column)]);
        let image = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(image.dimensions(), (48, 16));
        for (column, colour) in (0..).zip(colours) {
            let pixel = image.get_pixel(column * 8 + 4, 12).0;
            for (got, wanted) in pixel.iter().zip(colour) {
                assert!(got.abs_diff(wanted) < 12, "{pixel:?} {colour:?}");
            }
        }
    }

    #[test]
    fn padding_hits_the_size_exactly_and_stays_readable() {
        let plain = white(2, 2);
        for size in
            [plain.len() + 4, plain.len() + 5, 60_000, 65_536 + plain.len(), 65_540 + plain.len(), 200_001]
        {
            let padded = pad(&plain, size, 7);
            assert_eq!(padded.len(), size);
            assert_eq!(image::load_from_memory(&padded).unwrap().width(), 16, "{size}");
        }
        assert_eq!(pad(&plain, 10, 7), plain);
    }
}
