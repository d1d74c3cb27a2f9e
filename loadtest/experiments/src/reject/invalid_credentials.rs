//! The invalid credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::body::MintedCredential;
use contract::{Carrier, MAX_HEAD_BYTES, ProblemKind};
use driver::{Credentials, Target};
use engine::record::InvalidCredential;

use crate::run_context::{ExperimentError, RunContext};
use crate::servers::ServerUnderTest;

/// The greatest length of a credential with the rest of the head.
const LONG_BYTES: usize = MAX_HEAD_BYTES - (2 << 10);
const TOO_LONG_BYTES: usize = 2 * MAX_HEAD_BYTES;

/// Returns the status that the contract requires.
pub(super) const fn status(invalid: InvalidCredential) -> u16 {
    match invalid {
        InvalidCredential::NoCredential => ProblemKind::MissingCredential.status(),
        InvalidCredential::Malformed
        | InvalidCredential::Forged
        | InvalidCredential::Expired
        | InvalidCredential::LongHeader => ProblemKind::InvalidCredential.status(),
        // Rejected before routing and authentication (RFC 6585 section 5).
        InvalidCredential::TooLongHeader => 431,
    }
}

/// Returns every kind that applies to this server; its valid credentials are new afterwards, because its clock is
/// moved.
pub(super) fn create(
    context: &RunContext<'_>,
    under_test: &mut ServerUnderTest<'_>,
    population: u32,
) -> Result<Vec<(InvalidCredential, Target)>, ExperimentError> {
    let scheme = under_test.scheme;
    let of = |minted: Vec<MintedCredential>| {
        Credentials::new(minted).map(Arc::new).map_err(|source| ExperimentError::Credentials { scheme, source })
    };
    let carrier = context.config.carrier;
    let of_credential = |credential: &str| of(vec![minted(headers_with(carrier, credential))]);
    let mut invalid = Vec::new();
    if scheme.is_control() {
        // The control accepts every request as the same user, and rejects no credential.
        invalid.push((InvalidCredential::TooLongHeader, of_credential(&"a".repeat(TOO_LONG_BYTES))?));
    } else {
        let expired = under_test.expire_credentials(context)?;
        // After the clock was moved forward, so that they are not expired as well.
        let valid = under_test.server.client().mint(population, 0)?;
        let forged = valid.iter().map(|valid| minted(valid.headers.iter().map(forge).collect()));
        invalid.push((InvalidCredential::NoCredential, of(vec![minted(BTreeMap::new())])?));
        invalid.push((InvalidCredential::Malformed, of_credential("malformed")?));
        invalid.push((InvalidCredential::Forged, of(forged.collect())?));
        invalid.extend(expired.map(|expired| (InvalidCredential::Expired, expired)));
        invalid.push((InvalidCredential::LongHeader, of_credential(&"a".repeat(LONG_BYTES))?));
    }
    let target = |(invalid, credentials)| (invalid, Target::one(under_test.server.base_url(), credentials, carrier));
    Ok(invalid.into_iter().map(target).collect())
}

/// Returns a credential without a user: a rejected request names none.
fn minted(headers: BTreeMap<String, String>) -> MintedCredential {
    MintedCredential { username: String::new(), headers, refresh_token: None }
}

fn headers_with(carrier: Carrier, credential: &str) -> BTreeMap<String, String> {
    let (name, value) = match carrier {
        Carrier::Bearer => ("authorization", format!("Bearer {credential}")),
        Carrier::Cookie => ("cookie", format!("{}={credential}", Carrier::COOKIE_NAME)),
    };
    BTreeMap::from([(name.to_owned(), value)])
}

/// Returns the header with one character of the credential changed: near the beginning of a token's signature, where
/// the whole check is needed to detect it, otherwise in the middle.
fn forge((name, value): (&String, &String)) -> (String, String) {
    let begins = value.find([' ', '=']).map_or(0, |at| at + 1);
    let ends = value.find(';').unwrap_or(value.len());
    let middle = usize::midpoint(begins, ends);
    let at = value[begins..ends].rfind('.').map_or(middle, |dot| begins + dot + 10);
    let other = if value[at..].starts_with('A') { "B" } else { "A" };
    (name.clone(), [&value[..at], other, &value[at + 1..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_header_has_the_documented_length() {
        assert_eq!(InvalidCredential::LongHeader.to_string(), format!("a header of {} KiB", LONG_BYTES >> 10));
    }

    #[test]
    fn mutated_credential_differs_in_one_character() {
        let forged = |value: &str| forge((&"x".to_owned(), &value.to_owned())).1;
        assert_eq!(forged("Bearer 0123456789"), "Bearer 01234A6789");
        assert_eq!(forged("Bearer h.p.0123456789A"), "Bearer h.p.012345678AA");
        assert_eq!(forged("__Host-authbench=01A3; __Host-refresh=x.y"), "__Host-authbench=01B3; __Host-refresh=x.y");
    }
}
