//! Tokens that must never be accepted: rows 1 and 3 to 7 of the security table, and its row 21 on parsing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chassis::auth::{AuthError, Authenticator};
use jsonwebtoken::{Algorithm as Signature, EncodingKey};
use jwt::{Algorithm, MAX_COMPACT_BYTES};
use serde_json::{Value, json};

use crate::forge::{self, Forge};

/// What is wrong with a token, and the token.
pub(crate) type InvalidToken = (String, String);

/// Every hostile token against this server, as of `now`.
///
/// `trap` is an address that no server may connect to.
pub(crate) fn tokens(forge: &Forge, trap: &str, now: u64) -> Vec<InvalidToken> {
    [
        unsigned(forge),
        confused(forge),
        headers(forge, trap),
        claims(forge, now),
        signatures(forge),
        spellings(forge),
        documents(forge),
    ]
    .concat()
}

fn named(what: impl std::fmt::Display, token: String) -> InvalidToken {
    (what.to_string(), token)
}

/// RFC 8725 section 2.1: the header claims that there is no signature.
fn unsigned(forge: &Forge) -> Vec<InvalidToken> {
    let claims = forge::encode(forge.claims_json());
    let good = forge.good();
    let signature = forge::segments(&good)[2];
    let mut tokens = vec![];
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let mut header = forge.header.clone();
        header.insert("alg".to_owned(), none.into());
        let header = forge::encode(Value::Object(header).to_string());
        tokens.push(named(format!("alg {none:?}, no signature"), format!("{header}.{claims}.")));
        tokens.push(named(format!("alg {none:?}, no third segment"), format!("{header}.{claims}")));
        tokens.push(named(format!("alg {none:?}, old signature"), format!("{header}.{claims}.{signature}")));
    }
    tokens
}

/// RFC 8725 section 3.1: a valid signature, but of another algorithm, or one that claims to be another.
fn confused(forge: &Forge) -> Vec<InvalidToken> {
    let with_alg = |name: &str, key: &EncodingKey, signature| {
        let mut header = forge.header.clone();
        header.insert("alg".to_owned(), name.into());
        forge::sign(key, signature, Value::Object(header).to_string(), forge.claims_json())
    };
    let mut tokens: Vec<_> = ["HS256", "EdDSA", "ES256", "RS256", "HS512", "PS256", "Ed25519", "ES256K"]
        .into_iter()
        .filter(|name| *name != forge.algorithm.name())
        .map(|name| named(format!("alg says {name}"), forge.with_header("alg", name)))
        .collect();
    let name = forge.algorithm.name();
    for other in [name.to_lowercase(), format!("{name} "), format!("{name}\0")] {
        tokens.push(named(format!("alg {other:?}"), forge.with_header("alg", other)));
    }
    for value in [Value::Null, json!(1), json!([name]), json!({})] {
        tokens.push(named(format!("alg {value}"), forge.with_header("alg", value)));
    }
    tokens.push(named("no alg", forge.without_header("alg")));
    let others: &[_] = match forge.algorithm {
        Algorithm::Hs256 => &[("HS384", Signature::HS384), ("HS512", Signature::HS512)],
        Algorithm::Rs256 => &[("RS512", Signature::RS512), ("PS256", Signature::PS256)],
        Algorithm::EdDsa | Algorithm::Es256 => &[],
    };
    for (name, signature) in others {
        tokens.push(named(format!("{name} with the same key"), with_alg(name, &forge.key, *signature)));
        let misnamed = forge::sign(&forge.key, *signature, forge.header_json(), forge.claims_json());
        tokens.push(named(format!("{name} that says {}", forge.algorithm), misnamed));
    }
    let pem = include_bytes!("keys/rsa-2048-public.pem");
    let public = EncodingKey::from_rsa_pem(pem).unwrap();
    for (form, secret) in [("PEM", &pem[..]), ("trimmed PEM", pem.trim_ascii_end()), ("DER", public.as_bytes())] {
        let secret = EncodingKey::from_secret(secret);
        tokens.push(named(format!("HS256 with the public {form}"), with_alg("HS256", &secret, Signature::HS256)));
    }
    for secret in [&b""[..], &[0; 32], b"secret"] {
        let secret = EncodingKey::from_secret(secret);
        tokens.push(named("HS256 with a guessed secret", with_alg("HS256", &secret, Signature::HS256)));
    }
    tokens
}

