//! Row 21: malformed input is rejected as a client error. It is never accepted and never causes a server error.

use contract::{Carrier, route, user};
use serde_json::Value;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, fail, reason};
use crate::token::{Forge, and_members};
use crate::wire::{Request, RequestError};

/// A size that no header needs.
const OVERSIZED_BYTES: usize = 1024 * 1024;
/// Positions of a credential at which one character is replaced.
const MAX_REPLACED: usize = 40;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "credential-malformed",
        row: 21,
        title: "A credential with invalid bytes, or with added, missing or changed characters, is rejected with 4xx.",
        source: "RFC 6750 section 2.1; RFC 6265bis section 4.1.1",
        run: malformed,
    },
    Check {
        id: "cookies-duplicate",
        row: 21,
        title: "Two cookies with the same name are rejected with 4xx on every route.",
        source: "RFC 6265bis section 5.7; OWASP ASVS 4.2",
        run: duplicate_cookies,
    },
    Check {
        id: "headers-oversized",
        row: 21,
        title: "A request with 1 MB of headers or 1,000 headers is rejected, and the server keeps working.",
        source: "RFC 6585 section 5",
        run: oversized,
    },
    Check {
        id: "body-malformed",
        row: 21,
        title: "A login whose body is not JSON, or is JSON that parsers interpret differently, is rejected with 4xx.",
        source: "RFC 8259 section 4; RFC 9110 section 15.5",
        run: bodies,
    },
    Check {
        id: "paths-odd",
        row: 21,
        title: "An unusual path or query neither causes a server error nor bypasses authentication.",
        source: "RFC 9110 section 15.6",
        run: paths,
    },
    Check {
        id: "jws-spelling",
        row: 21,
        title: "A token with added segments, padding, white space or another base64 alphabet is rejected.",
        source: "RFC 7515 sections 2 and 7.1",
        run: spelling,
    },
    Check {
        id: "jws-duplicate-names",
        row: 21,
        title: "A token whose header or claims have a duplicate member is rejected.",
        source: "RFC 7515 section 4; RFC 7519 section 4; RFC 8725 section 3.2",
        run: duplicate_names,
    },
    Check {
        id: "jws-json",
        row: 21,
        title: "A token whose header or claims are not a JSON object in UTF-8 is rejected.",
        source: "RFC 7515 section 4; RFC 7519 section 7.2",
        run: documents,
    },
];

/// Continues if this credential is rejected with 4xx.
fn must_be_4xx(context: &CheckContext<'_>, credential: impl AsRef<[u8]>, what: &str) -> CheckResult {
    context.send(&context.with(Request::get(route::ME), credential))?.must_be_4xx(what)
}

fn malformed(context: &CheckContext<'_>) -> CheckResult {
    let good = context.login()?.credential;
    let bytes = good.as_bytes();
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    let around = |middle: &[u8]| [head, middle, tail].concat();
    for byte in
        (0..=0x20).chain(0x7f..=0xff).chain(*b"\"\\,%<>@[]{}()?!#$^&*|`'").filter(|byte| !b"\r\n".contains(byte))
    {
        must_be_4xx(context, around(&[byte]), &format!("a credential with the byte {byte:#04x} inside"))?;
    }
    let credentials: [(&str, Vec<u8>); 14] = [
        ("nothing", vec![]),
        ("a credential in quotes", format!("\"{good}\"").into()),
        ("a credential followed by an escape", format!("{good}%00").into()),
        ("an invalid UTF-8 sequence", around(b"\xc3\x28")),
        ("an overlong UTF-8 sequence", around(b"\xc0\xaf")),
        ("a non-ASCII character", around("\u{e9}\u{1f511}".as_bytes())),
        ("twice", good.repeat(2).into()),
        ("a credential twice, joined by a dot", format!("{good}.{good}").into()),
        ("a credential without its last character", bytes[..bytes.len() - 1].into()),
        ("a credential without its first character", bytes[1..].into()),
        ("a credential with one more character", format!("{good}A").into()),
        ("a credential with padding", format!("{good}=").into()),
        ("eight thousand characters", "a".repeat(8000).into()),
        ("JSON", b"{}".into()),
    ];
    for (what, credential) in credentials {
        must_be_4xx(context, credential, what)?;
    }
    replace_characters(context, bytes)?;
    context.must_be_accepted(&good, "the valid credential after that")
}

/// Replaces one character at positions all over it, including the last, which may have unused bits.
fn replace_characters(context: &CheckContext<'_>, good: &[u8]) -> CheckResult {
    let last = good.len() - 1;
    for place in (0..good.len()).step_by(good.len().div_ceil(MAX_REPLACED)).chain([last]) {
        let mut other = good.to_vec();
        other[place] = match other[place] {
            b'A'..=b'Y' | b'a'..=b'y' | b'0'..=b'8' => other[place] + 1,
            _ => b'A',
        };
        must_be_4xx(context, other, &format!("another character at position {place}"))?;
    }
    Ok(())
}

