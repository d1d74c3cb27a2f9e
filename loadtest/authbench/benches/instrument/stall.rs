//! A stall of known length: coordinated omission would hide it.

use std::time::{Duration, Instant};

use crate::target::{Load, Reference, await_load};
use crate::{Size, check_requirement};

/// The allowed difference between the recorded 99th percentile and the formula's, as a share.
const SHARE: f64 = 0.05;

/// A server that is stopped for a tenth of the load delays all requests that arrive meanwhile. Of n evenly spaced
/// arrivals the one percent that waits longest arrived in the stall's first n/100 arrivals, so that the 99th percentile
/// is the stall's length minus the time in which these arrived.
pub(crate) fn run(size: Size) -> bool {
    println!("stall: 99th percentile of response time over a stall of the server (ms)");
    println!("  {:>7} {:>9} {:>9} {:>9}", "stall", "formula", "recorded", "service");
    let duration_s = if size == Size::Full { 20.0 } else { 4.0 };
    let server = Reference::control().server;
    let length = format!("{duration_s}s");
    let shape = ["--rate", "1000", "--arrivals", "fixed", "--duration", &length, "--population", "100"];
    let load = Load::begin(&server.base_url(), &shape);
    await_load(&server);
    server.process().suspend().expect("it runs");
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs_f64(duration_s / 10.0));
    server.process().resume().expect("it was suspended");
    let stalled_s = began.elapsed().as_secs_f64();
    let result = load.result();
    let p99_ms = |time: &str| result[time]["p99"].as_f64().unwrap_or(f64::NAN) / 1e3;
    let formula_ms = (stalled_s - duration_s * 0.01) * 1e3;
    let [response_ms, service_ms] = ["response_us", "service_us"].map(p99_ms);
    println!("  {:>7.0} {formula_ms:>9.0} {response_ms:>9.0} {service_ms:>9.0}", stalled_s * 1e3);
    let all = result["requests"].as_f64() == Some(duration_s * 1e3);
    check_requirement(
        "every planned request sent, the 99th percentile within 5 % of the formula, that of service time below a quarter of it",
        all && (response_ms / formula_ms - 1.0).abs() <= SHARE && service_ms < formula_ms / 4.0,
    )
}
