//! authbench: settles "sessions or JWT?" with evidence.

// All output goes through `terminal`: the macros panic if a pipe is closed.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod cleanup;
mod cli;
mod compare;
mod conform;
mod conformance_gate;
mod doctor;
mod doctor_json;
mod exit;
mod finish;
mod folder;
mod gate;
mod gate_build;
mod gate_version;
mod github_job;
mod janitor;
mod load;
mod load_json;
mod load_output;
mod load_slo;
mod load_target;
mod message;
mod progress;
mod provenance;
mod report;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // If the limit cannot be raised, a plan that needs more reports it.
    driver::raise_descriptor_limit().ok();
    exit::code(run(cli.command))
}

fn run(command: Command) -> exit::ExitResult {
    let stop = signals::stop_flag;
    match command {
        Command::Compare(args) => compare::run(&args, &stop()?),
        Command::Load(args) => load::run(&args, &stop()?),
        Command::Gate(args) => gate::run(&args, &stop()?),
        // It needs no cleanup: every file is written completely or not at all, so a signal may end it at once.
        Command::Report(args) => report::run(&args),
        Command::Conform(args) => conform::run(&args, &stop()?),
        Command::Doctor(args) => doctor::run(&args, &stop()?),
        Command::TidyAfter(args) => {
            // A signal that ends the parent process may be sent to both.
            let _first_signal = stop()?;
            janitor::clean_up_after(args.pid)
        }
    }
}