fn duplicate_cookies(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    let login = context.login()?;
    let own = format!("{}={}", context.facts.cookie, login.credential);
    let mut duplicates = vec![(route::ME, own.clone()), (route::LOGOUT, own.clone()), (route::LOGOUT_ALL, own.clone())];
    match &login.refresh_token {
        Some(token) => duplicates.push((route::REFRESH, format!("{}={token}", context.facts.refresh_cookie))),
        None => duplicates.push((route::REFRESH, own)),
    }
    for (path, pair) in duplicates {
        let request =
            || context.as_same_origin(if path == route::ME { Request::get(path) } else { Request::post(path) });
        let one_line = context.with_cookie(request(), format!("{pair}; {pair}"));
        let two_lines = context.with_cookie(request(), pair.as_str()).header("cookie", pair.as_str());
        context.send(&one_line)?.must_be_4xx(&format!("{path} with a cookie twice in one header line"))?;
        context.send(&two_lines)?.must_be_4xx(&format!("{path} with a cookie in two header lines"))?;
    }
    Ok(())
}

fn oversized(context: &CheckContext<'_>) -> CheckResult {
    let good = context.login()?.credential;
    let me = || context.with(Request::get(route::ME), &good);
    let many = (0..1000).fold(me(), |request, n| request.header(format!("x-{n}"), "x"));
    let requests = [
        ("a header of a megabyte", me().header("x-large", "x".repeat(OVERSIZED_BYTES))),
        ("a thousand headers", many),
        ("a credential of a megabyte", context.with(Request::get(route::ME), "a".repeat(OVERSIZED_BYTES))),
        ("a path of a megabyte", context.with(Request::get(format!("/{}", "a".repeat(OVERSIZED_BYTES))), &good)),
    ];
    for (what, request) in requests {
        match context.try_send(context.first_node(), &request) {
            Ok(response) => response.must_be_4xx(what)?,
            // Closing the connection before everything is read is a rejection, too.
            Err(RequestError::Closed) => {}
            Err(error) => return fail(format!("{what}: {error}")),
        }
    }
    context.must_be_accepted(&good, "a valid request after that")
}

