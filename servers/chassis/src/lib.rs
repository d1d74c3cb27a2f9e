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
mod arriving;
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
mod routes;
mod serve;
mod settings;
mod shown;
mod standing;
mod status;
mod throttle;
mod turns;
mod users;

pub use process::main;
