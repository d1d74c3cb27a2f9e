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
struct Mutation {
    /// Its description.
    name: &'static str,
    mutate: fn(&mut Mutator) -> Vec<u8>,
}

/// All mutations, each with the same probability.
const MUTATIONS: [Mutation; 12] = [
    Mutation { name: "bits flipped", mutate: Mutator::flip_bits },
    Mutation { name: "bits flipped in the decoded bytes", mutate: Mutator::flip_decoded_bits },
    Mutation { name: "characters replaced within the alphabet", mutate: Mutator::replace_characters },
    Mutation { name: "a part removed", mutate: Mutator::remove_part },
    Mutation { name: "a part removed from the decoded bytes", mutate: Mutator::remove_decoded_part },
    Mutation { name: "bytes inserted", mutate: Mutator::insert_bytes },
    Mutation { name: "parts swapped", mutate: Mutator::swap_parts },
    Mutation { name: "segments reordered", mutate: Mutator::reorder_segments },
    Mutation { name: "another encoding", mutate: Mutator::reencode },
    Mutation { name: "the end of another user's credential", mutate: Mutator::splice_credentials },
    Mutation { name: "the end of another user's decoded bytes", mutate: Mutator::splice_decoded },
    Mutation { name: "segments from several users", mutate: Mutator::mix_segments },
];

/// An endless sequence of mutated credentials.
pub(crate) struct Mutator {
    carrier: Carrier,
    valid: Vec<String>,
    random: SmallRng,
}

impl Mutator {
    /// The valid credentials of different users to mutate.
    pub(crate) fn of(carrier: Carrier, valid: Vec<String>) -> Self {
        Self { carrier, valid, random: SmallRng::seed_from_u64(SEED) }
    }

    /// Returns the next one and its mutation. It is invalid, also to a reader that trims white space and ends a
    /// cookie at its semicolon.
    pub(crate) fn next(&mut self) -> (&'static str, Vec<u8>) {
        loop {
            let mutation = &MUTATIONS[self.random.random_range(..MUTATIONS.len())];
            let mutated = (mutation.mutate)(self);
            let ends_line = mutated.iter().any(|byte| b"\r\n".contains(byte));
            let received_part = self.received_part(&mutated);
            if !ends_line && !self.valid.iter().any(|valid| valid.as_bytes() == received_part) {
                return (mutation.name, mutated);
            }
        }
    }

