//! Row 22: of a session that the client stores itself, only the complete sealed form is accepted.

use contract::route;
use serde_json::json;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, reason};
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
fn sealed(context: &CheckContext<'_>) -> CheckResult<(Vec<u8>, String)> {
    applicable(CheckContext::require(context.facts.sealed())?, reason::NOT_SEALED)?;
    let login = context.login()?;
    match decode(&login.credential) {
        Some(bytes) if bytes.len() > 32 => Ok((bytes, login.username)),
        _ => fail("a sealed session that is not base64url of more than 32 bytes"),
    }
}

fn bits(context: &CheckContext<'_>) -> CheckResult {
    let (bytes, _) = sealed(context)?;
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        context.must_be_rejected(encode(flipped), &format!("bit {bit} flipped"))?;
    }
    context.must_be_accepted(encode(bytes), "the unchanged session")
}

fn truncated(context: &CheckContext<'_>) -> CheckResult {
    let (bytes, _) = sealed(context)?;
    for length in 1..bytes.len() {
        context.must_be_rejected(encode(&bytes[..length]), &format!("cut to {length} of {} bytes", bytes.len()))?;
        context.must_be_rejected(encode(&bytes[length..]), &format!("without its first {length} bytes"))?;
    }
    for more in [&b"\0"[..], b"AAAA", &bytes] {
        context.must_be_rejected(encode([&bytes, more].concat()), &format!("followed by {} more bytes", more.len()))?;
    }
    context.must_be_accepted(encode(bytes), "the unchanged session")
}

fn swapped(context: &CheckContext<'_>) -> CheckResult {
    let ((one, _), (other, _)) = (sealed(context)?, sealed(context)?);
    let same = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let least = one.len().min(other.len());
    for cut in same + 1..least - 1 {
        let swapped = [&one[..cut], &other[cut..]].concat();
        if swapped != one && swapped != other {
            context.must_be_rejected(encode(swapped), &format!("{cut} bytes of one session, the rest of another"))?;
        }
    }
    Ok(())
}

fn unreadable(context: &CheckContext<'_>) -> CheckResult {
    let (bytes, name) = sealed(context)?;
    let again = decode(&context.login_as(&name)?.credential).unwrap_or_default();
    ensure(bytes != again, || "two sealed sessions of a user are equal".to_owned())?;
    for known in [name.as_str(), "username", "roles", "expires", "@"] {
        let readable = known.len() > 1 && bytes.windows(known.len()).any(|window| window == known.as_bytes());
        ensure(!readable, || format!("{known:?} is readable in the sealed session"))?;
    }
    Ok(())
}

fn retired(context: &CheckContext<'_>) -> CheckResult {
    let ttl_s = CheckContext::require(context.facts.credential_ttl_s())?;
    let old = encode(sealed(context)?.0);
    let rotated = context.send(&Request::post(route::BENCH_ROTATE).json(&json!({})))?;
    applicable(rotated.status == 204, reason::NO_ROTATION)?;
    let new = encode(sealed(context)?.0);
    context.must_be_accepted(&old, "sealed before the key was retired")?;
    context.must_be_accepted(&new, "sealed after the key was retired")?;
    context.advance(ttl_s + 1)?;
    context.must_be_rejected(&old, "replayed after its key was retired and its lifetime has passed")?;
    let last = encode(sealed(context)?.0);
    context.must_be_accepted(last, "sealed after that")
}
