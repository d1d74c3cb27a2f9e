//! `anonymous-server`: the same server with authentication that does nothing.

mod control;

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<control::Module>()
}
