//! Durations as Go reads and prints them (`time.ParseDuration`, `time.Duration.String`).
//!
//! It measures nothing; there is no clock here.

use core::fmt;

/// A span of time in whole nanoseconds, up to about 292 years, also negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    nanos: i64,
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing, a sign alone, or something that does not begin with a digit or a point.
    #[error("it is no number with a unit; expected something like `30s`")]
    NotADuration,
    /// `30`.
    #[error("its unit is missing; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number")]
    MissingUnit,
    /// `3d`.
    #[error("its unit is unknown; expected `ns`, `us`, `ms`, `s`, `m` or `h` after the number")]
    UnknownUnit,
    /// More than 63 bits of nanoseconds.
    #[error("it is too long; expected at most about 292 years (2562047h)")]
    Overflow,
}

const SECOND: i64 = 1_000_000_000;
/// 2^63, the largest magnitude, which only a negative duration may have.
const LIMIT: u64 = 1 << 63;

impl Duration {
    /// This many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// This many seconds; the longest duration there is if that is more.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(SECOND) }
    }

    /// Nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.nanos
    }

    /// For clocks; `None` if negative.
    #[must_use]
    pub fn to_std(self) -> Option<core::time::Duration> {
        u64::try_from(self.nanos).ok().map(core::time::Duration::from_nanos)
    }

    /// Reads `[+-]` and then one or more of digits with an optional fraction and a unit, or a bare `0`.
    ///
    /// # Errors
    /// As Go's `time.ParseDuration` fails, for the first reason.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let (negative, mut rest) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(DurationError::NotADuration);
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let part;
            (part, rest) = parse_part(rest)?;
            total = total.checked_add(part).filter(|&sum| sum <= LIMIT).ok_or(DurationError::Overflow)?;
        }
        let nanos = match (negative, i64::try_from(total)) {
            (false, Ok(nanos)) => nanos,
            (true, Ok(nanos)) => -nanos,
            (true, Err(_)) => i64::MIN,
            (false, Err(_)) => return Err(DurationError::Overflow),
        };
        Ok(Self { nanos })
    }
}

/// One number with its unit, in nanoseconds, and what follows it.
fn parse_part(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, after) = digits(text);
    let (fraction, after_number) = match after.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::NotADuration);
    }
    let value = whole_number(whole)?;
    let unit_len = after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
    let (unit, rest) = after_number.split_at(unit_len);
    let unit: u64 = match unit {
        "" => return Err(DurationError::MissingUnit),
        "ns" => 1,
        // Both signs for micro: U+00B5 and the Greek letter U+03BC.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND.unsigned_abs(),
        "m" => 60 * SECOND.unsigned_abs(),
        "h" => 3_600 * SECOND.unsigned_abs(),
        _ => return Err(DurationError::UnknownUnit),
    };
    let nanos = value.checked_mul(unit).filter(|&n| n <= LIMIT).ok_or(DurationError::Overflow)?;
    let nanos = nanos.checked_add(fraction_of(fraction, unit)).filter(|&n| n <= LIMIT);
    Ok((nanos.ok_or(DurationError::Overflow)?, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(len)
}

fn whole_number(digits: &str) -> Result<u64, DurationError> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().ok().filter(|&n| n <= LIMIT).ok_or(DurationError::Overflow)
}

/// Digits after the point, times the unit. Digits past the 18th or so no longer count, as in Go, which also computes
/// this with a float.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the same rounding as Go"
)]
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0;
    for digit in digits.bytes().map(|b| u64::from(b - b'0')) {
        if value > (LIMIT - 1) / 10 {
            break;
        }
        let next = value * 10 + digit;
        if next > LIMIT {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

/// As Go prints it: `1h0m0s`, `1m30s`, `1.5s`, `500ms`, `2µs`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos.unsigned_abs();
        if self.nanos < 0 {
            f.write_str("-")?;
        }
        let second = SECOND.unsigned_abs();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write_decimal(f, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => write_decimal(f, nanos, 1_000_000, "ms"),
            _ => {
                let (hours, minutes) = (nanos / second / 3600, nanos / second / 60 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write_decimal(f, nanos % (60 * second), second, "s")
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nanos: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", nanos / unit)?;
    let mut fraction = nanos % unit;
    if fraction > 0 {
        let mut width = unit.ilog10() as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")?;
    }
    f.write_str(name)
}

impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What Go 1.24's `time.ParseDuration(…).String()` gives.
    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, printed) in [
            ("0", "0s"),
            ("+0", "0s"),
            ("-0", "0s"),
            ("0s", "0s"),
            ("30s", "30s"),
            ("1m0s", "1m0s"),
            ("60s", "1m0s"),
            ("1h", "1h0m0s"),
            ("1h30m", "1h30m0s"),
            ("-1.5h", "-1h30m0s"),
            ("+1.5s", "1.5s"),
            (".5s", "500ms"),
            ("5.s", "5s"),
            ("1.5ms", "1.5ms"),
            ("100us", "100µs"),
            ("100\u{b5}s", "100µs"),
            ("100\u{3bc}s", "100µs"),
            ("1500ns", "1.5µs"),
            ("7ns", "7ns"),
            ("3h2m1.000000001s", "3h2m1.000000001s"),
            ("1s1s1s", "3s"),
            ("0.3333333333333333333h", "20m0s"),
            ("0.100000000000000000000h", "6m0s"),
            ("0.9223372036854775807h", "55m20.413933267s"),
            ("9223372036854775807ns", "2562047h47m16.854775807s"),
            ("9223372036854775.807us", "2562047h47m16.854775807s"),
            ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(Duration::parse(text).map(|d| d.to_string()), Ok(printed.to_string()), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_reason() {
        for (text, error) in [
            ("", DurationError::NotADuration),
            ("-", DurationError::NotADuration),
            ("s", DurationError::NotADuration),
            (".", DurationError::NotADuration),
            (".s", DurationError::NotADuration),
            (" 3s", DurationError::NotADuration),
            ("+-3s", DurationError::NotADuration),
            ("30", DurationError::MissingUnit),
            ("1m30", DurationError::MissingUnit),
            ("1.5", DurationError::MissingUnit),
            ("3d", DurationError::UnknownUnit),
            ("3 s", DurationError::UnknownUnit),
            ("3S", DurationError::UnknownUnit),
            ("1e3s", DurationError::UnknownUnit),
            ("9223372036854775808ns", DurationError::Overflow),
            ("9223372036854775809ns", DurationError::Overflow),
            ("99999999999999999999999s", DurationError::Overflow),
            ("2562048h", DurationError::Overflow),
            ("9223372036854775.808us", DurationError::Overflow),
        ] {
            assert_eq!(Duration::parse(text), Err(error), "{text}");
        }
    }
}
