//! Times and their differences as a person reads them: RFC 3339 in UTC, `3 days`.
//!
//! It does not know what time it is.

use core::fmt;

use rustls_pki_types::UnixTime;

/// A time that prints as RFC 3339 in UTC with seconds: `2026-11-24T06:00:00Z`. It serialises as that text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rfc3339(pub UnixTime);

impl Rfc3339 {
    /// Reads `2026-11-24T06:00:00Z`, also with a fraction of a second, which is cut off; `None` for anything else: no
    /// other offset, no leap second, no year before 1970 (RFC 3339 section 5.6).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_suffix('Z')?;
        let (whole, fraction) = rest.split_at_checked(19)?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !fraction.is_empty() && !fraction.strip_prefix('.').is_some_and(digits) {
            return None;
        }
        let number = |from: usize, to: usize| {
            let text = whole.get(from..to).filter(|text| digits(text))?;
            text.parse::<i64>().ok()
        };
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, byte)| whole.as_bytes().get(*at) != Some(byte)) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
        Some(Self(UnixTime::since_unix_epoch(core::time::Duration::from_secs(u64::try_from(seconds).ok()?))))
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl serde::Serialize for Rfc3339 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The time between two moments in its largest whole unit, rounded down: `41 days`, `1 hour`, `5 seconds`. The order of
/// the two does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference(pub UnixTime, pub UnixTime);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().abs_diff(self.1.as_secs());
        let (count, unit) = match seconds {
            0..60 => (seconds, "second"),
            60..3600 => (seconds / 60, "minute"),
            3600..86_400 => (seconds / 3600, "hour"),
            _ => (seconds / 86_400, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. The year begins in March so that the leap day is its last.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The length of a month, 1 to 12.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, of_year - (153 * march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::time::Duration;

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn times_print_as_rfc_3339() {
        let print = |seconds| alloc::format!("{}", Rfc3339(at(seconds)));
        assert_eq!(print(0), "1970-01-01T00:00:00Z");
        assert_eq!(print(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(print(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(print(1_795_500_114), "2026-11-24T06:01:54Z");
        assert_eq!(print(253_402_300_799), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn dates_go_there_and_back() {
        for days in (0_u64..3_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            let signed = |n: u64| i64::try_from(n).unwrap();
            assert_eq!(days_from_civil(signed(year), signed(month), signed(day)), signed(days));
        }
    }

    #[test]
    fn differences_have_one_unit() {
        let print = |a, b| alloc::format!("{}", Difference(at(a), at(b)));
        assert_eq!(print(0, 0), "0 seconds");
        assert_eq!(print(100, 40), "1 minute");
        assert_eq!(print(0, 7200), "2 hours");
        assert_eq!(print(0, 86_400), "1 day");
        assert_eq!(print(0, 41 * 86_400 + 5), "41 days");
    }

    #[test]
    fn a_time_is_read_in_one_form() {
        for text in ["1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-11-24T06:00:00Z"] {
            assert_eq!(Rfc3339::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Rfc3339::parse("2026-11-24T06:00:00.999Z").unwrap().to_string(), "2026-11-24T06:00:00Z");
        for text in [
            "",
            "Z",
            "2026-11-24T06:00:00",
            "2026-11-24 06:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T06:00:60Z",
            "2026-11-24T06:00:00.Z",
            "1969-12-31T23:59:59Z",
            "2026-11-24T06:00:00+01:00Z",
            "+026-11-24T06:00:00Z",
            "2026-11-2éT06:00:00Z",
        ] {
            assert_eq!(Rfc3339::parse(text), None, "{text}");
        }
    }
}
