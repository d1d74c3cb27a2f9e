//! The generator's memory must not grow with the number of requests.

use engine::plan::{Arrivals, Plan};

use crate::generator::drive;
use crate::target::Reference;
use crate::{Size, check_requirement};

/// The limit of growth between the first and the last reading, in bytes.
const GROWTH: u64 = 20 << 20;
/// Seconds of load between two readings: about half a million requests.
const STEP_S: f64 = 10.0;

pub(crate) fn run(size: Size) -> bool {
    println!("memory: resident set of the generator against requests recorded in one round");
    let control = Reference::control();
    let (rounds, step_s) =
        if size == Size::Full { (&[1.0, 2.0, 4.0, 10.0][..], STEP_S) } else { (&[1.0, 2.0][..], 0.5) };
    let mut readings = Vec::new();
    for steps in rounds {
        // One round, not several: the memory of a round is what might grow.
        let plan = Plan { connections: 32, ..Plan::new(Arrivals::Closed, steps * step_s) };
        let requests = drive(&plan, &control.server.base_url());
        let peak = peak_rss();
        println!("  {requests:>10} requests {:>8.1} MiB at most", peak as f64 / f64::from(1 << 20));
        readings.push(peak);
    }
    let growth = readings.last().zip(readings.first()).map_or(0, |(last, first)| last.saturating_sub(*first));
    check_requirement("at most 20 MiB more at ten times the requests", growth <= GROWTH)
}

/// Returns the peak resident set of this process, in bytes.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