/// RFC 8725 sections 3.10 and 3.11, RFC 7515 section 4.1.11.
fn headers(forge: &Forge, trap: &str) -> Vec<InvalidToken> {
    let jwk = json!({ "kty": "oct", "k": forge::encode([7; 32]), "kid": "mine" });
    let values = [
        ("jwk", jwk.clone()),
        ("jwk", Value::Null),
        ("jku", json!(format!("http://{trap}/jwks.json"))),
        ("jku", Value::Null),
        ("x5u", json!(format!("http://{trap}/chain.pem"))),
        ("x5c", json!(["MIIB"])),
        ("x5c", json!([])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["urn:example:unknown"])),
        ("crit", Value::Null),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("kid", json!("")),
        ("kid", json!(" ")),
        ("kid", json!("../../../../../../dev/null")),
        ("kid", json!("' OR '1'='1")),
        ("kid", json!(format!("http://{trap}/key"))),
        ("kid", json!("mine\0")),
        ("kid", Value::Null),
        ("kid", json!(0)),
        ("kid", json!(["mine"])),
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", json!("at+jwt ")),
        ("typ", json!("at+jwt; charset=utf-8")),
        ("typ", json!("text/at+jwt")),
        ("typ", json!("application/application/at+jwt")),
        ("typ", json!("application/")),
        ("typ", json!("application/jwt")),
        ("typ", json!("")),
        ("typ", Value::Null),
        ("typ", json!(["at+jwt"])),
    ];
    let mut tokens: Vec<_> = values
        .into_iter()
        .map(|(name, value)| named(format!("header with {name} {value}"), forge.with_header(name, value)))
        .collect();
    tokens.push(named("header without typ", forge.without_header("typ")));
    let mut header = forge.header.clone();
    header.insert("alg".to_owned(), "HS256".into());
    header.insert("kid".to_owned(), "mine".into());
    header.insert("jwk".to_owned(), jwk);
    let brought = EncodingKey::from_secret(&[7; 32]);
    let token = forge::sign(&brought, Signature::HS256, Value::Object(header).to_string(), forge.claims_json());
    tokens.push(named("signed with the key in its own header", token));
    tokens
}

/// RFC 8725 sections 3.8 and 3.9, RFC 9068 section 4: every claim is needed and every one is looked at.
fn claims(forge: &Forge, now: u64) -> Vec<InvalidToken> {
    let values = [
        ("iss", json!("https://other.example.test")),
        ("iss", json!("https://auth.example.test/")),
        ("iss", json!("")),
        ("iss", json!(["https://auth.example.test"])),
        ("aud", json!("https://other.example.test")),
        ("aud", json!(["https://other.example.test"])),
        ("aud", json!([])),
        ("aud", json!([["https://api.example.test"]])),
        ("aud", json!(["https://api.example.test", 1])),
        ("aud", json!(["https://api.example.test", null])),
        ("aud", json!({ "https://api.example.test": true })),
        ("aud", json!(["HTTPS://api.example.test", "https://api.example.test/"])),
        ("aud", json!("")),
        ("sub", json!("")),
        ("sub", json!("root")),
        ("sub", json!("-1")),
        ("sub", json!("4294967296")),
        ("sub", json!(7)),
        ("jti", json!("")),
        ("jti", json!(1)),
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(1e30)),
        ("exp", fraction(now, "9")),
        ("exp", json!(-0.5)),
        ("exp", json!(1e20)),
        ("exp", json!((now + 60).to_string())),
        ("exp", Value::Null),
        ("nbf", json!(now + 600)),
        ("nbf", json!(u64::MAX)),
        ("nbf", fraction(now + 600, "5")),
        ("nbf", json!(-1.5)),
        ("nbf", json!("0")),
        ("iat", json!(now + 600)),
        ("auth_time", json!(now + 600)),
        ("auth_time", json!(now - 43_200)),
        ("roles", json!("admin")),
        ("roles", json!([1])),
        ("username", Value::Null),
        ("email", json!(false)),
    ];
    let mut tokens: Vec<_> = values
        .into_iter()
        .map(|(name, value)| named(format!("claim {name} {value}"), forge.with_claim(name, value)))
        .collect();
    tokens.extend(forge.claims.keys().map(|name| named(format!("no claim {name}"), forge.without_claim(name))));
    tokens
}

