//! Rows 1 and 6: the server chooses the signature algorithm and rejects what it does not understand.

use contract::route;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, fail, not_applicable, reason};
use crate::token::{Forge, Token, encode, pem, sign};
use crate::wire::Request;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "alg-none",
        row: 1,
        title: "A token without a signature is rejected, for every spelling of the algorithm `none`.",
        source: "RFC 8725 sections 2.1 and 3.1",
        run: none,
    },
    Check {
        id: "alg-public-key-as-secret",
        row: 1,
        title: "A token with an HMAC whose secret is the server's public key is rejected.",
        source: "RFC 8725 sections 2.1 and 3.1",
        run: confused,
    },
    Check {
        id: "alg-other",
        row: 1,
        title: "A token signed with the server's own key by another algorithm is rejected.",
        source: "RFC 8725 section 3.1",
        run: other,
    },
    Check {
        id: "alg-exact",
        row: 1,
        title: "A correctly signed token whose alg is absent, misspelled or not a string is rejected.",
        source: "RFC 8725 section 3.1; RFC 7515 section 4.1.1",
        run: exact,
    },
    Check {
        id: "crit-rejected",
        row: 6,
        title: "A token with an empty, unknown or malformed crit is rejected.",
        source: "RFC 7515 section 4.1.11",
        run: crit,
    },
    Check {
        id: "signature-checked",
        row: 1,
        title: "A token with a truncated, flipped, zeroed or foreign signature is rejected.",
        source: "RFC 7515 section 5.2",
        run: signature,
    },
];

fn with_alg(token: &Token, alg: impl Into<Value>) -> String {
    let mut header = token.header.clone();
    header.insert("alg".to_owned(), alg.into());
    Value::Object(header).to_string()
}

fn none(context: &CheckContext<'_>) -> CheckResult {
    let token = context.token()?;
    for alg in ["none", "None", "NONE", "nOnE", "none ", ""] {
        let unsigned = format!("{}.{}", encode(with_alg(&token, alg)), encode(token.claims_json()));
        context.must_be_rejected(format!("{unsigned}."), &format!("alg {alg:?} without a signature"))?;
        context.must_be_rejected(&unsigned, &format!("alg {alg:?} without a third segment"))?;
        context
            .must_be_rejected(format!("{unsigned}.{}", token.signature), &format!("alg {alg:?} with a signature"))?;
    }
    Ok(())
}

/// The forms in which a public key may be available: PEM with and without its last line end, and DER.
fn confused(context: &CheckContext<'_>) -> CheckResult {
    let token = context.token()?;
    let set = context.send(&Request::get(route::JWKS))?.json();
    let keys = set["keys"].as_array().cloned().unwrap_or_default();
    let spki: Vec<_> = keys.iter().filter_map(public_der).collect();
    if spki.is_empty() {
        return not_applicable(reason::NO_PUBLIC_KEY);
    }
    for der in spki {
        let pem = pem("PUBLIC KEY", &der);
        for (form, secret) in
            [("PEM", pem.as_bytes()), ("PEM without its end line", pem.trim_end().as_bytes()), ("DER", &der)]
        {
            let secret = EncodingKey::from_secret(secret);
            let header = with_alg(&token, "HS256");
            let forged = sign(&secret, Algorithm::HS256, header, token.claims_json())?;
            context.must_be_rejected(forged, &format!("HS256 with the public key in {form}"))?;
        }
    }
    Ok(())
}

/// The `SubjectPublicKeyInfo` of a JWK (RFC 5280 section 4.1.2.7).
fn public_der(jwk: &Value) -> Option<Vec<u8>> {
    let member = |name: &str| crate::token::decode(jwk[name].as_str()?);
    match jwk["kty"].as_str()? {
        "OKP" => Some([&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &member("x")?].concat()),
        "EC" => {
            let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
            Some([&head[..], &member("x")?, &member("y")?].concat())
        }
        "RSA" => {
            let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
            let key = der(0x30, &[der(2, &positive(&member("n")?)), der(2, &positive(&member("e")?))].concat());
            Some(der(0x30, &[&algorithm[..], &der(3, &[&[0][..], &key].concat())].concat()))
        }
        _ => None,
    }
}

