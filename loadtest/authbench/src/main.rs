//! authbench: settles "sessions or JWT?" with evidence.

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
mod load_json;
mod load_slo;
mod progress;
mod promises;
mod provenance;
mod report;
mod stop;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = stop::on_signals();
    let outcome = match cli.command {
        Command::Compare(asked) => compare::run(&asked, &stop),
        Command::Load(asked) => load::run(&asked, &stop),
        Command::Report(asked) => report::run(&asked),
        Command::Conform(asked) => conform::run(&asked),
        Command::Doctor(asked) => doctor::run(&asked, &stop),
        Command::TidyAfter(asked) => janitor::tidy_after(asked.pid),
    };
    exit::code(outcome)
}
