//! Mutated credentials: valid ones changed by one of several accidents or attacks.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use contract::Carrier;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::token::{decode, encode};

/// Every run mutates the same credentials in the same ways.
const SEED: u64 = 8725;
/// The characters of base64url.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One kind of mutation.
struct Way {
    /// Its description.
    name: &'static str,
    spoil: fn(&mut Mutator) -> Vec<u8>,
}

/// All mutations, each with the same probability.
const WAYS: [Way; 12] = [
    Way { name: "bits flipped", spoil: Mutator::flipped },
    Way { name: "bits flipped in the decoded bytes", spoil: Mutator::flipped_within },
    Way { name: "characters replaced within the alphabet", spoil: Mutator::exchanged },
    Way { name: "a part removed", spoil: Mutator::cut },
    Way { name: "a part removed from the decoded bytes", spoil: Mutator::cut_within },
    Way { name: "bytes inserted", spoil: Mutator::grown },
    Way { name: "parts swapped", spoil: Mutator::swapped },
    Way { name: "segments reordered", spoil: Mutator::reordered },
    Way { name: "another encoding", spoil: Mutator::reencoded },
    Way { name: "the end of another user's credential", spoil: Mutator::spliced },
    Way { name: "the end of another user's decoded bytes", spoil: Mutator::spliced_within },
    Way { name: "segments from several users", spoil: Mutator::mixed },
];

/// An endless sequence of mutated credentials.
pub(crate) struct Mutator {
    carrier: Carrier,
    good: Vec<String>,
    random: SmallRng,
}

impl Mutator {
    /// The valid credentials of different users to mutate.
    pub(crate) fn of(carrier: Carrier, good: Vec<String>) -> Self {
        Self { carrier, good, random: SmallRng::seed_from_u64(SEED) }
    }

    /// Returns the next one and its mutation. It is invalid, also to a reader that trims white space and ends a
    /// cookie at its semicolon.
    pub(crate) fn next(&mut self) -> (&'static str, Vec<u8>) {
        loop {
            let way = &WAYS[self.random.random_range(..WAYS.len())];
            let spoiled = (way.spoil)(self);
            let ends_line = spoiled.iter().any(|byte| b"\r\n".contains(byte));
            let seen = self.seen(&spoiled);
            if !ends_line && !self.good.iter().any(|good| good.as_bytes() == seen) {
                return (way.name, spoiled);
            }
        }
    }

