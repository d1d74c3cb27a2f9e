//! The audience of a token (the claim `aud`, RFC 7519 section 4.1.3): one audience as text, or several as an array.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The audiences of a token.
pub(crate) enum Audience<'a> {
    /// As text, which is how this server's own tokens have it.
    One(Cow<'a, str>),
    /// As an array.
    Several(Vec<String>),
}

impl Audience<'_> {
    /// Whether this one is among them.
    pub(crate) fn includes(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl Serialize for Audience<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(one) => serializer.serialize_str(one),
            Self::Several(several) => several.serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Audience<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Audience<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an audience, or an array of audiences")
    }

    fn visit_borrowed_str<E: Error>(self, one: &'de str) -> Result<Audience<'de>, E> {
        Ok(Audience::One(Cow::Borrowed(one)))
    }

    fn visit_str<E: Error>(self, one: &str) -> Result<Audience<'de>, E> {
        Ok(Audience::One(Cow::Owned(one.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Audience<'de>, A::Error> {
        let mut several = vec![];
        while let Some(one) = elements.next_element()? {
            several.push(one);
        }
        Ok(Audience::Several(several))
    }
}
