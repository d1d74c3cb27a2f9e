//! Everything of a server except authentication. It knows neither Redis nor JWT.
//!
//! A server is a `main` that calls [`main`] with its [`module::AuthModule`], which makes an
//! [`auth::Authenticator`]. The way of a request: `serve` takes it off the wire and counts its
//! answer, `routes` finds the handler, `carrier` takes the credential out, the authenticator
//! judges it, and `account` answers.

mod account;
mod app;
pub mod auth;
mod bench;
mod carrier;
mod clock;
mod config_file;
mod metrics;
pub mod module;
mod password;
mod problem;
mod process;
mod routes;
mod serve;
mod settings;
mod status;
mod users;

pub use process::main;
