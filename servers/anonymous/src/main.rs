//! `anonymous-server`: the same server with authentication that does nothing.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<anonymous::Anonymous>()
}
