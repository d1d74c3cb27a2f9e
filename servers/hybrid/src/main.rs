//! `edge-server`: the chassis with sessions outside and tokens inside.

use std::process::ExitCode;

fn main() -> ExitCode {
    chassis::main::<hybrid::Hybrid>()
}