    /// Returns what a reader of the header treats as the credential.
    fn received_part<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match self.carrier {
            Carrier::Bearer => bytes,
            Carrier::Cookie => bytes.split(|byte| *byte == b';').next().unwrap_or_default(),
        }
        .trim_ascii()
    }

    fn random_below(&mut self, end: usize) -> usize {
        self.random.random_range(..end.max(1))
    }

    fn pick(&mut self) -> String {
        let place = self.random_below(self.valid.len());
        self.valid[place].clone()
    }

    /// Returns a random start and end within this length.
    fn slice(&mut self, length: usize) -> (usize, usize) {
        let start = self.random_below(length);
        (start, start + 1 + self.random_below(length - start))
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.random_below(4) {
            let place = self.random_below(bytes.len());
            let bit = self.random_below(8);
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << bit;
            }
        }
    }

    /// Returns one of the credentials with one of its segments decoded, changed and encoded again.
    fn change_decoded(&mut self, change: impl FnOnce(&mut Self, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
        let valid = self.pick();
        let mut segments: Vec<String> = valid.split('.').map(str::to_owned).collect();
        let place = self.random_below(segments.len());
        let decoded = decode(&segments[place]).unwrap_or_else(|| segments[place].clone().into_bytes());
        segments[place] = encode(change(self, decoded));
        segments.join(".").into_bytes()
    }

    fn flip_bits(&mut self) -> Vec<u8> {
        let mut bytes = self.pick().into_bytes();
        self.flip(&mut bytes);
        bytes
    }

    fn flip_decoded_bits(&mut self) -> Vec<u8> {
        self.change_decoded(|mutator, mut decoded| {
            mutator.flip(&mut decoded);
            decoded
        })
    }

    fn replace_characters(&mut self) -> Vec<u8> {
        let mut bytes = self.pick().into_bytes();
        for _ in 0..=self.random_below(3) {
            let place = self.random_below(bytes.len());
            bytes[place] = ALPHABET[self.random_below(ALPHABET.len())];
        }
        bytes
    }

    fn remove_part(&mut self) -> Vec<u8> {
        let mut bytes = self.pick().into_bytes();
        self.shorten(&mut bytes);
        bytes
    }

    fn remove_decoded_part(&mut self) -> Vec<u8> {
        self.change_decoded(|mutator, mut decoded| {
            mutator.shorten(&mut decoded);
            decoded
        })
    }

    /// Removes the beginning, the end, or a part between.
    fn shorten(&mut self, bytes: &mut Vec<u8>) {
        let (start, end) = self.slice(bytes.len());
        let range = match self.random_below(3) {
            0 => 0..end,
            1 => start..bytes.len(),
            _ => start..end,
        };
        bytes.drain(range.start..range.end.min(bytes.len()));
    }

    fn insert_bytes(&mut self) -> Vec<u8> {
        let mut bytes = self.pick().into_bytes();
        let (start, end) = self.slice(bytes.len());
        let more: Vec<u8> = match self.random_below(3) {
            0 => bytes[start..end].to_vec(),
            1 => (0..=self.random_below(16)).map(|_| self.random.random()).collect(),
            _ => (0..=self.random_below(16)).map(|_| ALPHABET[self.random_below(ALPHABET.len())]).collect(),
        };
        let place = self.random_below(bytes.len() + 1);
        bytes.splice(place..place, more);
        bytes
    }

    fn swap_parts(&mut self) -> Vec<u8> {
        let mut bytes = self.pick().into_bytes();
        let length = 1 + self.random_below(bytes.len() / 2);
        let (start, more) = (self.random_below(bytes.len() - length + 1), self.random_below(bytes.len()));
        for place in start..start + length {
            let other = (place + more) % bytes.len();
            bytes.swap(place, other);
        }
        bytes
    }

    fn reorder_segments(&mut self) -> Vec<u8> {
        let valid = self.pick();
        let segments: Vec<&str> = match valid.split('.').collect::<Vec<_>>() {
            whole if whole.len() > 1 => whole,
            _ => valid.split_at_checked(valid.len() / 2).map_or_else(Vec::new, |(head, tail)| vec![head, tail]),
        };
        let taken: Vec<&str> =
            (0..self.random_below(2 * segments.len())).map(|_| segments[self.random_below(segments.len())]).collect();
        taken.join(if valid.contains('.') { "." } else { "" }).into_bytes()
    }

    fn reencode(&mut self) -> Vec<u8> {
        let valid = self.pick();
        let bytes = valid.as_bytes();
        let decoded = || valid.split('.').map(|segment| decode(segment).unwrap_or_default());
        let each =
            |engine: &dyn Fn(Vec<u8>) -> String| decoded().map(engine).collect::<Vec<_>>().join(".").into_bytes();
        let hex = |mark: &str, bytes: &[u8]| {
            bytes.iter().map(|byte| format!("{mark}{byte:02x}")).collect::<Vec<_>>().concat()
        };
        match self.random_below(12) {
            0 => each(&|bytes| URL_SAFE.encode(bytes)),
            1 => each(&|bytes| STANDARD.encode(bytes)),
            2 => each(&|bytes| STANDARD_NO_PAD.encode(bytes)),
            3 => each(&|bytes| hex("", &bytes)),
            4 => encode(bytes).into_bytes(),
            5 => STANDARD.encode(bytes).into_bytes(),
            6 => valid.to_ascii_uppercase().into_bytes(),
            7 => valid.to_ascii_lowercase().into_bytes(),
            8 => hex("%", bytes).into_bytes(),
            9 => {
                let place = self.random_below(bytes.len());
                [&bytes[..place], hex("%", &bytes[place..=place]).as_bytes(), &bytes[place + 1..]].concat()
            }
            10 => valid.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            // The last character of a segment may have unused bits.
            _ => self.respell(valid),
        }
    }

    /// Replaces the last character of a segment, which may decode to the same bytes.
    fn respell(&mut self, valid: String) -> Vec<u8> {
        let ends: Vec<usize> = valid.match_indices('.').map(|(place, _)| place).chain([valid.len()]).collect();
        let end = ends[self.random_below(ends.len())];
        let mut bytes = valid.into_bytes();
        let place = ALPHABET.iter().position(|character| end > 0 && *character == bytes[end - 1]);
        if let Some(place) = place {
            bytes[end - 1] = ALPHABET[place ^ (1 << self.random_below(4))];
        }
        bytes
    }

    fn splice_credentials(&mut self) -> Vec<u8> {
        let (one, other) = (self.pick().into_bytes(), self.pick().into_bytes());
        let cut = self.random_below(one.len());
        let resumed = if self.random.random() { cut.min(other.len()) } else { self.random_below(other.len()) };
        [&one[..cut], &other[resumed..]].concat()
    }

    fn splice_decoded(&mut self) -> Vec<u8> {
        let other = self.pick();
        self.change_decoded(|mutator, decoded| {
            let segments: Vec<&str> = other.split('.').collect();
            let other = decode(segments[mutator.random_below(segments.len())]).unwrap_or_default();
            let cut = mutator.random_below(decoded.len());
            [&decoded[..cut], &other[cut.min(other.len())..]].concat()
        })
    }

    fn mix_segments(&mut self) -> Vec<u8> {
        let first = self.pick();
        let segments: Vec<String> = (0..first.split('.').count())
            .map(|place| self.pick().split('.').nth(place).unwrap_or_default().to_owned())
            .collect();
        if segments.len() > 1 {
            return segments.join(".").into_bytes();
        }
        // An id of one segment: every character from one of the users.
        let whole: Vec<Vec<u8>> = self.valid.iter().map(|valid| valid.as_bytes().to_vec()).collect();
        (0..first.len()).filter_map(|place| whole[self.random_below(whole.len())].get(place).copied()).collect()
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

    fn of(carrier: Carrier, valid: &[&str]) -> Mutator {
        Mutator::of(carrier, valid.iter().map(|&valid| valid.to_owned()).collect())
    }

    #[test]
    fn mutated_credentials_are_never_valid_and_every_mutation_occurs() {
        for (carrier, valid) in [(Carrier::Bearer, &TOKENS[..]), (Carrier::Cookie, &TOKENS), (Carrier::Bearer, &IDS)] {
            let mut mutator = of(carrier, valid);
            let mut mutations = BTreeMap::new();
            for _ in 0..20_000 {
                let (mutation, mutated) = mutator.next();
                *mutations.entry(mutation).or_insert(0) += 1;
                assert!(!mutated.contains(&b'\n') && !mutated.contains(&b'\r'));
                let text = String::from_utf8_lossy(&mutated).into_owned();
                let received_part = if carrier == Carrier::Cookie { text.split(';').next().unwrap() } else { &text };
                assert!(!valid.contains(&received_part.trim()), "{mutation}: {text}");
            }
            assert_eq!(mutations.len(), MUTATIONS.len(), "{mutations:?}");
            assert!(mutations.values().all(|&times| times > 300), "{mutations:?}");
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
        let signature = |mutated: &[u8]| {
            let text = String::from_utf8_lossy(mutated).into_owned();
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
