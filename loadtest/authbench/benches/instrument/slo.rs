//! The highest rate that meets an objective, for a server of known capacity.

use serde_json::Value;

use crate::target::{DelayServer, load};
use crate::{Size, check_requirement};

/// Requests per second of one server that takes 1 ms for each.
const CAPACITY_RPS: f64 = 1_000.0;
/// The required range of the rate, as shares of the capacity.
const LEAST: f64 = 0.7;
const MOST: f64 = 1.1;

/// By the formula for a queue with random arrivals and constant service time, at 94 % of the capacity one request in
/// ten waits for 20 ms or longer; an initially empty queue becomes so long within half a second only above some 104 %.
/// The rate at which nine of ten rounds meet a p90 of 20 ms is lower, depending on the variation between rounds.
pub(crate) fn run(size: Size) -> bool {
    println!("slo: highest rate with a p90 of 20 ms, of a server that takes 1 ms for each request (per second)");
    let objective = if size == Size::Full { "p90=20ms" } else { "p90=1us" };
    let server = DelayServer::start(&["--service-us", "1000"]);
    let duration = if size == Size::Full { "500ms" } else { "100ms" };
    let result = load(&server.base_url, &["--slo", objective, "--duration", duration, "--population", "50"]);
    let rate_rps = result["rate_rps"].as_f64().unwrap_or(f64::NAN);
    let text = |name: &str| result[name].as_str().unwrap_or("nothing").to_owned();
    println!("  {rate_rps:.0}, limited by {}, interval {}", text("limited_by"), result["interval_rps"]);
    let confirmed = result["confirmed"] == Value::Bool(true) && result["limited_by"] == "target";
    let share = rate_rps / CAPACITY_RPS;
    check_requirement(
        "a confirmed rate between 70 and 110 % of the capacity, limited by the target",
        confirmed && (LEAST..MOST).contains(&share),
    )
}
