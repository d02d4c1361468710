//! Decimal notation to the nearest double, by long division.
//!
//! The library's way is faster by tables of ten kilobytes, which a page would have to load; numbers with a fraction are rare in
//! what is read here. It takes no hexadecimal, no underscores, and neither infinities nor what is no number.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// More digits than tell any two doubles apart, or a double from the middle between two.
const DIGITS: usize = 800;

/// The double nearest to `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, ties to even; infinite beyond the largest. `None`
/// for any other text.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut number = Big::default();
    let (mut taken, mut dropped, mut inexact) = (0, 0_i64, false);
    for digit in digits().map(|digit| u32::from(digit - b'0')).skip_while(|&digit| digit == 0) {
        if taken < DIGITS {
            number.multiply_add(10, digit);
            taken += 1;
        } else {
            dropped += 1;
            inexact |= digit != 0;
        }
    }
    let exponent = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?).saturating_add(dropped);
    let point = exponent.saturating_add(i64::try_from(taken).ok()?);
    let magnitude = match point {
        _ if taken == 0 => 0.0,
        310.. => f64::INFINITY,
        ..-330 => 0.0,
        _ => nearest(number, i32::try_from(exponent).ok()?, inexact),
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value =
        digits.bytes().fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    Some(if negative { -value } else { value })
}

/// `number * 10^exponent`, and a little more if it is inexact. Neither number nor result is zero or beyond all doubles by far.
fn nearest(mut number: Big, exponent: i32, inexact: bool) -> f64 {
    let mut divisor = Big(Vec::from([1]));
    let scaled = if exponent < 0 { &mut divisor } else { &mut number };
    (0..exponent.unsigned_abs()).for_each(|_| scaled.multiply_add(10, 0));
    // A quotient of 63 or 64 bits.
    let shift = 63 - (number.bits() - divisor.bits());
    if shift < 0 { &mut divisor } else { &mut number }.shift_left(shift.unsigned_abs());
    divisor.shift_left(63);
    let mut quotient = 0_u64;
    for bit in (0..64).rev() {
        if number.compare(&divisor) != Ordering::Less {
            number.subtract(&divisor);
            quotient |= 1 << bit;
        }
        divisor.halve();
    }
    let sticky = inexact || number.bits() > 0;
    let zeros = quotient.leading_zeros();
    let mantissa = u128::from(quotient << zeros);
    // Of the leading bit, with the bias of the format; below 1 the double is subnormal.
    let biased = 63 - shift - zeros.cast_signed() + 1023;
    let lost = (11 + (1 - biased).max(0)).min(80).unsigned_abs();
    let (kept, rest, half) = (mantissa >> lost, mantissa & ((1 << lost) - 1), 1_u128 << (lost - 1));
    let up = rest > half || rest == half && (sticky || kept & 1 == 1);
    // The leading bit of a normal number adds one to the exponent, as does a carry.
    let exponent = u128::from((biased.max(1) - 1).unsigned_abs()) << 52;
    u64::try_from(exponent + kept + u128::from(up))
        .map_or(f64::INFINITY, |bits| f64::from_bits(bits.min(f64::INFINITY.to_bits())))
}

/// A natural number: 32 bits each, the lowest first, without zeros at the end.
#[derive(Clone, Default)]
struct Big(Vec<u32>);

impl Big {
    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for part in &mut self.0 {
            carry += u64::from(*part) * u64::from(factor);
            (*part, carry) = (low(carry), carry >> 32);
        }
        if carry > 0 {
            self.0.push(low(carry));
        }
    }

    fn shift_left(&mut self, bits: u32) {
        (0..bits % 32).for_each(|_| self.multiply_add(2, 0));
        self.0.splice(0..0, (0..bits / 32).map(|_| 0));
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for part in self.0.iter_mut().rev() {
            (*part, carry) = (*part >> 1 | carry, *part << 31);
        }
        self.trim();
    }

    /// Takes away what is not more.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0;
        for (index, part) in self.0.iter_mut().enumerate() {
            let taken = i64::from(other.0.get(index).copied().unwrap_or(0)) + borrow;
            let left = i64::from(*part) - taken;
            borrow = i64::from(left < 0);
            *part = low(left.cast_unsigned());
        }
        self.trim();
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn bits(&self) -> i32 {
        let parts = i32::try_from(self.0.len()).unwrap_or(i32::MAX / 32);
        self.0.last().map_or(0, |part| parts * 32 - part.leading_zeros().cast_signed())
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(wide: u64) -> u32 {
    wide as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn agrees(text: &str) {
        let expected = text.parse::<f64>().ok().map(f64::to_bits);
        assert_eq!(parse(text).map(f64::to_bits), expected, "{text}");
    }

    #[test]
    fn it_is_the_double_that_the_library_reads() {
        let hard = [
            "0",
            "-0",
            "+0.0",
            "1",
            "1.",
            ".5",
            "0.1",
            "123456789.125",
            "1e22",
            "1e23",
            "8.5e22",
            "9007199254740993",
            "9007199254740992.5",
            "9007199254740993.0000000000000000000000000000000000001",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "-1e400",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9e-324",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.5e-324",
            "1e-400",
            "6.02214076e23",
            "0.000000000000000000000000000001",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0e99999999999999999999",
            "3.14159265358979323846264338327950288419716939937510",
        ];
        hard.into_iter().for_each(agrees);
        // The middle between two doubles, and a little more than it far behind.
        let middle = "1.00000000000000011102230246251565404236316680908203125";
        agrees(middle);
        agrees(&format!("{middle}{}1", "0".repeat(2000)));
        agrees(&format!("{}e-900", "123456789".repeat(100)));
        let mut state = 1_u64;
        for _ in 0..2000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ (state >> 29);
            let double = f64::from_bits(bits);
            if double.is_finite() {
                agrees(&format!("{double:e}"));
                agrees(&format!("{}.{}e{}", bits >> 40, bits & 0xffff_ffff, i64::from(low(bits) % 700) - 350));
            }
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in
            ["", ".", "-", "+", "e5", "1e", "1e+", "1_0", "0x1", "inf", "nan", "1 ", " 1", "--1", "1..2", "1e5.0", "١"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&String::from("1").repeat(400)), Some(f64::INFINITY));
    }
}
