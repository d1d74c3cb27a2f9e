//! authbench: settles "sessions or JWT?" with evidence.

// All output goes through `terminal`: the macros panic if a pipe is closed.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod cli;
mod compare;
mod conform;
mod doctor;
mod doctor_json;
mod exit;
mod folder;
mod janitor;
mod left_over;
mod load;
mod load_end;
mod load_json;
mod load_slo;
mod load_target;
mod message;
mod progress;
mod promises;
mod provenance;
mod report;
mod stop;
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
    let stop = stop::on_signals;
    match command {
        Command::Compare(asked) => compare::run(&asked, &stop()?),
        Command::Load(asked) => load::run(&asked, &stop()?),
        // It needs no cleanup: every file is written completely or not at all, so a signal may end it at once.
        Command::Report(asked) => report::run(&asked),
        Command::Conform(asked) => conform::run(&asked, &stop()?),
        Command::Doctor(asked) => doctor::run(&asked, &stop()?),
        Command::TidyAfter(asked) => {
            // A signal that ends the parent process may be sent to both.
            let _first_signal = stop()?;
            janitor::tidy_after(asked.pid)
        }
    }
}