fn positive(number: &[u8]) -> Vec<u8> {
    let sign = if number.first().is_some_and(|byte| *byte >= 0x80) { &[0][..] } else { &[] };
    [sign, number].concat()
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..=0x7f => vec![short as u8],
        middle @ 0x80..=0xff => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, content].concat()
}

fn other(context: &CheckContext<'_>) -> CheckResult {
    use Algorithm::{HS256, HS384, HS512, PS256, PS512, RS256, RS384, RS512};
    let forge = context.forge()?;
    let all: &[Algorithm] = match forge.algorithm {
        HS256 | HS384 | HS512 => &[HS256, HS384, HS512],
        RS256 | RS384 | RS512 | PS256 | PS512 => &[RS256, RS384, RS512, PS256, PS512],
        _ => &[],
    };
    for algorithm in all.iter().copied().filter(|algorithm| *algorithm != forge.algorithm) {
        let name = format!("{algorithm:?}");
        let declared = sign(&forge.key, algorithm, with_alg(&forge.token, name.as_str()), forge.token.claims_json());
        context.must_be_rejected(declared?, &format!("{name} with the same key"))?;
        let undeclared = sign(&forge.key, algorithm, forge.token.header_json(), forge.token.claims_json());
        context.must_be_rejected(undeclared?, &format!("{name} with alg {:?}", forge.algorithm))?;
    }
    for name in ["HS256", "EdDSA", "ES256", "RS256", "HS512", "PS256", "ES256K"] {
        if Some(name) != forge.token.header["alg"].as_str() {
            context.must_be_rejected(forge.with_header("alg", name), &format!("a valid signature with alg {name}"))?;
        }
    }
    Ok(())
}

fn exact(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    let Some(name) = forge.token.header["alg"].as_str() else { return fail("alg is not a string") };
    let spelled = [json!(name.to_lowercase()), json!(format!("{name} ")), json!(format!("{name}\0"))];
    let no_text = [Value::Null, json!(1), json!([name]), json!({ "name": name })];
    let swapped = name.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    for alg in spelled.into_iter().chain(no_text).chain([json!(swapped.collect::<String>())]) {
        context.must_be_rejected(forge.with_header("alg", alg.clone()), &format!("alg {alg}"))?;
    }
    context.must_be_rejected(forge.without_header("alg"), "no alg")
}

fn crit(context: &CheckContext<'_>) -> CheckResult {
    let forge = context.forge()?;
    for crit in [json!([]), json!(["urn:example:unknown"]), json!(["exp"]), json!(["alg"]), json!("exp"), Value::Null] {
        context.must_be_rejected(forge.with_header("crit", crit.clone()), &format!("crit {crit}"))?;
    }
    context.must_be_rejected(with_unknown_critical_parameter(&forge), "crit with an unknown parameter that is present")
}

fn with_unknown_critical_parameter(forge: &Forge) -> String {
    let mut header = forge.token.header.clone();
    header.insert("crit".to_owned(), json!(["urn:example:unknown"]));
    header.insert("urn:example:unknown".to_owned(), json!(true));
    forge.sign(Value::Object(header).to_string(), forge.token.claims_json())
}

fn signature(context: &CheckContext<'_>) -> CheckResult {
    let (one, other) = (context.token()?, context.token()?);
    let segments = &one.message;
    context.must_be_accepted(format!("{segments}.{}", one.signature), "the valid signature")?;
    let Some(bytes) = crate::token::decode(&one.signature) else { return fail("the signature is not base64url") };
    let mut signatures = vec![vec![], vec![0; bytes.len()], [&bytes[..], &[0]].concat(), bytes.repeat(2)];
    signatures.extend([1, bytes.len() / 2, bytes.len() - 1].map(|length| bytes[..length].to_vec()));
    for bit in [0, 7, bytes.len() * 4, bytes.len() * 8 - 1] {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        signatures.push(flipped);
    }
    for signature in signatures.iter().map(encode).chain([other.signature]) {
        context.must_be_rejected(format!("{segments}.{signature}"), &format!("the signature {signature:?}"))?;
    }
    Ok(())
}