fn bodies(context: &CheckContext<'_>) -> CheckResult {
    let name = context.fresh_user();
    let (name, password) = (name.as_str(), user::PASSWORD);
    let good = format!(r#"{{"username":"{name}","password":"{password}"}}"#);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("half of the body", good[..good.len() / 2].into()),
        ("a body followed by text", format!("{good}x").into()),
        ("two documents", good.repeat(2).into()),
        ("null", b"null".into()),
        ("an array", b"[]".into()),
        ("an array of the values", format!(r#"["{name}","{password}"]"#).into()),
        ("a number", b"1".into()),
        ("a byte order mark", format!("\u{feff}{good}").into()),
        ("invalid UTF-8", [&good.as_bytes()[..14], &b"\xff"[..], &good.as_bytes()[14..]].concat()),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a lone surrogate", good.replacen("user", "\\ud800", 1).into()),
        ("a user name twice", and_members(&good, &format!(r#""username":"{name}""#)).into()),
        ("a password twice", and_members(&good, &format!(r#""password":"{password}""#)).into()),
        ("a password twice, once escaped", and_members(&good, &format!(r#""p\u0061ssword":"{password}""#)).into()),
        ("no password", format!(r#"{{"username":"{name}"}}"#).into()),
        ("no user name", format!(r#"{{"password":"{password}"}}"#).into()),
        ("a user name that is a number", format!(r#"{{"username":1,"password":"{password}"}}"#).into()),
        ("a password that is null", format!(r#"{{"username":"{name}","password":null}}"#).into()),
        ("comments", format!("{good} // comment").into()),
        ("single quotes", good.replace('"', "'").into()),
        ("10,000 opening brackets", "[".repeat(10_000).into()),
        ("a body of a megabyte", and_members(&good, &format!(r#""x":"{}""#, "x".repeat(OVERSIZED_BYTES))).into()),
    ];
    for (what, body) in bodies {
        must_reject_login(context, &Request::post(route::LOGIN).raw_json(body), what)?;
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        must_reject_login(
            context,
            &Request::post(route::LOGIN).body(good.clone()).header("content-type", media_type),
            media_type,
        )?;
    }
    context.login_as(name).map(drop)
}

fn must_reject_login(context: &CheckContext<'_>, request: &Request, what: &str) -> CheckResult {
    match context.try_send(context.first_node(), request) {
        Ok(response) => response.must_be_4xx(&format!("a login with {what}")),
        Err(RequestError::Closed) => Ok(()),
        Err(error) => fail(format!("a login with {what}: {error}")),
    }
}

fn paths(context: &CheckContext<'_>) -> CheckResult {
    let unusual = [
        "/me%00",
        "/me%2f..%2fme",
        "/%6d%65",
        "//me",
        "/ME",
        "/me/",
        "/./me",
        "/login/../me",
        "/me;x=1",
        "/%ff",
        "/%",
        "/%zz",
        "/me?%ff",
        "/me?x=%00&x",
        "/chain?hops=-1",
        "/chain?hops=99999999999999999999",
        "/chain?hops=%00",
        "/chain?x",
        "/admin?role=admin",
        "/.well-known/jwks.json/..",
        "/healthz/..;/admin",
    ];
    for path in unusual {
        match context.try_send(context.first_node(), &Request::get(path)) {
            Ok(response) => response.must_be_4xx(&format!("GET {path} without a credential"))?,
            Err(RequestError::Closed) => {}
            Err(error) => return fail(format!("GET {path}: {error}")),
        }
    }
    Ok(())
}

fn spelling(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.jws, reason::NOT_JWS)?;
    let good = context.login()?.credential;
    let Ok([header, payload, signature]): Result<[&str; 3], _> = good.split('.').collect::<Vec<_>>().try_into() else {
        return fail("the token does not have three segments");
    };
    let padded = |segment: &str| format!("{segment}{}", &"==="[..(4 - segment.len() % 4) % 4]);
    let standard = |segment: &str| segment.replace('-', "+").replace('_', "/");
    let spellings = [
        ("one segment", header.to_owned()),
        ("two segments", format!("{header}.{payload}")),
        ("four segments", format!("{good}.{signature}")),
        ("five segments", format!("{header}.{payload}..{payload}.{signature}")),
        ("only dots", "..".to_owned()),
        ("a leading dot", format!(".{good}")),
        ("a trailing dot", format!("{good}.")),
        ("no header", format!(".{payload}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("a dot at another position", format!("{header}.{}.{}{signature}", &payload[..8], &payload[8..])),
        ("padding after a segment", format!("{header}=.{payload}.{signature}")),
        ("a padded header", format!("{}.{payload}.{signature}", padded(header))),
        ("padded claims", format!("{header}.{}.{signature}", padded(payload))),
        ("a padded signature", format!("{header}.{payload}.{}", padded(signature))),
        ("the standard base64 alphabet", format!("{header}.{payload}.{}", standard(signature))),
        ("white space inside", format!("{header} .{payload}.{signature}")),
        ("a tab inside", format!("{header}.\t{payload}.{signature}")),
        ("a non-ASCII character", format!("{good}\u{e9}")),
    ];
    for (what, token) in spellings.into_iter().filter(|(_, token)| *token != good) {
        must_be_4xx(context, token, what)?;
    }
    context.must_be_accepted(&good, "the valid token after that")
}

fn duplicate_names(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let (header, claims) = (forge.token.header_json(), forge.token.claims_json());
    let alg = forge.token.header["alg"].to_string();
    let headers = [
        ("alg twice", and_members(&header, &format!(r#""alg":{alg}"#))),
        ("kid twice", format!(r#"{{"kid":"other",{}"#, &header[1..])),
        ("typ twice, once escaped", and_members(&header, r#""\u0074yp":"at+jwt""#)),
        ("an unknown parameter twice", and_members(&header, r#""x":1,"x":1"#)),
    ];
    for (what, header) in headers {
        context.must_be_rejected(forge.sign(header, &claims), what)?;
    }
    let exp = &forge.token.claims["exp"];
    let duplicates = [
        ("exp twice", and_members(&claims, &format!(r#""exp":{exp}"#))),
        ("sub twice, once escaped", and_members(&claims, &format!(r#""s\u0075b":{}"#, forge.token.claims["sub"]))),
        ("roles twice", format!(r#"{{"roles":["admin"],{}"#, &claims[1..])),
        ("an unknown claim twice", and_members(&claims, r#""x":1,"x":2"#)),
    ];
    for (what, claims) in duplicates {
        context.must_be_rejected(forge.sign(&header, claims), what)?;
    }
    Ok(())
}

fn documents(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let (header, claims) = (forge.token.header_json(), forge.token.claims_json());
    for (what, document) in not_objects(&header) {
        context.must_be_rejected(forge.sign(document, &claims), &format!("a header {what}"))?;
    }
    for (what, document) in not_objects(&claims) {
        context.must_be_rejected(forge.sign(&header, document), &format!("a claims document {what}"))?;
    }
    oversized_token(context, &forge)
}

fn not_objects(object: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("followed by text", format!("{object} x").into()),
        ("twice", object.repeat(2).into()),
        ("in an array", format!("[{object}]").into()),
        ("that is null", Value::Null.to_string().into()),
        ("that is empty", vec![]),
        ("that is an empty object", b"{}".into()),
        ("with a byte order mark", format!("\u{feff}{object}").into()),
        ("that is not UTF-8", [&object.as_bytes()[..object.len() - 1], b",\"x\":\"\xff\"}"].concat()),
        ("with an extra comma", and_members(object, "").into()),
    ]
}

fn oversized_token(context: &CheckContext<'_>, forge: &Forge) -> CheckResult {
    let huge = and_members(&forge.token.claims_json(), &format!(r#""x":"{}""#, "a".repeat(64 * 1024)));
    let token = forge.sign(forge.token.header_json(), huge);
    must_be_4xx(context, token, "a token of 64 kB")
}
