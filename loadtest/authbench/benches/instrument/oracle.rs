//! A second opinion: oha, an independent load generator, at the same rate and concurrency against the same server.

use std::process::Command;

use serde_json::Value;

use crate::target::{Control, DelayServer, load};
use crate::{Size, wants};

/// They may differ by this share, or by this time, whichever is more.
const SHARE: f64 = 0.15;
const TIME_US: f64 = 30.0;

const CONNECTIONS: &str = "16";
const RATES: [&str; 2] = ["1000", "5000"];

pub(crate) fn run(size: Size) -> bool {
    println!("oracle: authbench against oha, in turn, {CONNECTIONS} connections");
    if Command::new("oha").arg("--version").output().is_err() {
        println!("  oha is not installed: cargo install --locked oha\n");
        return false;
    }
    println!("  {:<22} {:>12} {:>12} | {:>14} {:>12}", "", "oha req/s", "authbench", "oha median µs", "authbench");
    let control = Control::start();
    let delayed = DelayServer::start(&["--delay-us", "5000"]);
    let targets = [("anonymous-server", control.server.base_url()), ("delay-server 5 ms", delayed.base_url.clone())];
    let rates = if size == Size::Full { &RATES[..] } else { &RATES[..1] };
    let cases = targets.iter().flat_map(|target| rates.iter().map(move |rate| (target, *rate)));
    // 16 connections of 5 ms each carry 3,200 requests/s and no more.
    let cases = cases.filter(|((name, _), rate)| !(name.starts_with("delay") && *rate == "5000"));
    let agreements: Vec<bool> = cases.map(|((name, target), rate)| agree(name, target, rate, size)).collect();
    wants(
        "throughput and median service time agree within 15 % or 30 µs, whichever is more",
        agreements.into_iter().all(|agreement| agreement),
    )
}

fn agree(name: &str, target: &str, rate: &str, size: Size) -> bool {
    let duration = if size == Size::Full { "10s" } else { "1s" };
    let (oha_rps, oha_us) = oha(target, rate, duration);
    let connections = ["--connections", CONNECTIONS, "--population", "10"];
    let shape = ["--rate", rate, "--arrivals", "fixed", "--duration", duration];
    let result = load(target, &[&shape[..], &connections[..]].concat());
    let own_rps = result["achieved_rps"].as_f64().unwrap_or(f64::NAN);
    let own_us = result["service_us"]["p50"].as_f64().unwrap_or(f64::NAN);
    println!("  {:<22} {oha_rps:>12.0} {own_rps:>12.0} | {oha_us:>14.0} {own_us:>12.0}", format!("{name} {rate}/s"));
    (own_rps / oha_rps - 1.0).abs() <= SHARE && (own_us - oha_us).abs() <= (oha_us * SHARE).max(TIME_US)
}

/// Requests per second and median service time in microseconds.
fn oha(target: &str, rate: &str, duration: &str) -> (f64, f64) {
    let output = Command::new("oha")
        .args(["--no-tui", "--output-format", "json", "-q", rate, "-c", CONNECTIONS, "-z", duration])
        .arg(format!("{target}{}", contract::route::ME))
        .output()
        .expect("it ran just now");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let figure = |path: &str| result.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN);
    (figure("/summary/requestsPerSec"), figure("/latencyPercentiles/p50") * 1e6)
}
