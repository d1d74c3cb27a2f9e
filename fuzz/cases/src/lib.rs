//! The fuzz targets: every parser of untrusted input, each with the property that must hold for any input.
//!
//! A case panics if its property does not hold. `cargo-fuzz` looks for such input (`fuzz/README.md` has the commands); the
//! test `corpus` runs every case over the saved inputs.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use chassis::auth::{AuthError, Authenticator};
use chassis::directory::InMemory;
use contract::body::Identity;
use contract::{Carrier, Scheme};
use engine::plan::Plan;
use evidence::Evidence;
use futures_util::FutureExt;
use jwt::{Algorithm, KeySet, SigningKey, verify_jws};
use session::sealed::{Lifetime, Sealed, SealingKey};

/// A case, and its name.
pub type Case = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Case; 5] =
    [("carrier", carrier), ("verify_jws", verify_jws_case), ("sealed", sealed), ("plan", plan), ("record", record)];

/// The instant of every case.
const NOW: u64 = 1_800_000_000;

/// A request's `Authorization` and `Cookie` headers, one a line: lines that begin with `c` are cookies. Whatever they
/// are, a credential comes out of at most one of them, and it has the characters of a token.
pub fn carrier(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(8) {
        let Some((kind, value)) = line.split_first() else { continue };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(if *kind == b'c' { COOKIE } else { AUTHORIZATION }, value);
    }
    for carrier in [Carrier::Bearer, Carrier::Cookie] {
        let Ok(Some(credential)) = chassis::carrier::credential(&headers, carrier) else { continue };
        assert!(!credential.is_empty());
        assert!(credential.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
    }
}

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let keys = Algorithm::ALL.map(|algorithm| SigningKey::generate(algorithm).expect("a key").verifying_key());
    KeySet::new(keys.into()).expect("fresh keys are different")
});

/// A compact serialisation: no input can be signed with keys that were just generated.
pub fn verify_jws_case(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    assert!(verify_jws(text, &KEYS).is_err());
}

static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
    let scheme: Scheme = "cookie-sealed".parse().expect("it is in the table");
    let lifetime = Lifetime { ttl_s: 100, absolute_s: 1000 };
    let key = SealingKey::from_bytes(&[7; 32]).expect("the length is right");
    Sealed::new(scheme, lifetime, Carrier::Bearer, key, Arc::new(InMemory::default()))
});

static GENUINE: LazyLock<String> = LazyLock::new(|| {
    let issued = SEALED.issue(&Identity::seeded(1, 1), NOW).now_or_never().expect("nothing is waited for");
    issued.expect("it fits").credential.expect("there is one")
});

/// A sealed session. The first byte says where in a genuine one the rest is put; only the genuine one is accepted.
pub fn sealed(data: &[u8]) {
    let Some((at, rest)) = data.split_first() else { return };
    let Ok(rest) = str::from_utf8(rest) else { return };
    let at = usize::from(*at) % (GENUINE.len() + 1);
    let mut forged = GENUINE[..at].to_owned();
    forged.push_str(rest);
    forged.push_str(GENUINE.get(at + rest.len()..).unwrap_or_default());
    let verdict = SEALED.verify(Some(&forged), NOW).now_or_never().expect("nothing is waited for");
    match verdict {
        Ok(_) => assert_eq!(forged, *GENUINE),
        Err(error) => assert!(matches!(error, AuthError::Invalid(_)), "{error}"),
    }
}

/// A plan file: a plan that is accepted can be run.
pub fn plan(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(plan) = Plan::parse(text, "plan.toml") {
        assert!(plan.duration_s > 0.0 && plan.connections > 0 && plan.population.size > 0);
    }
}

/// A record: one that is read can be evaluated.
pub fn record(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(record) = record_file::parse(text, Path::new("record.json")) {
        let _ = Evidence::of(&record);
    }
}
