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

use contract::Scheme;

fn main() -> ExitCode {
    let mut schemes = std::env::args().filter_map(|argument| argument.parse::<Scheme>().ok());
    if schemes.any(|scheme| scheme.kind().algorithm().is_some()) {
        chassis::main::<module::FaultyModule<jwt::Jwt>>()
    } else {
        chassis::main::<module::FaultyModule<session::Session>>()
    }
}
