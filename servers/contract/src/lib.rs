//! The wire protocol of every authbench server.
//!
//! It is separate so that a server and the load test that measures it share names and
//! shapes without sharing code: this crate has routes, bodies, problem types, the table of
//! schemes, the form of a secret's file and the parser of HTTP/1 heads, and does no I/O.

pub mod base_url;
pub mod body;
pub mod http1;
pub mod openapi;
pub mod problem;
pub mod route;
pub mod scheme;
pub mod secret;
pub mod user;

pub use base_url::{BaseUrl, BaseUrlError};
pub use problem::{Problem, ProblemKind};
pub use scheme::{
    Algorithm, Carrier, EarlyRevocation, Kind, LogoutScope, RevocationClass, Scheme, SchemeDescriptor, SessionBackend,
    StoreDown, StoreKind, Touch,
};

/// Bytes of the longest request head that the servers read; a longer one gets 431 (RFC 6585 section 5).
/// Tokens with a thousand roles fit.
pub const MAX_HEAD_BYTES: usize = 32 << 10;
