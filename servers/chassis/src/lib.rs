//! Everything of a server except authentication. It knows neither Redis nor JWT.
//!
//! A server is a `main` that calls [`main`] with its [`module::AuthModule`], which builds an
//! [`auth::Authenticator`]. The path of a request: `serve` reads it and counts its
//! response, `routes` finds the handler, `carrier` extracts the credential, the authenticator
//! verifies it, and `account` responds.

// The macros panic where a pipe is closed.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod account;
mod app;
pub mod auth;
mod bench;
mod body;
pub mod carrier;
mod chain;
mod clock;
mod config_file;
mod connections;
mod cross_site;
pub mod directory;
mod either;
mod fair_queue;
pub mod file;
mod host;
mod logout;
mod metrics;
pub mod module;
mod next_hop;
pub mod outbound;
mod password;
mod peer;
mod problem;
mod process;
mod request_body;
mod routes;
mod serve;
mod settings;
mod status;
mod throttle;
mod user_administration;
mod user_response;
mod users;

pub use process::main;
