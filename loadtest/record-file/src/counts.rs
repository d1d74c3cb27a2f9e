//! Counts that can be added up: a first look at a record that may be damaged.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The largest whole number in a record: sums of thousands of them fit into 64 bits, and every reader of JSON reads it exactly.
const MAX_NUMBER: u64 = 1 << 53;
/// The one field that may hold any number.
const SEED: &str = "seed";

/// Any JSON in which no whole number but a seed is larger than what can be counted.
pub(crate) struct Countable;

impl<'de> Deserialize<'de> for Countable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Countable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Countable, E> {
        if value <= MAX_NUMBER {
            Ok(Countable)
        } else {
            Err(E::custom(format_args!("{value} is too large for a counter")))
        }
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Countable, E> {
        Ok(Countable)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Countable, E> {
        Ok(Countable)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Countable, E> {
        Ok(Countable)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Countable, E> {
        Ok(Countable)
    }

    fn visit_unit<E: Error>(self) -> Result<Countable, E> {
        Ok(Countable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Countable, A::Error> {
        while items.next_element::<Countable>()?.is_some() {}
        Ok(Countable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Countable, A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if name == SEED {
                fields.next_value::<IgnoredAny>()?;
            } else {
                fields.next_value::<Countable>()?;
            }
        }
        Ok(Countable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_seed_may_be_larger_than_what_can_be_counted() {
        let read = |json: &str| serde_json::from_str::<Countable>(json).map(|_| ());
        read(r#"{"seed": 18446744073709551615, "counts": [9007199254740992, -1, 1e300, null, true, "x"]}"#).unwrap();
        let error = read(r#"{"rounds": [{"ok": 9007199254740993}]}"#).unwrap_err().to_string();
        assert!(error.contains("9007199254740993 is too large for a counter at line 1"), "{error}");
    }
}
