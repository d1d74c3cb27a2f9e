//! A server that is broken in one way: `broken --scheme ID --fault NAME` and the flags of the real one.
//!
//! A faulty authenticator wraps the real one. Faults that the chassis makes impossible come from a proxy in the tests
//! instead.

mod faults;
mod faulty_authenticator;
mod module;
mod recording_directory;
mod token_rewriter;

use std::process::ExitCode;

fn main() -> ExitCode {
    let jwt = std::env::args().any(|argument| argument.starts_with("jwt-"));
    if jwt {
        chassis::main::<module::FaultyModule<jwt::Jwt>>()
    } else {
        chassis::main::<module::FaultyModule<session::Session>>()
    }
}
