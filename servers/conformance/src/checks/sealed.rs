//! Row 22: of a session that the client stores itself, only the complete sealed form is accepted.

use contract::route;
use serde_json::json;

use super::Check;
use crate::case::Case;
use crate::stop::{Step, applicable, ensure, fail, reason};
use crate::token::{decode, encode};
use crate::wire::Request;

const SOURCE: &str = "RFC 5116 section 2.2; OWASP Cryptographic Storage Cheat Sheet";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "sealed-bits",
        row: 22,
        title: "A sealed session with any single bit flipped is rejected.",
        source: SOURCE,
        run: bits,
    },
    Check {
        id: "sealed-truncated",
        row: 22,
        title: "A sealed session that is truncated or extended is rejected.",
        source: SOURCE,
        run: truncated,
    },
    Check {
        id: "sealed-swapped",
        row: 22,
        title: "The start of one user's sealed session joined to the end of another's is rejected.",
        source: SOURCE,
        run: swapped,
    },
    Check {
        id: "sealed-unreadable",
        row: 22,
        title: "A sealed session reveals nothing of the session, and no two are equal.",
        source: SOURCE,
        run: unreadable,
    },
    Check {
        id: "sealed-retired-key",
        row: 22,
        title: "After a key is retired, sessions that it sealed stay valid for their lifetime and no longer.",
        source: SOURCE,
        run: retired,
    },
];

/// Returns the bytes of a sealed session and the user name.
fn sealed(case: &Case<'_>) -> Step<(Vec<u8>, String)> {
    applicable(Case::fact(case.facts.sealed())?, reason::NOT_SEALED)?;
    let login = case.login()?;
    match decode(&login.credential) {
        Some(bytes) if bytes.len() > 32 => Ok((bytes, login.username)),
        _ => fail("a sealed session that is not base64url of more than 32 bytes"),
    }
}

fn bits(case: &Case<'_>) -> Step {
    let (bytes, _) = sealed(case)?;
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        case.must_be_refused(encode(flipped), &format!("bit {bit} flipped"))?;
    }
    case.must_be_good(encode(bytes), "the unchanged session")
}

fn truncated(case: &Case<'_>) -> Step {
    let (bytes, _) = sealed(case)?;
    for length in 1..bytes.len() {
        case.must_be_refused(encode(&bytes[..length]), &format!("cut to {length} of {} bytes", bytes.len()))?;
        case.must_be_refused(encode(&bytes[length..]), &format!("without its first {length} bytes"))?;
    }
    for more in [&b"\0"[..], b"AAAA", &bytes] {
        case.must_be_refused(encode([&bytes, more].concat()), &format!("followed by {} more bytes", more.len()))?;
    }
    case.must_be_good(encode(bytes), "the unchanged session")
}

fn swapped(case: &Case<'_>) -> Step {
    let ((one, _), (other, _)) = (sealed(case)?, sealed(case)?);
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let least = one.len().min(other.len());
    for cut in same + 1..least - 1 {
        let swapped = [&one[..cut], &other[cut..]].concat();
        if swapped != one && swapped != other {
            case.must_be_refused(encode(swapped), &format!("{cut} bytes of one session, the rest of another"))?;
        }
    }
    Ok(())
}

fn unreadable(case: &Case<'_>) -> Step {
    let (bytes, name) = sealed(case)?;
    let again = decode(&case.login_as(&name)?.credential).unwrap_or_default();
    ensure(bytes != again, || "two sealed sessions of a user are equal".to_owned())?;
    for known in [name.as_str(), "username", "roles", "expires", "@"] {
        let readable = known.len() > 1 && bytes.windows(known.len()).any(|window| window == known.as_bytes());
        ensure(!readable, || format!("{known:?} is readable in the sealed session"))?;
    }
    Ok(())
}

fn retired(case: &Case<'_>) -> Step {
    let ttl_s = Case::fact(case.facts.credential_ttl_s())?;
    let old = encode(sealed(case)?.0);
    let rotated = case.send(&Request::post(route::BENCH_ROTATE).json(&json!({})))?;
    applicable(rotated.status == 204, reason::NO_ROTATION)?;
    let new = encode(sealed(case)?.0);
    case.must_be_good(&old, "sealed before the key was retired")?;
    case.must_be_good(&new, "sealed after the key was retired")?;
    case.advance(ttl_s + 1)?;
    case.must_be_refused(&old, "replayed after its key was retired and its lifetime has passed")?;
    let last = encode(sealed(case)?.0);
    case.must_be_good(last, "sealed after that")
}
