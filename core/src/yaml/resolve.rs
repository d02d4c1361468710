//! What a scalar means: the rules of yaml.v3's `resolve`, which are neither YAML 1.1's nor YAML 1.2's.
//!
//! It does not decode into types: that a boolean field also takes `yes` is the decoder's rule.

use alloc::borrow::Cow;

use super::Value;
use crate::decimal;

/// The value of a scalar with this tag (short form, `!!int`), style and literal text.
///
/// Tags that yaml.v3 does not know leave the text as it is.
pub(super) fn resolve(tag: Option<&str>, plain: bool, text: &str) -> Value {
    match tag {
        None | Some("!") if plain => implicit(text, Timestamps::Recognised),
        Some("!!int") => match implicit(text, Timestamps::Ignored) {
            value @ Value::Int(_) => value,
            _ => Value::Misfit("!!int"),
        },
        Some("!!float") => match implicit(text, Timestamps::Ignored) {
            value @ Value::Float(_) => value,
            // Go widens signed 64-bit integers only.
            Value::Int(int) if i64::try_from(int).is_ok() => Value::Float(widen(int)),
            _ => Value::Misfit("!!float"),
        },
        Some("!!bool") => match implicit(text, Timestamps::Ignored) {
            value @ Value::Bool(_) => value,
            _ => Value::Misfit("!!bool"),
        },
        Some("!!null") => match implicit(text, Timestamps::Ignored) {
            Value::Null => Value::Null,
            _ => Value::Misfit("!!null"),
        },
        Some("!!timestamp") => match implicit(text, Timestamps::Recognised) {
            Value::Timestamp => Value::Timestamp,
            _ => Value::Misfit("!!timestamp"),
        },
        // The parser decodes the base64 of those that can be; one that is left could not.
        Some("!!binary") => Value::Misfit("!!binary"),
        _ => Value::Text,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Timestamps {
    Recognised,
    Ignored,
}

fn implicit(text: &str, timestamps: Timestamps) -> Value {
    word(text).unwrap_or_else(|| number(text, timestamps))
}

/// What some words mean; none of them is long.
fn word(text: &str) -> Option<Value> {
    let first = text.bytes().next().unwrap_or(b'~');
    if text.len() > 5 || !b"~nNtTfF.+-".contains(&first) {
        return None;
    }
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => return None,
    })
}

fn number(text: &str, timestamps: Timestamps) -> Value {
    match text.as_bytes().first() {
        Some(b'.') => dotted_float(text).map_or(Value::Text, Value::Float),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            if timestamps == Timestamps::Recognised && is_timestamp(text) {
                return Value::Timestamp;
            }
            let digits: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
            if let Some(int) = int(&digits) {
                Value::Int(int)
            } else if let Some(float) = float(&digits) {
                Value::Float(float)
            } else {
                signed_after_prefix(&digits).map_or(Value::Text, Value::Int)
            }
        }
        _ => Value::Text,
    }
}

#[expect(clippy::cast_precision_loss, reason = "Go's conversion from int64 to float64 rounds the same way")]
fn widen(int: i128) -> f64 {
    int as f64
}

/// Go's `strconv.ParseInt(s, 0, 64)`, else `ParseUint(s, 0, 64)`; underscores are gone already.
fn int(text: &str) -> Option<i128> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', _, ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', _, ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    let magnitude = i128::from(magnitude(digits, radix)?);
    let value = if negative { -magnitude } else { magnitude };
    let fits = if signed { i64::try_from(value).is_ok() } else { true };
    fits.then_some(value)
}

/// Only digits of the radix: Rust's own parser would take a sign.
fn magnitude(digits: &str, radix: u32) -> Option<u64> {
    let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    if all { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// yaml.v3 hands what follows `0b` and `0o` to `ParseInt` once more, which then takes a sign: `0b-1` is -1.
fn signed_after_prefix(text: &str) -> Option<i128> {
    let (radix, rest) =
        if let Some(rest) = text.strip_prefix("0b") { (2, rest) } else { (8, text.strip_prefix("0o")?) };
    let (negative, digits) = match rest.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, rest.strip_prefix('+')?),
    };
    let magnitude = i128::from(magnitude(digits, radix)?);
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value).is_ok().then_some(value)
}

/// A number in decimal notation within the range of a double: Go reports a range error beyond it.
fn float(text: &str) -> Option<f64> {
    decimal::parse(text).filter(|float| float.is_finite())
}

/// Go's `strconv.ParseFloat` of a text that starts with a dot: it takes underscores between digits.
fn dotted_float(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return float(text);
    }
    let bytes = text.as_bytes();
    let between_digits = bytes.iter().enumerate().filter(|&(_, &byte)| byte == b'_').all(|(i, _)| {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        digit(i.checked_sub(1)) && digit(Some(i + 1))
    });
    if between_digits { float(&text.replace('_', "")) } else { None }
}

/// Whether yaml.v3 takes it for a timestamp: `2006-1-2`, alone, or with a time of day after `T` or `t` and then a
/// zone, or after a space and then no zone. Fields are read as Go's `time.Parse` reads them.
fn is_timestamp(text: &str) -> bool {
    // The cheap look first: almost no number has a dash as its fifth character.
    text.as_bytes().get(4) == Some(&b'-') && timestamp(text.as_bytes()).is_some()
}