/// This many seconds and a part of one.
fn fraction(seconds: u64, digits: &str) -> Value {
    serde_json::from_str(&format!("{seconds}.{digits}")).unwrap()
}

fn signatures(forge: &Forge) -> Vec<InvalidToken> {
    let good = forge.good();
    let [header, payload, signature] = forge::segments(&good);
    let bytes = forge::decode(signature);
    let with = |what: String, bytes: &[u8]| named(what, format!("{header}.{payload}.{}", forge::encode(bytes)));
    let mut tokens: Vec<_> = [0, 1, bytes.len() / 2, bytes.len() - 1]
        .into_iter()
        .map(|length| with(format!("signature cut to {length} bytes"), &bytes[..length]))
        .collect();
    for bit in [0, 7, bytes.len() * 4, bytes.len() * 8 - 1] {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        tokens.push(with(format!("signature with bit {bit} flipped"), &flipped));
    }
    tokens.push(with("signature of zeros".to_owned(), &vec![0; bytes.len()]));
    tokens.push(with("signature with a byte more".to_owned(), &[&bytes[..], &[0]].concat()));
    tokens.push(with("signature twice".to_owned(), &bytes.repeat(2)));
    let other = forge.with_claim("sub", "0");
    let [_, admin, _] = forge::segments(&other);
    tokens.push(named("claims of another under this signature", format!("{header}.{admin}.{signature}")));
    tokens
}

/// One token has one spelling, and nothing around it.
fn spellings(forge: &Forge) -> Vec<InvalidToken> {
    let good = forge.good();
    let [header, payload, signature] = forge::segments(&good);
    let padded = |segment: &str| format!("{segment}{}", &"==="[..(4 - segment.len() % 4) % 4]);
    let standard = |segment: &str| STANDARD_NO_PAD.encode(forge::decode(segment));
    let mut tokens: Vec<_> = [
        ("nothing", String::new()),
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
        ("padding after the token", format!("{good}=")),
        // Spaces before it belong to the header field (RFC 6750 section 2.1).
        ("a tab before", format!("\t{good}")),
        ("white space behind", format!("{good} ")),
        ("white space inside", format!("{header} .{payload}.{signature}")),
        ("a line end behind", format!("{good}\n")),
        ("a trailing NUL", format!("{good}\0")),
        ("a non-ASCII character", format!("{good}\u{e9}")),
    ]
    .map(|(what, token)| named(what, token))
    .into();
    // Spellings that differ from the valid one only where a segment's length or bytes allow it.
    let respelled = [
        format!("{}.{payload}.{signature}", padded(header)),
        format!("{header}.{}.{signature}", padded(payload)),
        format!("{header}.{payload}.{}", padded(signature)),
        format!("{header}.{payload}.{}", standard(signature)),
        format!("{header}.{payload}.{}", STANDARD.encode(forge::decode(signature))),
    ];
    tokens.extend(respelled.into_iter().filter(|token| *token != good).map(|token| named("respelled", token)));
    tokens
}

