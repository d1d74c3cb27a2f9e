//! JSON objects whose member names are unique.
//!
//! Two parsers that disagree on which of two equal names counts can be played against each other, so RFC 7515
//! section 4 and RFC 7519 section 4 require unique names. serde rejects a second occurrence only of names that
//! a struct has; this rejects it of every name.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

/// Members that one object may have: names are compared in pairs, and what is compared may be hostile.
const MAX_MEMBERS: usize = 32;

/// The object that `json` holds, and nothing after it. Objects inside that object are not looked into.
pub(crate) fn object<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let object = deserializer.deserialize_map(Object(PhantomData))?;
    deserializer.end()?;
    Ok(object)
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Unique { members, seen: Vec::with_capacity(MAX_MEMBERS) }))
    }
}

struct Unique<'de, A> {
    members: A,
    seen: Vec<Cow<'de, str>>,
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Unique<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(Name(name)) = self.members.next_key()? else { return Ok(None) };
        if self.seen.contains(&name) {
            return Err(A::Error::custom("a member name occurs twice"));
        }
        if self.seen.len() == MAX_MEMBERS {
            return Err(A::Error::custom("too many members"));
        }
        let key = seed.deserialize(name.as_ref().into_deserializer())?;
        self.seen.push(name);
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        a: u8,
    }

    #[test]
    fn unique_names_pass_and_unknown_ones_are_ignored() {
        assert_eq!(object::<Pair>(r#"{"a":1,"b":{"c":2,"c":3}}"#).unwrap(), Pair { a: 1 });
    }

    #[test]
    fn duplicate_member_is_rejected_known_or_not() {
        for json in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"b":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":1,"a":1,"\u0062":2}"#]
        {
            let error = object::<Pair>(json).unwrap_err().to_string();
            assert!(error.contains("twice"), "{json}: {error}");
        }
    }

    #[test]
    fn only_a_single_object_is_accepted() {
        for json in ["", "[1]", "1", "null", r#"{"a":1}{}"#, r#"{"a":1}x"#, r#"{"a":1"#] {
            assert!(object::<Pair>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn too_many_members_are_rejected() {
        let members: Vec<_> = (0..MAX_MEMBERS).map(|n| format!(r#""{n}":0"#)).collect();
        let error = object::<Pair>(&format!(r#"{{"a":1,{}}}"#, members.join(","))).unwrap_err().to_string();
        assert!(error.contains("too many"), "{error}");
    }
}
