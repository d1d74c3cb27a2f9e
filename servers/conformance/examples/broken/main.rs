//! A server that is broken in one way: `broken --scheme ID --fault NAME` and the flags of the real one.
//!
//! It is the real authenticator behind one that errs. What the chassis itself makes impossible is broken by a proxy in
//! the tests instead.

mod directory;
mod faults;
mod faulty;
mod launder;
mod module;

use std::process::ExitCode;

fn main() -> ExitCode {
    let jwt = std::env::args().any(|argument| argument.starts_with("jwt-"));
    if jwt {
        chassis::main::<module::Faulted<jwt::Jwt>>()
    } else {
        chassis::main::<module::Faulted<session::Session>>()
    }
}
