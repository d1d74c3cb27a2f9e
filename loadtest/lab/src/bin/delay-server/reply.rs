//! The responses, as bytes on the wire.

use contract::body::{Identity, MintRequest, MintResponse, MintedCredential};
use contract::{Carrier, SchemeDescriptor, StoreDown, StoreKind, route, user};
use serde::Serialize;

/// Its scheme name.
pub(crate) const SCHEME: &str = "delay-reference";

/// What to send, and when.
pub(crate) enum Reply {
    /// After the set time.
    Delayed,
    /// At once, because it is not part of a load.
    Now(Vec<u8>),
}

/// Returns the response to a complete request.
pub(crate) fn to(target: &str, body: &[u8]) -> Reply {
    match target {
        route::BENCH_SCHEME => Reply::Now(json("200 OK", &descriptor())),
        route::BENCH_MINT => Reply::Now(mint(body)),
        _ => Reply::Delayed,
    }
}

/// What a load gets: the facts of a user, as `/me` of the servers has them.
pub(crate) fn delayed() -> Vec<u8> {
    json("200 OK", &Identity::seeded(1, user::DEFAULT_ROLES))
}

/// Returns the response to bytes that are not an HTTP request.
pub(crate) fn bad_request() -> Vec<u8> {
    json("400 Bad Request", &contract::ProblemKind::MalformedRequest.body())
}

fn mint(body: &[u8]) -> Vec<u8> {
    let Ok(MintRequest { count, first_user, .. }) = serde_json::from_slice(body) else { return bad_request() };
    let numbers = (0..count).map(|offset| first_user.wrapping_add(offset) % user::DEFAULT_USERS);
    let credentials = numbers.map(|number| MintedCredential {
        username: user::username(number),
        headers: std::iter::empty().collect(),
        refresh_token: None,
    });
    json("200 OK", &MintResponse { credentials: credentials.collect() })
}

fn descriptor() -> SchemeDescriptor {
    SchemeDescriptor {
        scheme: SCHEME.to_owned(),
        carrier: Carrier::default(),
        revocation_class: None,
        revocation_window_s: None,
        store: StoreKind::None,
        store_down: StoreDown::NotNeeded,
        logout: None,
        refresh_token: false,
        inner_window_s: None,
        credential_ttl_s: None,
        absolute_ttl_s: None,
        touch: None,
        leeway_s: None,
        node: "delay-server".to_owned(),
        users: user::DEFAULT_USERS,
        roles: user::DEFAULT_ROLES,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn json(status: &str, body: &impl Serialize) -> Vec<u8> {
    let body = serde_json::to_vec(body).expect("a response is plain data");
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}
