//! Checks that the delay proxy produces the round-trip time that is set.

use std::time::Duration;

use lab::proxy::{MAX_ERROR_US, measure_accuracy};

use crate::target::PLACEMENT;
use crate::{Size, check_requirement};

const SET_US: [u64; 3] = [200, 1_000, 5_000];
/// The rate at which an experiment sends.
const MESSAGES_PER_S: u32 = 5_000;

pub(crate) fn run(size: Size) -> bool {
    println!("proxy: round trips over the delay proxy, {MESSAGES_PER_S} messages/s (µs)");
    println!(
        "  {:>8} {:>10} {:>8} {:>12} {:>12} {:>13} {:>13} {:>10}",
        "set", "given p50", "off", "direct p50", "direct p99", "through p50", "through p99", "CPU time"
    );
    let duration = Duration::from_secs_f64(if size == Size::Full { 5.0 } else { 0.1 });
    let mut farthest = 0.0_f64;
    for set_us in SET_US {
        let round_trip = Duration::from_micros(set_us);
        let trial =
            measure_accuracy(round_trip, MESSAGES_PER_S, duration, &PLACEMENT.store_cpus).expect("loopback is there");
        let error_us = trial.error_us();
        println!(
            "  {set_us:>8} {:>10.1} {error_us:>+8.1} {:>12.1} {:>12.1} {:>13.1} {:>13.1} {:>10.1}",
            trial.added_us(),
            trial.direct.p50,
            trial.direct.p99,
            trial.through.p50,
            trial.through.p99,
            trial.cpu_us
        );
        farthest = farthest.max(error_us.abs());
    }
    check_requirement("the median delay is within 50 us of the set value", farthest <= MAX_ERROR_US)
}
