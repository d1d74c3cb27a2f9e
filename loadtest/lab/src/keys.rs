//! Keys that several nodes share, so that all of them accept what one of them signs or seals.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::{Algorithm, Kind, Scheme};

/// Bytes of a secret, as HMAC with SHA-256 and AES-256 require.
const SECRET_BYTES: usize = 32;
const PEM_COLUMNS: usize = 64;

/// Creates a key of the type that this scheme's server requires, in a private file: returns the environment variable
/// for it, and its path. None for a scheme without keys.
pub fn make(scheme: Scheme, folder: &Path) -> io::Result<Option<(&'static str, PathBuf)>> {
    let (variable, content) = match scheme.kind() {
        Kind::Token { algorithm: Algorithm::Hs256, .. } => ("AUTHBENCH_SECRET_FILE", secret()?),
        Kind::Token { algorithm: Algorithm::EdDsa, .. } => ("AUTHBENCH_KEY_FILE", pem(&ed25519()?)),
        Kind::Token { algorithm: Algorithm::Es256, .. } => ("AUTHBENCH_KEY_FILE", pem(&es256()?)),
        Kind::Token { algorithm: Algorithm::Rs256, .. } => ("AUTHBENCH_KEY_FILE", pem(&rs256()?)),
        Kind::Hybrid => ("AUTHBENCH_INNER_KEY_FILE", pem(&ed25519()?)),
        Kind::Sealed => ("AUTHBENCH_SEALING_KEY_FILE", secret()?),
        Kind::Anonymous | Kind::Session(_) => return Ok(None),
    };
    let path = folder.join(format!("{scheme}.key"));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(&content)?;
    Ok(Some((variable, path)))
}

fn secret() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; SECRET_BYTES];
    rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn ed25519() -> io::Result<Vec<u8>> {
    let pair = Ed25519KeyPair::generate().map_err(io::Error::other)?;
    Ok(pair.to_pkcs8v1().map_err(io::Error::other)?.as_ref().to_vec())
}

fn es256() -> io::Result<Vec<u8>> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(io::Error::other)?;
    Ok(pair.to_pkcs8v1().map_err(io::Error::other)?.as_ref().to_vec())
}

fn rs256() -> io::Result<Vec<u8>> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
    Ok(pair.as_der().map_err(io::Error::other)?.as_ref().to_vec())
}

/// As a PKCS #8 PEM file.
fn pem(der: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(PEM_COLUMNS).flat_map(|line| [line, b"\n"].concat());
    let head = b"-----BEGIN PRIVATE KEY-----\n".iter().copied();
    head.chain(lines).chain(b"-----END PRIVATE KEY-----\n".iter().copied()).collect()
}
