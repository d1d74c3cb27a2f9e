//! Signed claims instead of a session: the token has the user, and a signature proves it.
//!
//! [`verify_jws`] is the signature step alone, for use with other tokens and keys. An issuer
//! adds the claims and the rotated keys; a revocation adds what can revoke a token early, and
//! families of refresh tokens make it short-lived instead. [`AnyTokens`] is whichever of these a server runs, and
//! [`Jwt`] builds it from the settings. Deliberately absent: HTTP, and any way for a token to name, supply or fetch the
//! key that verifies it.

mod algorithm;
mod audience;
mod authenticator;
mod base64url;
mod claims;
mod downstream_token;
mod either;
mod error;
mod header;
mod issuer;
mod jwk_set;
mod jws;
mod key_file;
mod key_ring;
mod key_set;
mod module;
mod numeric_date;
mod options;
mod refresh;
mod remote_keys;
mod revocation;
mod signing_key;
mod token_id;
mod unique;
mod verifying_key;

pub use algorithm::jsonwebtoken_algorithm;
pub use contract::Algorithm;
pub use downstream_token::DownstreamIssuer;
pub use either::AnyTokens;
pub use error::{JwsError, KeyError};
pub use jws::{MAX_COMPACT_BYTES, verify_jws};
pub use key_file::KeyFileKind;
pub use key_set::KeySet;
pub use module::Jwt;
pub use options::JwtOptions;
pub use signing_key::SigningKey;
pub use verifying_key::VerifyingKey;
