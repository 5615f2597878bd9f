//! Exact money: sums that either are exact or are refused, and how an amount is written.
//!
//! A [`Decimal`] holds 96 bits. It reports an overflow, but before that it rounds away decimals that no longer fit, without a word.
//! Amounts here have at most [`MAX_DECIMALS`] decimals and stay under [`LARGEST`], which leaves no room for rounding: two such amounts
//! and their sum need at most 29 digits less than 2^96.

use rust_decimal::Decimal;

/// Most decimal places an amount may have.
pub(crate) const MAX_DECIMALS: u32 = 4;

/// Largest absolute amount: 10^24.
const LARGEST: i128 = 1_000_000_000_000_000_000_000_000;

/// Adds `amount` to `sum`, or is `None` where the result could not be exact: more than [`MAX_DECIMALS`] decimals, or past 10^24.
pub(crate) fn add(sum: Decimal, amount: Decimal) -> Option<Decimal> {
    let amount = amount.normalize();
    if !fits(amount) {
        return None;
    }
    sum.checked_add(amount).filter(|sum| fits(*sum))
}

/// Writes an amount with two decimals, or with as many more as it needs to be exact: `192.60`, `0.001`.
pub(crate) fn text(amount: Decimal) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

fn fits(amount: Decimal) -> bool {
    amount.scale() <= MAX_DECIMALS && amount.abs() <= Decimal::from_i128_with_scale(LARGEST, 0)
}

/// Amounts as text in messages: `#[serde(with = "money::exact")]`. Unlike the module of that kind in `rust_decimal`, it refuses a text
/// with more digits than fit, instead of rounding it.
pub(crate) mod exact {
    use rust_decimal::Decimal;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(amount: &Decimal, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(amount)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(from)?;
        Decimal::from_str_exact(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_has_two_decimals_or_as_many_as_are_needed() {
        for (amount, expected) in [
            ("0", "0.00"),
            ("-0.0", "0.00"),
            ("5", "5.00"),
            ("192.6", "192.60"),
            ("192.6000", "192.60"),
            ("-13541.33", "-13541.33"),
            ("0.001", "0.001"),
        ] {
            assert_eq!(text(decimal(amount)), expected, "{amount}");
        }
    }

    #[test]
    fn a_sum_that_would_be_rounded_is_refused() {
        let largest = Decimal::from_i128_with_scale(LARGEST, 0);
        assert_eq!(add(largest, decimal("0.0001")), None);
        assert_eq!(add(-largest, decimal("-1")), None);
        assert_eq!(add(Decimal::ZERO, decimal("0.00001")), None);
        assert_eq!(add(Decimal::ZERO, Decimal::MAX), None);
    }

    #[test]
    fn the_largest_sums_keep_every_decimal() {
        let almost = Decimal::from_i128_with_scale(LARGEST - 1, 0);
        let sum = add(almost, decimal("0.0001")).unwrap();
        assert_eq!(sum.to_string(), "999999999999999999999999.0001");
        assert_eq!(add(sum, decimal("-0.0001")), Some(almost));
    }

    #[test]
    fn trailing_zeros_do_not_count_as_decimals() {
        assert_eq!(
            add(Decimal::ONE, decimal("2.5000000000")),
            Some(decimal("3.5"))
        );
    }
}
