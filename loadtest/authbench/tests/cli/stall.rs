//! The stall proof: coordinated omission would hide what these tests measure.

use std::time::Duration;

use engine::record::LoadExperiment;

use crate::support::{TestDir, exclusive, json, load, server, start, wait_for_load};

const STALL: Duration = Duration::from_secs(1);

/// A server that stalls for 1 s delays all requests that arrive meanwhile, a quarter of all. Service times show only
/// the 16 that were in flight: far less than one in ten. How closely the percentile matches the formula is measured
/// by `cargo bench -p authbench --bench instrument -- stall`.
#[test]
fn stall_shows_in_response_time_and_not_in_service_time() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("anonymous", &dir, None);
    let shape = ["--rate", "1000", "--arrivals", "fixed", "--connections", "16"];
    let more = [&shape[..], &["--duration", "4s", "--population", "100"]].concat();
    let load = start(load(&dir, &server.base_url(), &more));
    wait_for_load(&server);
    server.process().suspend().unwrap();
    std::thread::sleep(STALL);
    server.process().resume().unwrap();

    let result = json(&load.wait_with_output().unwrap());
    let [response_us, service_us] = ["response_us", "service_us"].map(|time| result[time]["p90"].as_f64().unwrap());
    assert!(response_us > STALL.as_micros() as f64 / 2.0, "p90 {response_us} µs");
    assert!(service_us < response_us / 4.0, "service time would have hidden it, but shows {service_us} µs");
    assert_eq!(result["requests"], 4_000);

    let record = record_file::read(&dir.run()).unwrap();
    let load = record.data::<LoadExperiment>().expect("a load");
    assert_eq!(load.rounds[0].response_us.p90.map(|p90| p90 as f64), Some(response_us));
    assert_eq!(load.rounds[0].service_us.p90.map(|p90| p90 as f64), Some(service_us));
}