fn timestamp(text: &[u8]) -> Option<()> {
    let year_digits = text.get(..4)?;
    if !year_digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let year = year_digits.iter().fold(0, |year, digit| year * 10 + u32::from(digit - b'0'));
    let (month, rest) = short_number(text.get(5..)?)?;
    let (day, rest) = short_number(rest.strip_prefix(b"-")?)?;
    if !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    let (separator, mut rest) = match rest.split_first() {
        None => return Some(()),
        Some((separator, rest)) => (separator, rest),
    };
    if *separator == b' ' {
        while let Some(after) = rest.strip_prefix(b" ") {
            rest = after;
        }
    } else if !matches!(separator, b'T' | b't') {
        return None;
    }
    let (hour, rest) = short_number(rest)?;
    let (minute, rest) = short_number(rest.strip_prefix(b":")?)?;
    let (second, mut rest) = short_number(rest.strip_prefix(b":")?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let [b'.' | b',', b'0'..=b'9', ..] = rest {
        rest = rest.get(1..)?;
        while let [b'0'..=b'9', after @ ..] = rest {
            rest = after;
        }
    }
    match (separator, rest) {
        (b' ', []) | (b'T' | b't', [b'Z']) => Some(()),
        (b'T' | b't', [b'+' | b'-', h1, h2, b':', m1, m2]) => {
            let two = |a: &u8, b: &u8| {
                (a.is_ascii_digit() && b.is_ascii_digit()).then(|| u32::from(a - b'0') * 10 + u32::from(b - b'0'))
            };
            (two(h1, h2)? <= 24 && two(m1, m2)? <= 60).then_some(())
        }
        _ => None,
    }
}

/// One or two digits.
fn short_number(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), rest)),
        [a @ b'0'..=b'9', rest @ ..] => Some((u32::from(a - b'0'), rest)),
        _ => None,
    }
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn plain(text: &str) -> Value {
        resolve(None, true, text)
    }

    #[test]
    fn integers_are_those_of_go() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("017", 15),
            ("0o17", 15),
            ("0O17", 15),
            ("0x1F", 31),
            ("-0b11", -3),
            ("+0x1f", 31),
            ("1__0", 10),
            ("0x_1", 1),
            ("0b-1", -1),
            ("0o+7", 7),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(plain(text), Value::Int(value), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_for_an_integer_is_a_float_and_what_is_too_large_for_that_is_text() {
        assert_eq!(plain("18446744073709551616"), Value::Float(18_446_744_073_709_551_616.0));
        assert_eq!(plain("+9223372036854775808"), Value::Float(9_223_372_036_854_775_808.0));
        assert_eq!(plain("1e400"), Value::Text);
        assert_eq!(plain(".5e400"), Value::Text);
        assert_eq!(plain("08"), Value::Float(8.0));
        assert_eq!(plain(".5_0"), Value::Float(0.5));
        assert_eq!(plain("._5"), Value::Text);
    }

    #[test]
    fn words_that_look_like_numbers_or_booleans_stay_text() {
        for text in ["yes", "on", "y", "tRuE", "1:30", "_1", "1e", "0x", "0b", "0o8", "-", "+", ".", "<<", "=", "0xg"] {
            assert_eq!(plain(text), Value::Text, "{text}");
        }
    }

    #[test]
    fn timestamps_are_those_that_go_can_read() {
        for text in [
            "2020-01-01",
            "2020-1-1",
            "2024-02-29",
            "2001-12-14t21:59:43.10-05:00",
            "2001-12-14T21:59:43Z",
            "2001-12-14 21:59:43.1",
            "2001-12-14   2:5:9",
            "2001-12-14T21:59:43,5Z",
        ] {
            assert_eq!(plain(text), Value::Timestamp, "{text}");
        }
        for text in [
            "2023-02-29",
            "2020-13-01",
            "2020-00-01",
            "2020-01-00",
            "2020-01-01x",
            "2001-12-14T21:59:43",
            "2001-12-14 21:59:43Z",
            "2001-12-14T24:00:00Z",
            "2001-12-14 21:59:43.10 -5",
            "2020-01",
        ] {
            assert_eq!(plain(text), Value::Text, "{text}");
        }
    }

    #[test]
    fn a_tag_decides_and_a_text_that_does_not_fit_it_is_a_misfit() {
        assert_eq!(resolve(Some("!!int"), false, "5"), Value::Int(5));
        assert_eq!(resolve(Some("!!int"), true, "x"), Value::Misfit("!!int"));
        assert_eq!(resolve(Some("!!float"), true, "3"), Value::Float(3.0));
        assert_eq!(resolve(Some("!!float"), true, "18446744073709551615"), Value::Misfit("!!float"));
        assert_eq!(resolve(Some("!!str"), true, "5"), Value::Text);
        assert_eq!(resolve(Some("!custom"), true, "~"), Value::Text);
        assert_eq!(resolve(Some("!!null"), false, ""), Value::Null);
        assert_eq!(resolve(Some("!!bool"), true, "yes"), Value::Misfit("!!bool"));
        assert_eq!(resolve(Some("!!timestamp"), false, "2020-01-01"), Value::Timestamp);
        assert_eq!(resolve(Some("!"), true, "5"), Value::Int(5));
        assert_eq!(resolve(Some("!"), false, "5"), Value::Text);
        assert_eq!(resolve(None, false, "5"), Value::Text);
    }
}
