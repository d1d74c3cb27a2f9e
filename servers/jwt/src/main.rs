//! `jwt-server`: the chassis with signed tokens.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<jwt::Jwt>()
}