    /// Returns what a reader of the header treats as the credential.
    fn seen<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match self.carrier {
            Carrier::Bearer => bytes,
            Carrier::Cookie => bytes.split(|byte| *byte == b';').next().unwrap_or_default(),
        }
        .trim_ascii()
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(..end.max(1))
    }

    fn one(&mut self) -> String {
        let place = self.below(self.good.len());
        self.good[place].clone()
    }

    /// Returns a random start and end within this length.
    fn slice(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length);
        (start, start + 1 + self.below(length - start))
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            let bit = self.below(8);
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << bit;
            }
        }
    }

    /// Returns one of the credentials with one of its segments decoded, changed and encoded again.
    fn within(&mut self, change: impl FnOnce(&mut Self, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
        let good = self.one();
        let mut segments: Vec<String> = good.split('.').map(str::to_owned).collect();
        let place = self.below(segments.len());
        let decoded = decode(&segments[place]).unwrap_or_else(|| segments[place].clone().into_bytes());
        segments[place] = encode(change(self, decoded));
        segments.join(".").into_bytes()
    }

    fn flipped(&mut self) -> Vec<u8> {
        let mut bytes = self.one().into_bytes();
        self.flip(&mut bytes);
        bytes
    }

    fn flipped_within(&mut self) -> Vec<u8> {
        self.within(|mutator, mut decoded| {
            mutator.flip(&mut decoded);
            decoded
        })
    }

    fn exchanged(&mut self) -> Vec<u8> {
        let mut bytes = self.one().into_bytes();
        for _ in 0..=self.below(3) {
            let place = self.below(bytes.len());
            bytes[place] = ALPHABET[self.below(ALPHABET.len())];
        }
        bytes
    }

    fn cut(&mut self) -> Vec<u8> {
        let mut bytes = self.one().into_bytes();
        self.shorten(&mut bytes);
        bytes
    }

    fn cut_within(&mut self) -> Vec<u8> {
        self.within(|mutator, mut decoded| {
            mutator.shorten(&mut decoded);
            decoded
        })
    }

    /// Removes the beginning, the end, or a part between.
    fn shorten(&mut self, bytes: &mut Vec<u8>) {
        let (start, end) = self.slice(bytes.len());
        let range = match self.below(3) {
            0 => 0..end,
            1 => start..bytes.len(),
            _ => start..end,
        };
        bytes.drain(range.start..range.end.min(bytes.len()));
    }

    fn grown(&mut self) -> Vec<u8> {
        let mut bytes = self.one().into_bytes();
        let (start, end) = self.slice(bytes.len());
        let more: Vec<u8> = match self.below(3) {
            0 => bytes[start..end].to_vec(),
            1 => (0..=self.below(16)).map(|_| self.random.random()).collect(),
            _ => (0..=self.below(16)).map(|_| ALPHABET[self.below(ALPHABET.len())]).collect(),
        };
        let place = self.below(bytes.len() + 1);
        bytes.splice(place..place, more);
        bytes
    }

    fn swapped(&mut self) -> Vec<u8> {
        let mut bytes = self.one().into_bytes();
        let length = 1 + self.below(bytes.len() / 2);
        let (start, more) = (self.below(bytes.len() - length + 1), self.below(bytes.len()));
        for place in start..start + length {
            let other = (place + more) % bytes.len();
            bytes.swap(place, other);
        }
        bytes
    }

    fn reordered(&mut self) -> Vec<u8> {
        let good = self.one();
        let segments: Vec<&str> = match good.split('.').collect::<Vec<_>>() {
            whole if whole.len() > 1 => whole,
            _ => good.split_at_checked(good.len() / 2).map_or_else(Vec::new, |(head, tail)| vec![head, tail]),
        };
        let taken: Vec<&str> =
            (0..self.below(2 * segments.len())).map(|_| segments[self.below(segments.len())]).collect();
        taken.join(if good.contains('.') { "." } else { "" }).into_bytes()
    }

    fn reencoded(&mut self) -> Vec<u8> {
        let good = self.one();
        let bytes = good.as_bytes();
        let decoded = || good.split('.').map(|segment| decode(segment).unwrap_or_default());
        let each =
            |engine: &dyn Fn(Vec<u8>) -> String| decoded().map(engine).collect::<Vec<_>>().join(".").into_bytes();
        let hex = |mark: &str, bytes: &[u8]| {
            bytes.iter().map(|byte| format!("{mark}{byte:02x}")).collect::<Vec<_>>().concat()
        };
        match self.below(12) {
            0 => each(&|bytes| URL_SAFE.encode(bytes)),
            1 => each(&|bytes| STANDARD.encode(bytes)),
            2 => each(&|bytes| STANDARD_NO_PAD.encode(bytes)),
            3 => each(&|bytes| hex("", &bytes)),
            4 => encode(bytes).into_bytes(),
            5 => STANDARD.encode(bytes).into_bytes(),
            6 => good.to_ascii_uppercase().into_bytes(),
            7 => good.to_ascii_lowercase().into_bytes(),
            8 => hex("%", bytes).into_bytes(),
            9 => {
                let place = self.below(bytes.len());
                [&bytes[..place], hex("%", &bytes[place..=place]).as_bytes(), &bytes[place + 1..]].concat()
            }
            10 => good.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            // The last character of a segment may have unused bits.
            _ => self.respelled(good),
        }
    }

    /// Replaces the last character of a segment, which may decode to the same bytes.
    fn respelled(&mut self, good: String) -> Vec<u8> {
        let ends: Vec<usize> = good.match_indices('.').map(|(place, _)| place).chain([good.len()]).collect();
        let end = ends[self.below(ends.len())];
        let mut bytes = good.into_bytes();
        let place = ALPHABET.iter().position(|character| end > 0 && *character == bytes[end - 1]);
        if let Some(place) = place {
            bytes[end - 1] = ALPHABET[place ^ (1 << self.below(4))];
        }
        bytes
    }

    fn spliced(&mut self) -> Vec<u8> {
        let (one, other) = (self.one().into_bytes(), self.one().into_bytes());
        let cut = self.below(one.len());
        let resumed = if self.random.random() { cut.min(other.len()) } else { self.below(other.len()) };
        [&one[..cut], &other[resumed..]].concat()
    }

    fn spliced_within(&mut self) -> Vec<u8> {
        let other = self.one();
        self.within(|mutator, decoded| {
            let segments: Vec<&str> = other.split('.').collect();
            let other = decode(segments[mutator.below(segments.len())]).unwrap_or_default();
            let cut = mutator.below(decoded.len());
            [&decoded[..cut], &other[cut.min(other.len())..]].concat()
        })
    }

    fn mixed(&mut self) -> Vec<u8> {
        let first = self.one();
        let segments: Vec<String> = (0..first.split('.').count())
            .map(|place| self.one().split('.').nth(place).unwrap_or_default().to_owned())
            .collect();
        if segments.len() > 1 {
            return segments.join(".").into_bytes();
        }
        // An id of one segment: every character from one of the users.
        let whole: Vec<Vec<u8>> = self.good.iter().map(|good| good.as_bytes().to_vec()).collect();
        (0..first.len()).filter_map(|place| whole[self.below(whole.len())].get(place).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TOKENS: [&str; 3] = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiIn0.LWUZjX0aMXnRk5cVfC6cGbGqYQh4Xv0o2eJmX3o0b1A",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjIn0.q0Zk2mW0s3r6t8u1v4w7x9y2z5A8B1C4D7E0F3G6H9I",
    ];
    const IDS: [&str; 2] =
        ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "LWUZjX0aMXnRk5cVfC6cGbGqYQh4Xv0o2eJmX3o0b1A"];

    fn of(carrier: Carrier, good: &[&str]) -> Mutator {
        Mutator::of(carrier, good.iter().map(|&good| good.to_owned()).collect())
    }

    #[test]
    fn mutated_credentials_are_never_valid_and_every_mutation_occurs() {
        for (carrier, good) in [(Carrier::Bearer, &TOKENS[..]), (Carrier::Cookie, &TOKENS), (Carrier::Bearer, &IDS)] {
            let mut mutator = of(carrier, good);
            let mut ways = BTreeMap::new();
            for _ in 0..20_000 {
                let (way, spoiled) = mutator.next();
                *ways.entry(way).or_insert(0) += 1;
                assert!(!spoiled.contains(&b'\n') && !spoiled.contains(&b'\r'));
                let text = String::from_utf8_lossy(&spoiled).into_owned();
                let seen = if carrier == Carrier::Cookie { text.split(';').next().unwrap() } else { &text };
                assert!(!good.contains(&seen.trim()), "{way}: {text}");
            }
            assert_eq!(ways.len(), WAYS.len(), "{ways:?}");
            assert!(ways.values().all(|&times| times > 300), "{ways:?}");
        }
    }

    #[test]
    fn mutations_include_other_spellings_of_the_same_bytes() {
        let mut mutator = of(Carrier::Bearer, &TOKENS);
        let bytes: Vec<_> = TOKENS.iter().filter_map(|token| decode(token.rsplit('.').next().unwrap())).collect();
        let loose = base64::engine::GeneralPurpose::new(
            &base64::alphabet::URL_SAFE,
            base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
        );
        let signature = |spoiled: &[u8]| {
            let text = String::from_utf8_lossy(spoiled).into_owned();
            Some((text.rsplit('.').next()?.to_owned(), loose.decode(text.rsplit('.').next()?).ok()?))
        };
        let respelled = (0..20_000)
            .filter_map(|_| signature(&mutator.next().1))
            .any(|(text, decoded)| bytes.contains(&decoded) && !TOKENS.iter().any(|token| token.ends_with(&text)));
        assert!(respelled);
    }

    #[test]
    fn mutations_are_reproducible() {
        let (mut one, mut other) = (of(Carrier::Bearer, &IDS), of(Carrier::Bearer, &IDS));
        assert!((0..1000).all(|_| one.next() == other.next()));
    }
}
