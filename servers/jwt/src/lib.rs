//! Signed claims instead of a session: the token says who its bearer is, and a signature vouches for it.
//!
//! [`verify_jws`] is the signature step alone, for whoever wants to run other tokens and keys through it; [`Tokens`]
//! is the authenticator, and [`Jwt`] makes it from a server's settings. Absent on purpose: a store, HTTP, and any way
//! for a token to name, bring or fetch the key that checks it.

mod algorithm;
mod authenticator;
mod base64url;
mod claims;
mod error;
mod header;
mod jws;
mod key_set;
mod module;
mod signing_key;
mod unique;
mod verifying_key;

pub use algorithm::Algorithm;
pub use authenticator::Tokens;
pub use error::{JwsError, KeyError};
pub use jws::{MAX_COMPACT_BYTES, verify_jws};
pub use key_set::KeySet;
pub use module::{Jwt, JwtOptions};
pub use signing_key::SigningKey;
pub use verifying_key::VerifyingKey;
