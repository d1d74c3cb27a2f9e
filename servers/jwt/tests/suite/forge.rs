//! Tokens that this crate did not make: `jsonwebtoken` signs them, over any header and payload.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::Authenticator;
use chassis::module::{AuthModule, ModuleSettings};
use contract::body::Identity;
use contract::{Carrier, EarlyRevocation, Kind, Scheme, Touch};
use jsonwebtoken::EncodingKey;
use jwt::{Algorithm, AnyTokens, Jwt, JwtOptions};
use serde_json::{Map, Value};

/// The file in `keys/` that a server of this algorithm signs with, and the flag that names it.
pub(crate) fn key_file(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Hs256 => ("--secret-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/secret")),
        Algorithm::EdDsa => ("--key-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/ed25519.pem")),
        Algorithm::Es256 => ("--key-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/p256.pem")),
        Algorithm::Rs256 => ("--key-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/keys/rsa-2048.pem")),
    }
}

/// The secret as the server reads it: without the file's line end.
pub(crate) fn secret() -> &'static [u8] {
    include_bytes!("keys/secret").trim_ascii_end()
}

pub(crate) fn scheme(algorithm: Algorithm) -> Scheme {
    Scheme::of_kind(Kind::Token { algorithm, early_revocation: EarlyRevocation::Nothing }).unwrap()
}

/// The options of a server that signs with the key of [`key_file`].
pub(crate) fn options(algorithm: Algorithm) -> JwtOptions {
    let (flag, path) = key_file(algorithm);
    let file = Some(path.into());
    match flag {
        "--secret-file" => JwtOptions { secret_file: file, ..JwtOptions::default() },
        _ => JwtOptions { key_file: file, ..JwtOptions::default() },
    }
}

/// The settings of a server with only its scheme configured.
pub(crate) fn start(algorithm: Algorithm) -> ModuleSettings {
    ModuleSettings {
        scheme: scheme(algorithm),
        carrier: Carrier::Bearer,
        redis_url: None,
        postgres_url: None,
        key_prefix: "authbench:".to_owned(),
        touch: Touch::default(),
        credential_ttl_s: None,
        absolute_ttl_s: 43_200,
        roles: 1,
    }
}

pub(crate) async fn authenticator(algorithm: Algorithm) -> AnyTokens {
    build(&start(algorithm), options(algorithm)).await
}

pub(crate) async fn build(start: &ModuleSettings, options: JwtOptions) -> AnyTokens {
    Jwt::build(start, options).await.unwrap_or_else(|error| panic!("{error}")).authenticator
}

/// A token of that server for the seeded user 7.
pub(crate) async fn issued(server: &AnyTokens, now: u64) -> String {
    server.issue(&Identity::seeded(7, 1), now).await.unwrap().credential.unwrap()
}

/// An attacker with the server's own key and a valid token, who alters the token and signs it with the key.
pub(crate) struct Forge {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl Forge {
    pub(crate) fn new(algorithm: Algorithm, token: &str) -> Self {
        let file = std::fs::read(key_file(algorithm).1).unwrap();
        let key = match algorithm {
            Algorithm::Hs256 => Ok(EncodingKey::from_secret(secret())),
            Algorithm::EdDsa => EncodingKey::from_ed_pem(&file),
            Algorithm::Es256 => EncodingKey::from_ec_pem(&file),
            Algorithm::Rs256 => EncodingKey::from_rsa_pem(&file),
        };
        let [header, claims, _] = segments(token);
        Self { algorithm, key: key.unwrap(), header: object(header), claims: object(claims) }
    }

    /// A valid token: if this is rejected, no other rejection proves anything.
    pub(crate) fn good(&self) -> String {
        self.sign(self.header_json(), self.claims_json())
    }

    pub(crate) fn with_header(&self, name: &str, value: impl Into<Value>) -> String {
        let mut header = self.header.clone();
        header.insert(name.to_owned(), value.into());
        self.sign(Value::Object(header).to_string(), self.claims_json())
    }

    pub(crate) fn without_header(&self, name: &str) -> String {
        let mut header = self.header.clone();
        header.remove(name).unwrap();
        self.sign(Value::Object(header).to_string(), self.claims_json())
    }

    pub(crate) fn with_claim(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims.clone();
        claims.insert(name.to_owned(), value.into());
        self.sign(self.header_json(), Value::Object(claims).to_string())
    }

    pub(crate) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.remove(name).unwrap();
        self.sign(self.header_json(), Value::Object(claims).to_string())
    }

    pub(crate) fn header_json(&self) -> String {
        Value::Object(self.header.clone()).to_string()
    }

    pub(crate) fn claims_json(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// Signs these two segments with the key and the algorithm that the server uses, whatever the header says.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        sign(&self.key, jwt::jsonwebtoken_algorithm(self.algorithm), header, payload)
    }
}

pub(crate) fn sign(
    key: &EncodingKey,
    algorithm: jsonwebtoken::Algorithm,
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(crate) fn segments(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn object(segment: &str) -> Map<String, Value> {
    serde_json::from_slice(&decode(segment)).unwrap()
}
