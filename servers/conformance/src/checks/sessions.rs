//! Rows 13 and 14: the server generates credentials, a new one at every login, and they cannot be guessed.

use std::collections::{HashMap, HashSet};

use contract::user;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure, fail, reason};
use crate::token::Token;

/// Bits that make guessing infeasible.
const MIN_BITS: f64 = 128.0;
/// Bits by which an estimate from few samples may be too low: 22 characters of base64url are estimated 0.1 bits too low
/// from 10,000 samples, and a correct server must not fail.
const ESTIMATE_TOLERANCE_BITS: f64 = 2.0;
/// Credentials requested in one call.
const BATCH: u32 = 10_000;
/// How long minting may take together: RSA signs some thousand times a second.
const MINTING_MS: u128 = 20_000;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "login-gives-new-id",
        row: 13,
        title: "A login issues a new credential, also if the request has a valid one.",
        source: "OWASP Session Management Cheat Sheet, session fixation",
        run: new_id,
    },
    Check {
        id: "planted-id-not-adopted",
        row: 13,
        title: "A credential that the server never issued is rejected, also after a login request that contained it.",
        source: "OWASP Session Management Cheat Sheet, session fixation",
        run: not_adopted,
    },
    Check {
        id: "ids-distinct",
        row: 14,
        title: "Of 100,000 credentials no two are equal.",
        source: "OWASP Session Management Cheat Sheet; RFC 7519 section 4.1.7",
        run: are_distinct,
    },
    Check {
        id: "ids-wide",
        row: 14,
        title: "A credential, or the id in a token, has at least 128 bits that vary from one to the next.",
        source: "SP 800-63B section 7.1; OWASP ASVS 7.2.3",
        run: have_entropy,
    },
];

fn new_id(context: &CheckContext<'_>) -> CheckResult {
    let (own, others) = (context.login()?, context.login()?);
    for planted in [&own.credential, &others.credential] {
        let request = context.with(CheckContext::login_request(&own.username, user::PASSWORD), planted);
        let response = context.send(&context.as_same_origin(request))?;
        response.must_be(200, "a login request with a valid credential")?;
        let Some(issued) = context.issued_credential(&response) else { return fail("a login issues no credential") };
        ensure(issued.credential != *planted, || {
            "a login issues the credential that its request contained".to_owned()
        })?;
    }
    Ok(())
}

fn not_adopted(context: &CheckContext<'_>) -> CheckResult {
    let login = context.login()?;
    for planted in [unknown(&login.credential), "planted".to_owned()] {
        context.must_be_rejected(&planted, "a credential invented by the client, before a login")?;
        let request = context.with(CheckContext::login_request(&login.username, user::PASSWORD), &planted);
        let response = context.send(&context.as_same_origin(request))?;
        if let Some(issued) = context.issued_credential(&response) {
            ensure(issued.credential != planted, || {
                "the server adopts a credential invented by the client".to_owned()
            })?;
        }
        context.must_be_rejected(&planted, "a credential invented by the client, after a login request with it")?;
    }
    Ok(())
}

/// Returns a credential like this one that was never issued.
fn unknown(credential: &str) -> String {
    let (kept, last) = credential.split_at(credential.rfind('.').map_or(0, |dot| dot + 1));
    let turned = last.chars().map(|c| match c {
        'a'..='y' | 'A'..='Y' | '0'..='8' => char::from(c as u8 + 1),
        other => other,
    });
    format!("{kept}{}", turned.collect::<String>())
}

/// Returns the random part of many credentials: an opaque credential as a whole, a token's id.
fn ids(context: &CheckContext<'_>) -> CheckResult<Vec<String>> {
    let wanted = context.subject.extent.minted;
    let (started, mut ids) = (std::time::Instant::now(), vec![]);
    while (ids.len() as u32) < wanted && (ids.is_empty() || started.elapsed().as_millis() < MINTING_MS) {
        let count = BATCH.min(wanted - ids.len() as u32);
        for (credential, _) in context.mint(count, ids.len() as u32 % context.facts.users)? {
            ids.push(id(credential)?);
        }
    }
    Ok(ids)
}

fn id(credential: String) -> CheckResult<String> {
    let Some(token) = Token::open(&credential) else { return Ok(credential) };
    token
        .claims
        .get("jti")
        .and_then(|id| id.as_str())
        .map_or_else(|| fail("a token without jti"), |id| Ok(id.to_owned()))
}

fn are_distinct(context: &CheckContext<'_>) -> CheckResult {
    let ids = ids(context)?;
    let different: HashSet<_> = ids.iter().collect();
    ensure(different.len() == ids.len(), || {
        format!("{} of {} credentials are equal", ids.len() - different.len() + 1, ids.len())
    })
}

fn have_entropy(context: &CheckContext<'_>) -> CheckResult {
    let ids = match context.mint(BATCH.min(context.subject.extent.minted), 1) {
        Ok(minted) => minted.into_iter().map(|(credential, _)| id(credential)).collect::<CheckResult<Vec<_>>>()?,
        Err(_) => return crate::check_error::not_applicable(reason::NO_MINT),
    };
    let bits = entropy_bits(&ids);
    let min_bits = MIN_BITS - ESTIMATE_TOLERANCE_BITS;
    ensure(bits >= min_bits, || format!("{bits:.1} bits vary over {} credentials; required: {MIN_BITS}", ids.len()))
}

/// Returns the summed entropy of all character positions: the maximum if no position depends on another.
fn entropy_bits(ids: &[String]) -> f64 {
    let positions = ids.iter().map(String::len).min().unwrap_or(0);
    let position = |position: usize| {
        let mut counts: HashMap<u8, f64> = HashMap::new();
        for id in ids {
            *counts.entry(id.as_bytes()[position]).or_default() += 1.0;
        }
        let all = ids.len() as f64;
        counts.values().map(|count| -(count / all) * (count / all).log2()).sum::<f64>()
    };
    (0..positions).map(position).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_counts_only_positions_that_vary() {
        let ids: Vec<_> = (0..256).map(|n| format!("fixed{n:02x}")).collect();
        assert!((entropy_bits(&ids) - 8.0).abs() < 1e-9);
        assert!(entropy_bits(&[]).abs() < 1e-9);
    }
}
