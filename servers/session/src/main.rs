//! `session-server`: the chassis with session ids.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<session::Session>()
}
