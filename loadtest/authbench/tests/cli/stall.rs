//! The stall proof: coordinated omission would hide what these tests see.

use std::time::{Duration, Instant};

use engine::record::{self, Experiment};

use crate::support::{Place, alone, json, load, load_begins, server, start};

const DURATION_S: f64 = 20.0;
const STALL: Duration = Duration::from_secs(2);

/// A server that stands still for 2 s makes everybody wait who would have come meanwhile. Of n evenly spaced
/// arrivals the hundredth part that waits longest came in the stall's first n/100 arrivals, so that the 99th
/// percentile is the stall's length less the time in which these arrived.
#[test]
fn a_stalled_server_shows_in_response_time_and_not_in_service_time() {
    let _alone = alone();
    let place = Place::new();
    let server = server("anonymous", &place, None);
    let more = ["--rate", "1000", "--arrivals", "fixed", "--duration", "20s", "--population", "100"];
    let load = start(load(&place, &server.base_url(), &more));
    load_begins(&server);
    server.process().suspend().unwrap();
    let stalled = Instant::now();
    std::thread::sleep(STALL);
    server.process().resume().unwrap();
    let stalled_s = stalled.elapsed().as_secs_f64();

    let result = json(&load.wait_with_output().unwrap());
    let analytic_us = (stalled_s - DURATION_S * 0.01) * 1e6;
    let response_us = result["response_us"]["p99"].as_f64().unwrap();
    let deviation = (response_us / analytic_us - 1.0).abs();
    assert!(deviation < 0.05, "p99 {response_us} µs, analytic {analytic_us} µs");
    let service_us = result["service_us"]["p99"].as_f64().unwrap();
    assert!(service_us < analytic_us / 4.0, "service time would have hidden it, but shows {service_us} µs");
    assert_eq!(result["requests"], 20_000);

    let record = record::read(&place.run()).unwrap();
    let Experiment::Load(load) = &record.experiments[0] else { panic!("a load") };
    assert_eq!(load.rounds[0].response_us.p99.map(|p99| p99 as f64), Some(response_us));
    assert_eq!(load.rounds[0].service_us.p99.map(|p99| p99 as f64), Some(service_us));
}
