//! Comparison with oha, an independent load generator, at the same rate and concurrency against the same server.

use std::process::Command;

use serde_json::Value;

use crate::target::{DelayServer, Reference, load, pin};
use crate::{Size, check_requirement, median};

/// The allowed difference: this share, or this time, whichever is more.
const SHARE: f64 = 0.15;
const TIME_US: f64 = 30.0;

/// Runs of each, in turn; the medians are compared, since a virtual machine changes its speed.
const TURNS: usize = 3;

/// A load that both can generate.
#[derive(Clone, Copy)]
struct Case {
    target: Target,
    connections: &'static str,
    /// Requests per second; none for a closed loop.
    rate: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Control,
    Delay,
}

const CASES: [Case; 4] = [
    Case { target: Target::Control, connections: "1", rate: None },
    Case { target: Target::Control, connections: "16", rate: Some("1000") },
    Case { target: Target::Control, connections: "16", rate: Some("5000") },
    Case { target: Target::Delay, connections: "16", rate: Some("1000") },
];

impl Case {
    fn name(self) -> String {
        let target = if self.target == Target::Control { "anonymous-server" } else { "delay-server 5 ms" };
        let load = self.rate.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate}/s"));
        format!("{target}, {load}, {} connections", self.connections)
    }
}

pub(crate) fn run(size: Size) -> bool {
    println!("oracle: authbench against oha, in turn, on the same processor; medians of {TURNS} runs each");
    if Command::new("oha").arg("--version").output().is_err() {
        println!("  oha is not installed: cargo install --locked oha\n");
        return false;
    }
    println!("  {:<46} {:>9} {:>9} | {:>11} {:>9}", "", "oha req/s", "authbench", "oha p50 µs", "authbench");
    let control = Reference::control();
    let delayed = DelayServer::start(&["--delay-us", "5000"]);
    pin();
    let agreements = CASES.map(|case| {
        let target = if case.target == Target::Control { control.server.base_url() } else { delayed.base_url.clone() };
        agree(case, &target, size)
    });
    check_requirement(
        "throughput and median service time agree within 15 % or 30 µs, whichever is more",
        !agreements.contains(&false),
    )
}

fn agree(case: Case, target: &str, size: Size) -> bool {
    let (turns, duration) = if size == Size::Full { (TURNS, "5s") } else { (1, "1s") };
    let (oha, authbench): (Vec<_>, Vec<_>) =
        (0..turns).map(|_| (run_oha(case, target, duration), run_authbench(case, target, duration))).unzip();
    let [(oha_rps, oha_us), (authbench_rps, authbench_us)] = [oha, authbench].map(|runs: Vec<(f64, f64)>| {
        let (rates, times) = runs.into_iter().unzip();
        (median(rates), median(times))
    });
    println!("  {:<46} {oha_rps:>9.0} {authbench_rps:>9.0} | {oha_us:>11.0} {authbench_us:>9.0}", case.name());
    (authbench_rps / oha_rps - 1.0).abs() <= SHARE && (authbench_us - oha_us).abs() <= (oha_us * SHARE).max(TIME_US)
}

/// Returns requests per second and median service time in microseconds of authbench.
fn run_authbench(case: Case, target: &str, duration: &str) -> (f64, f64) {
    let shape = match case.rate {
        Some(rate) => vec!["--rate", rate, "--arrivals", "fixed", "--connections", case.connections],
        None => vec!["--users", case.connections],
    };
    let result = load(target, &[&shape[..], &["--duration", duration, "--population", "10"]].concat());
    let figure = |path: &str| result.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    (figure("/achieved_rps"), figure("/service_us/p50"))
}

/// Returns requests per second and median service time in microseconds of oha.
fn run_oha(case: Case, target: &str, duration: &str) -> (f64, f64) {
    let output = Command::new("oha")
        .args(["--no-tui", "--output-format", "json", "-c", case.connections, "-z", duration])
        .args(case.rate.into_iter().flat_map(|rate| ["-q", rate]))
        .arg(format!("{target}{}", contract::route::ME))
        .output()
        .expect("it ran just now");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let figure = |path: &str| result.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    (figure("/summary/requestsPerSec"), figure("/latencyPercentiles/p50") * 1e6)
}
