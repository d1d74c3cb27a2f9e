//! The wire that every server of authbench speaks.
//!
//! It stands alone so that a server and the load test that measures it share names and
//! shapes without sharing code: this crate has routes, bodies, problem types, the table of
//! schemes and the form of a secret's file, and does no I/O.

pub mod base_url;
pub mod body;
pub mod openapi;
pub mod problem;
pub mod route;
pub mod scheme;
pub mod secret;
pub mod user;

pub use base_url::{BaseUrl, BaseUrlError};
pub use problem::{Problem, ProblemKind};
pub use scheme::{Carrier, LogoutScope, RevocationClass, Scheme, SchemeDescriptor, StoreDown, StoreKind, Touch};
