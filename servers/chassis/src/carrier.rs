//! How a credential is sent: extracted from a request here, put into a response here, and named in
//! the challenges here. The authenticators never see a header.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use contract::{Carrier, ProblemKind};

const BEARER: &str = "Bearer";

/// Returns the credential of a request; none if it has none.
///
/// A request with more than one is rejected (RFC 6750 section 3.1), also when one of them
/// came in the carrier that is not configured. An `Authorization` header of another scheme is not
/// a credential: RFC 6750 section 3.1 treats it like a request without one.
pub fn credential(headers: &HeaderMap, carrier: Carrier) -> Result<Option<&str>, ProblemKind> {
    let bearer = bearer(headers)?;
    let cookie = cookie(headers, Carrier::COOKIE_NAME)?;
    let text = match (carrier, bearer, cookie) {
        (_, Some(_), Some(_)) => return Err(ProblemKind::AmbiguousCredential),
        (Carrier::Bearer, bearer, None) => bearer,
        (Carrier::Cookie, None, cookie) => cookie,
        (Carrier::Bearer, None, Some(_)) | (Carrier::Cookie, Some(_), None) => None,
    };
    text.map(token).transpose()
}

/// The refresh token in a request's cookies.
pub(crate) fn refresh_cookie(headers: &HeaderMap) -> Result<Option<&str>, ProblemKind> {
    cookie(headers, Carrier::REFRESH_COOKIE_NAME)?.map(token).transpose()
}

/// Returns whether this request has any cookie of this server, valid or not.
pub(crate) fn has_cookie(headers: &HeaderMap) -> bool {
    [Carrier::COOKIE_NAME, Carrier::REFRESH_COOKIE_NAME].into_iter().any(|name| cookie(headers, name) != Ok(None))
}

/// What follows the scheme's name and the spaces behind it, of which there may be several (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, ProblemKind> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(ProblemKind::AmbiguousCredential);
    }
    let line = line.as_bytes();
    let (scheme, rest) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    Ok(scheme.eq_ignore_ascii_case(BEARER.as_bytes()).then(|| &rest[spaces..]))
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h [u8]>, ProblemKind> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut own = pairs.filter_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    });
    let value = own.next();
    if own.next().is_some() {
        return Err(ProblemKind::AmbiguousCredential);
    }
    Ok(value)
}

/// The text, if it has the form `b64token` of RFC 6750 section 2.1, which cookies hold to as well.
fn token(text: &[u8]) -> Result<&str, ProblemKind> {
    let in_form = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let form = !text.is_empty() && text.iter().all(in_form);
    str::from_utf8(text).ok().filter(|_| form).ok_or(ProblemKind::InvalidCredential)
}

/// Bytes that a cookie's name and value may have together; browsers drop a larger one without a word
/// (RFC 6265bis section 5.6).
pub const MAX_COOKIE_BYTES: usize = 4096;

/// Whether a credential can travel by this carrier.
#[must_use]
pub const fn fits(carrier: Carrier, credential: &str) -> bool {
    match carrier {
        Carrier::Bearer => true,
        Carrier::Cookie => Carrier::COOKIE_NAME.len() + credential.len() <= MAX_COOKIE_BYTES,
    }
}

/// Returns the value of `Set-Cookie` that issues this for `max_age_s` seconds.
pub(crate) fn set_cookie(name: &str, value: &str, max_age_s: u64) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={max_age_s}")
}

/// Returns the value of `Set-Cookie` that clears the cookie of this name.
pub(crate) fn clear_cookie(name: &str) -> String {
    set_cookie(name, "", 0)
}

/// Returns the value of `WWW-Authenticate` for a rejection, if it has one.
///
/// For `bearer` as in RFC 6750 section 3.1. RFC 9110 section 11.6.1 requires a challenge with every
/// 401, yet no scheme is registered for cookies: theirs is `Cookie`, with the cookie's name, after
/// draft-broyer-http-cookie-auth.
pub(crate) fn challenge(carrier: Carrier, kind: ProblemKind) -> Option<&'static str> {
    match (carrier, kind) {
        (Carrier::Bearer, ProblemKind::MissingCredential | ProblemKind::LoginFailed) => Some("Bearer"),
        (Carrier::Bearer, ProblemKind::InvalidCredential) => Some(r#"Bearer error="invalid_token""#),
        (Carrier::Bearer, ProblemKind::InsufficientRole) => Some(r#"Bearer error="insufficient_scope""#),
        (Carrier::Bearer, ProblemKind::AmbiguousCredential) => Some(r#"Bearer error="invalid_request""#),
        (Carrier::Cookie, kind) if kind.status() == 401 => Some(r#"Cookie cookie-name="__Host-authbench""#),
        _ => None,
    }
}

/// Returns the request header with this credential, as a client has to send it. A browser sends the cookie of a
/// refresh token along with the other.
pub(crate) fn request_header(
    carrier: Carrier,
    credential: &str,
    refresh_token: Option<&str>,
) -> (&'static str, String) {
    match (carrier, refresh_token) {
        (Carrier::Bearer, _) => ("authorization", format!("{BEARER} {credential}")),
        (Carrier::Cookie, None) => ("cookie", format!("{}={credential}", Carrier::COOKIE_NAME)),
        (Carrier::Cookie, Some(token)) => {
            let (own, refresh) = (Carrier::COOKIE_NAME, Carrier::REFRESH_COOKIE_NAME);
            ("cookie", format!("{own}={credential}; {refresh}={token}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn bearer_of(value: &[u8]) -> Result<Option<String>, ProblemKind> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        credential(&headers, Carrier::Bearer).map(|found| found.map(str::to_owned))
    }

    #[test]
    fn only_token_characters_reach_the_authenticator() {
        assert_eq!(bearer_of(b"Bearer aZ09-._~+/="), Ok(Some("aZ09-._~+/=".to_owned())));
        let others = (0x21..=0xff_u8).filter(|byte| !byte.is_ascii_alphanumeric() && !b"-._~+/=\x7f".contains(byte));
        for byte in others {
            assert_eq!(
                bearer_of(&[b"Bearer abc", &[byte][..]].concat()),
                Err(ProblemKind::InvalidCredential),
                "{byte}"
            );
        }
        for spaces in 1..10 {
            assert_eq!(bearer_of(format!("Bearer{}abc", " ".repeat(spaces)).as_bytes()), Ok(Some("abc".to_owned())));
        }
        for value in [
            &b"Bearer"[..],
            b"Bearer ",
            b"Bearer   ",
            b"Bearer a b",
            b"Bearer a  b",
            b"Bearer\tabc",
            b"Bearer \tabc",
            b"Bearer\t abc",
            b"Bearer a\t",
        ] {
            let rejected = bearer_of(value);
            assert!(matches!(rejected, Err(ProblemKind::InvalidCredential) | Ok(None)), "{value:?}: {rejected:?}");
        }
    }
}
