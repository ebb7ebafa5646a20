//! Decimal numbers as text: no price goes through a float.

use std::fmt;

/// Digits and places beyond which a number is none that a field of Odoo could hold.
const LARGEST: i32 = 60;

/// Significant digits that survive Odoo, which computes in 64-bit floats and tells their shortest decimal form.
const FLOAT_DIGITS: usize = 15;

/// `digits * 10^exponent`, canonical: no zeros at either end of the digits, and zero has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    negative: bool,
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// Reads `12`, `-0.50`, `1.5e3`, with spaces around; `None` for anything else and for absurd sizes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let places = i32::try_from(fraction.len()).ok()?;
        let decimal = Self::canonical(negative, &all, exponent.checked_sub(places)?);
        let length = i32::try_from(decimal.digits.len()).ok()?;
        (length <= LARGEST && decimal.exponent.abs() <= LARGEST).then_some(decimal)
    }

    fn canonical(negative: bool, digits: &str, exponent: i32) -> Self {
        let digits = digits.trim_start_matches('0');
        let short = digits.trim_end_matches('0');
        if short.is_empty() {
            return Self::default();
        }
        let zeros = i32::try_from(digits.len() - short.len()).unwrap_or(0);
        Self { negative, digits: short.to_owned(), exponent: exponent.saturating_add(zeros) }
    }

    /// Rounded to so many places, halves away from zero as Odoo does.
    #[must_use]
    pub fn rounded(&self, places: u32) -> Self {
        let last = i32::try_from(places).map_or(i32::MIN, |places| -places);
        let dropped = last.saturating_sub(self.exponent);
        match usize::try_from(dropped) {
            Ok(dropped) if dropped > self.digits.len() => Self::default(),
            Ok(dropped) => self.first(self.digits.len() - dropped),
            Err(_) => self.clone(),
        }
    }

    /// What a 64-bit float can tell apart of it.
    #[must_use]
    pub fn as_float_shows(&self) -> Self {
        self.first(FLOAT_DIGITS)
    }

    /// Its first digits, rounded.
    fn first(&self, keep: usize) -> Self {
        let Some((kept, rest)) = self.digits.split_at_checked(keep) else {
            return self.clone();
        };
        let dropped = i32::try_from(rest.len()).unwrap_or(0);
        let mut digits = kept.to_owned();
        if rest.starts_with(['5', '6', '7', '8', '9']) {
            let nines = digits.len() - digits.trim_end_matches('9').len();
            digits.truncate(digits.len() - nines);
            let next = digits.pop().and_then(|digit| digit.to_digit(10)).unwrap_or(0) + 1;
            digits.extend(char::from_digit(next, 10));
            digits.extend(std::iter::repeat_n('0', nines));
        }
        Self::canonical(self.negative, &digits, self.exponent.saturating_add(dropped))
    }

    /// Its product with another, exact; `None` where that has more digits or places than a number may have.
    pub fn times(&self, other: &Self) -> Option<Self> {
        let mut product = vec![0_u32; self.digits.len() + other.digits.len()];
        let digits = |text: &str| -> Vec<u32> { text.chars().rev().filter_map(|c| c.to_digit(10)).collect() };
        let right = digits(&other.digits);
        for (at, left) in digits(&self.digits).into_iter().enumerate() {
            for (place, right) in product.iter_mut().skip(at).zip(&right) {
                *place += left * right;
            }
            carry(&mut product);
        }
        let text: String = product.iter().rev().filter_map(|digit| char::from_digit(*digit, 10)).collect();
        let exponent = self.exponent.checked_add(other.exponent)?;
        let product = Self::canonical(self.negative != other.negative, &text, exponent);
        let length = i32::try_from(product.digits.len()).ok()?;
        (length <= LARGEST && product.exponent.abs() <= LARGEST).then_some(product)
    }

    /// Whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        self.exponent >= 0
    }
}

