//! Times in claims: seconds since the Unix epoch, which need not be whole (`NumericDate`, RFC 7519 section 2).

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to here a JSON number in double precision represents every whole second.
const MAX_FRACTIONAL: f64 = 9_007_199_254_740_992.0;

/// A time in seconds since the Unix epoch. The server's own clock counts whole seconds, so that a fraction is known
/// only as such, and rounded to the side on which no token lives longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NumericDate {
    whole: u64,
    has_fraction: bool,
}

impl NumericDate {
    /// The last whole second that is not after it: what an end or the beginning of a span is judged by.
    pub(crate) const fn floor(self) -> u64 {
        self.whole
    }

    /// The first whole second that is not before it: what must not be in the future is judged by it.
    pub(crate) const fn ceil(self) -> u64 {
        self.whole.saturating_add(self.has_fraction as u64)
    }
}

impl From<u64> for NumericDate {
    fn from(whole: u64) -> Self {
        Self { whole, has_fraction: false }
    }
}

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.whole)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since the Unix epoch")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<NumericDate, E> {
        Ok(seconds.into())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
    fn visit_f64<E: Error>(self, seconds: f64) -> Result<NumericDate, E> {
        if !(0.0..=MAX_FRACTIONAL).contains(&seconds) {
            return Err(E::invalid_value(Unexpected::Float(seconds), &self));
        }
        Ok(NumericDate { whole: seconds as u64, has_fraction: seconds.fract() != 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(json: &str) -> Option<(u64, u64)> {
        serde_json::from_str(json).ok().map(|date: NumericDate| (date.floor(), date.ceil()))
    }

    #[test]
    fn a_fraction_is_rounded_to_either_side_and_a_whole_second_to_none() {
        for (json, expected) in [
            ("0", (0, 0)),
            ("1300819380", (1_300_819_380, 1_300_819_380)),
            ("1300819380.5", (1_300_819_380, 1_300_819_381)),
            ("1300819380.0", (1_300_819_380, 1_300_819_380)),
            ("1.3e9", (1_300_000_000, 1_300_000_000)),
            ("1.3008193805E9", (1_300_819_380, 1_300_819_381)),
            ("0.001", (0, 1)),
            ("18446744073709551615", (u64::MAX, u64::MAX)),
        ] {
            assert_eq!(bounds(json), Some(expected), "{json}");
        }
    }

    #[test]
    fn date_before_1970_or_not_a_number_is_rejected() {
        for json in [
            "-1",
            "-0.5",
            "-1e3",
            "1e300",
            "1e999",
            "18446744073709551616",
            "9007199254740994.0",
            "NaN",
            "Infinity",
            "null",
            "true",
            r#""1300819380""#,
            "[1300819380]",
            "{}",
            "",
        ] {
            assert_eq!(bounds(json), None, "{json}");
        }
    }
}
