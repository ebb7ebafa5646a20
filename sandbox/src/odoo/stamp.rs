//! Points in time as Odoo stores them: UTC, microseconds, no zone.

use std::fmt;

/// Microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stamp(pub(crate) i64);

/// Microseconds in one second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds in one day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

impl Stamp {
    /// The point in time of a civil UTC date and time.
    pub(crate) fn civil(date: (i64, i64, i64), time: (i64, i64, i64), micros: i64) -> Self {
        let days = days_from_civil(date.0, date.1, date.2);
        Self(days * DAY + (time.0 * 3600 + time.1 * 60 + time.2) * SECOND + micros)
    }

    /// The same second without its fraction.
    pub(crate) fn whole_second(self) -> Self {
        Self(self.0.div_euclid(SECOND) * SECOND)
    }

    /// The text of the column with its microseconds, as `PostgreSQL` prints it in a `DETAIL` line.
    pub(crate) fn with_micros(self) -> String {
        format!("{self}.{:06}", self.0.rem_euclid(SECOND))
    }

    /// The value of an HTTP `Date` header.
    pub(crate) fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let days = self.0.div_euclid(DAY);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = self.clock();
        let weekday = usize::try_from(days.rem_euclid(7)).ok().and_then(|day| DAYS.get(day));
        let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month));
        let (weekday, month) = (weekday.unwrap_or(&"Thu"), month.unwrap_or(&"Jan"));
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Reads `YYYY-MM-DD[ T]HH:MM[:SS[.ffffff]]` or a date alone; `None` when it is neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = match text.split_at_checked(10)? {
            (date, "") => (date, None),
            (date, rest) => (date, Some(rest.strip_prefix([' ', 'T'])?)),
        };
        let mut parts = date.split('-');
        let (year, month, day) =
            (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        if parts.next().is_some()
            || !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
        {
            return None;
        }
        let Some(rest) = rest else {
            return Some(Self::civil((year, month, day), (0, 0, 0), 0));
        };
        let (clock, fraction) = match rest.split_once('.') {
            Some((clock, fraction)) => (clock, fraction),
            None => (rest, "0"),
        };
        let mut parts = clock.split(':');
        let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
        if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let micros = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        Some(Self::civil((year, month, day), (hour, minute, second), micros))
    }

    fn clock(self) -> (i64, i64, i64) {
        let seconds = self.0.rem_euclid(DAY) / SECOND;
        (seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// `YYYY-MM-DD HH:MM:SS`: the fraction is cut, not rounded, as in every answer of Odoo.
impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY));
        let (hour, minute, second) = self.clock();
        write!(out, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

fn number(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; years are counted from March so that the leap day
/// comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_and_printed_alike_with_its_fraction_cut() {
        let stamp = Stamp::parse("2026-02-28 23:59:59.7").unwrap();
        assert_eq!(stamp.to_string(), "2026-02-28 23:59:59");
        assert_eq!(stamp.with_micros(), "2026-02-28 23:59:59.700000");
        assert_eq!(Stamp::parse("1970-01-01"), Some(Stamp(0)));
        assert_eq!(Stamp::parse("2024-02-29T10:00:00").unwrap().to_string(), "2024-02-29 10:00:00");
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in ["", "garbage", "2026-02-29", "2026-13-01", "2026-01-01 25:00:00", "2026-01-01 10:00:00Z"]
        {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_http_date_names_the_weekday() {
        let stamp = Stamp::parse("2026-11-21 22:41:07").unwrap();
        assert_eq!(stamp.http_date(), "Sat, 21 Nov 2026 22:41:07 GMT");
    }
}