/// Signed with the right key, and still no JSON that two readers would read alike.
fn documents(forge: &Forge) -> Vec<InvalidToken> {
    let (header, claims) = (forge.header_json(), forge.claims_json());
    let and = |object: &str, members: &str| format!("{},{members}}}", object.strip_suffix('}').unwrap());
    let not_utf8 = claims.replace("role-000", "role-\u{ff}00").into_bytes();
    let not_utf8 = not_utf8.into_iter().filter(|byte| *byte != 0xc3).collect::<Vec<_>>();
    let huge = "a".repeat(MAX_COMPACT_BYTES);
    let flood = (0..1000).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(",");
    let header_of = |json: &str| forge.sign(json, &claims);
    let claims_of = |json: &str| forge.sign(&header, json);
    [
        ("alg twice", header_of(&and(&header, &format!(r#""alg":"{}""#, forge.algorithm)))),
        ("kid twice", header_of(&and(&header, r#""kid":"other""#))),
        ("typ twice, once escaped", header_of(&and(&header, r#""\u0074yp":"at+jwt""#))),
        ("an unknown parameter twice", header_of(&and(&header, r#""x":1,"x":1"#))),
        ("a flood of parameters", header_of(&and(&header, &flood))),
        ("a header followed by text", header_of(&format!("{header} x"))),
        ("two headers", header_of(&header.repeat(2))),
        ("a header that is an array", header_of("[]")),
        ("a header that is empty", header_of("{}")),
        ("a header with a byte order mark", header_of(&format!("\u{feff}{header}"))),
        ("exp twice", claims_of(&and(&claims, r#""exp":9999999999"#))),
        ("sub twice, once escaped", claims_of(&and(&claims, r#""s\u0075b":"0""#))),
        ("roles twice", claims_of(&and(&claims, r#""roles":["admin"]"#))),
        ("an unknown claim twice", claims_of(&and(&claims, r#""x":1,"x":2"#))),
        ("claims followed by text", claims_of(&format!("{claims}x"))),
        ("claims that are an array", claims_of(&format!("[{claims}]"))),
        ("claims that are null", claims_of("null")),
        ("claims that are empty", claims_of("")),
        ("claims that are not UTF-8", forge.sign(&header, not_utf8)),
        ("a huge token", claims_of(&and(&claims, &format!(r#""x":"{huge}""#)))),
        ("a huge header", header_of(&and(&header, &format!(r#""x":"{huge}""#)))),
    ]
    .map(|(what, token)| named(what, token))
    .into()
}

#[tokio::test]
async fn invalid_tokens_are_rejected() {
    let now = 1_800_000_000;
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let forge = Forge::new(algorithm, &forge::issued(&server, now).await);
        assert!(server.verify(Some(&forge.good()), now).await.is_ok(), "{algorithm}");
        for (what, token) in tokens(&forge, "127.0.0.1:1", now) {
            let verdict = server.verify(Some(&token), now).await;
            assert!(matches!(verdict, Err(AuthError::Invalid(_))), "{algorithm}: {what}: {verdict:?}");
        }
    }
}

#[tokio::test]
async fn tokens_within_the_specifications_are_accepted() {
    let now = 1_800_000_000;
    for algorithm in Algorithm::ALL {
        let server = forge::authenticator(algorithm).await;
        let forge = Forge::new(algorithm, &forge::issued(&server, now).await);
        let audience = &forge.claims["aud"];
        let with_exponent = forge.claims_json().replace(&format!(r#""exp":{}"#, forge.claims["exp"]), r#""exp":1.9e9"#);
        assert!(with_exponent.contains("1.9e9"));
        let free = [
            ("typ in another case", forge.with_header("typ", "AT+JWT")),
            ("typ with its prefix", forge.with_header("typ", "application/at+jwt")),
            ("typ with its prefix in another case", forge.with_header("typ", "Application/At+Jwt")),
            ("no kid where there is one key", forge.without_header("kid")),
            ("us among several audiences", forge.with_claim("aud", json!(["https://a.test", audience]))),
            ("us as the one audience of an array", forge.with_claim("aud", json!([audience]))),
            ("an end with a fraction", forge.with_claim("exp", fraction(now + 1, "5"))),
            ("an end with an exponent", forge.sign(forge.header_json(), with_exponent)),
            ("beginnings with a fraction", forge.with_claim("nbf", fraction(now - 1, "5"))),
            ("a login with a fraction", forge.with_claim("auth_time", fraction(now - 1, "5"))),
            ("an unknown parameter", forge.with_header("x", json!({ "y": [1] }))),
            ("an unknown claim", forge.with_claim("x", json!({ "y": [1] }))),
            ("white space in the JSON", forge.sign(format!(" {}\n", forge.header_json()), forge.claims_json())),
        ];
        for (what, token) in free {
            assert!(server.verify(Some(&token), now).await.is_ok(), "{algorithm}: {what}");
        }
    }
}
