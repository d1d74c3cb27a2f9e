//! Checks the instrument against known values, and measures its own cost.
//!
//! `cargo bench -p authbench --bench instrument [-- PART ..]`, with the parts `truth`, `stall`, `slo`, `oracle`,
//! `generator`, `waking`, `proxy` and `memory`; all without a name. Each prints a table, its requirement and whether it
//! was met; the exit code is 0 only if all were met. Every load goes to a server on this machine that is started here.
//!
//! Under `cargo test` it runs on tiny input and checks that it runs, not its results.

mod generator;
mod memory;
mod oracle;
mod proxy;
mod slo;
mod stall;
mod target;
mod truth;
mod waking;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;

/// The size of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    /// As large as the result needs.
    Full,
    /// As small as possible, to check that it runs.
    Tiny,
}

/// Name and function of a part, which returns whether its requirement was met.
type Part = (&'static str, fn(Size) -> bool);

const PARTS: [Part; 8] = [
    ("truth", truth::run),
    ("stall", stall::run),
    ("slo", slo::run),
    ("oracle", oracle::run),
    ("generator", generator::run),
    ("waking", waking::run),
    ("proxy", proxy::run),
    ("memory", memory::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo passes `--bench` when it measures, and not when it tests.
    let size = if arguments.iter().any(|argument| argument == "--bench") { Size::Full } else { Size::Tiny };
    let proxies = proxies();
    if !proxies.is_empty() {
        let error = run_without(&proxies, &arguments);
        eprintln!("instrument: cannot run without {}: {error}", proxies.join(", "));
        return ExitCode::FAILURE;
    }
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let all = !PARTS.iter().any(|(name, _)| named(name));
    let chosen = PARTS.into_iter().filter(|(name, _)| all || named(name));
    LazyLock::force(&target::PLACEMENT);
    // Each on a separate thread, because it may pin itself.
    let alone = |part: fn(Size) -> bool| std::thread::spawn(move || part(size)).join().expect("a part does not panic");
    let met: Vec<bool> = chosen.map(|(_, part)| alone(part)).collect();
    if size == Size::Tiny || met.into_iter().all(|met| met) { ExitCode::SUCCESS } else { ExitCode::from(10) }
}

/// Executes this program again without these variables, which a multi-threaded process cannot unset safely. Returns
/// only on failure.
fn run_without(variables: &[String], arguments: &[String]) -> std::io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut again = Command::new(program);
    variables.iter().fold(again.args(arguments), |again, name| again.env_remove(name)).exec()
}

/// Returns the environment variables that name a proxy: Goose's own client would send the load through it.
fn proxies() -> Vec<String> {
    let is_proxy =
        |name: &str| ["http_proxy", "https_proxy", "all_proxy"].contains(&name.to_ascii_lowercase().as_str());
    let named = std::env::vars().filter(|(name, value)| is_proxy(name) && !value.is_empty());
    named.map(|(name, _)| name).collect()
}

/// Prints the requirement, and whether it was met.
fn check_requirement(requirement: &str, met: bool) -> bool {
    println!("  {} {requirement}\n", if met { "yes:" } else { "NO: " });
    met
}

fn median(values: Vec<f64>) -> f64 {
    engine::median::median(values).expect("something was measured")
}