/// Each place of a number, the lowest first, as one digit.
fn carry(places: &mut [u32]) {
    let mut over = 0;
    for place in places {
        let sum = *place + over;
        *place = sum % 10;
        over = sum / 10;
    }
}

impl fmt::Display for Decimal {
    /// Plain notation: `-1200`, `0.05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        let Ok(places) = usize::try_from(-self.exponent) else {
            let zeros = usize::try_from(self.exponent).unwrap_or(0);
            return write!(f, "{sign}{}{}", self.digits, "0".repeat(zeros));
        };
        let padded = format!("{:0>1$}", self.digits, places + 1);
        match padded.split_at_checked(padded.len() - places) {
            Some((whole, "")) => write!(f, "{sign}{whole}"),
            Some((whole, fraction)) => write!(f, "{sign}{whole}.{fraction}"),
            None => f.write_str(&padded),
        }
    }
}

/// A count as people read it: "1,234,567".
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_read_and_shown_without_a_float() {
        for (text, shown) in [
            ("12", "12"),
            ("12.50", "12.5"),
            (" 0012.0 ", "12"),
            ("-0.0", "0"),
            ("1.5e3", "1500"),
            ("15E-4", "0.0015"),
            ("+3", "3"),
            (".5", "0.5"),
            ("9007199254740993", "9007199254740993"),
            ("0.1", "0.1"),
        ] {
            assert_eq!(decimal(text).to_string(), shown, "{text}");
        }
        for text in ["", "-", ".", "12,5", "$5", "NaN", "1e99", "0x1", "1.2.3", "1e", "--1"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (text, places, rounded) in [
            ("12.345", 2, "12.35"),
            ("-12.345", 2, "-12.35"),
            ("2.675", 2, "2.68"),
            ("9.995", 2, "10"),
            ("99.5", 0, "100"),
            ("0.004", 2, "0"),
            ("0.005", 2, "0.01"),
            ("0.0005", 2, "0"),
            ("1200", 2, "1200"),
            ("12.1", 2, "12.1"),
        ] {
            assert_eq!(decimal(text).rounded(places).to_string(), rounded, "{text}");
        }
    }

    #[test]
    fn a_float_shows_fifteen_digits() {
        let sent = decimal("1234567890123.456789").as_float_shows();
        assert_eq!(sent, decimal("1234567890123.4568").as_float_shows());
        assert_ne!(decimal("0.1").as_float_shows(), decimal("0.10000000000001").as_float_shows());
    }

    #[test]
    fn counts_are_told_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn products_are_exact() {
        for (a, b, product) in [
            ("12.50", "1.19", "14.875"),
            ("-0.1", "0.1", "-0.01"),
            ("999999999999", "999999999999", "999999999998000000000001"),
            ("0", "5", "0"),
            ("1999", "0.01", "19.99"),
        ] {
            assert_eq!(decimal(a).times(&decimal(b)).unwrap().to_string(), product, "{a} x {b}");
        }
        assert_eq!(decimal("1e60").times(&decimal("1e60")), None);
    }

    proptest! {
        #[test]
        fn products_are_what_integers_say(a in any::<i64>(), b in any::<i64>()) {
            let product = decimal(&a.to_string()).times(&decimal(&b.to_string())).unwrap();
            prop_assert_eq!(product, decimal(&(i128::from(a) * i128::from(b)).to_string()));
        }

        #[test]
        fn shown_and_read_again_is_the_same(whole in any::<i64>(), places in 0_i32..12) {
            let number = decimal(&format!("{whole}e-{places}"));
            prop_assert_eq!(decimal(&number.to_string()), number);
        }

        #[test]
        fn rounding_is_what_integers_say(cents in -10_000_000_i64..10_000_000, thousandths in 0_i64..10) {
            let fine = cents * 10 + cents.signum() * thousandths;
            let rounded = decimal(&format!("{fine}e-3")).rounded(2);
            let up = if thousandths >= 5 { cents.signum() } else { 0 };
            prop_assert_eq!(rounded, decimal(&format!("{}e-2", cents + up)));
        }
    }
}
