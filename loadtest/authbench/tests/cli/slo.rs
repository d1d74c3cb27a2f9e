//! `authbench load --slo`.

use std::time::{Duration, Instant};

use lab::child::{Child, Launch};
use serde_json::Value;

use crate::support::{TestDir, exclusive, load, start};

/// Requests per second of one server that takes 1 ms for each.
const CAPACITY_RPS: f64 = 1_000.0;

/// Starts a server with this service time for each request, one after another, and returns its address.
fn start_delay_server(dir: &TestDir, service_us: &str) -> (Child, String) {
    let program = lab::server::locate("delay-server").unwrap();
    let launch = Launch {
        args: ["--service-us", service_us].map(Into::into).to_vec(),
        ..Launch::new("delay-server", program, dir.path().join("server.log"))
    };
    let server = launch.start().unwrap();
    let listening = |line: &str| serde_json::from_str::<Value>(line).ok()?["listening"].as_str().map(str::to_owned);
    let address = server.find_line(Instant::now() + Duration::from_secs(20), listening).unwrap().unwrap();
    (server, format!("http://{address}"))
}

/// How close the result is to the capacity is measured by `cargo bench -p authbench --bench instrument -- slo`: a busy
/// machine sustains less, and the search then reports less. A rate above the capacity is wrong on any machine: a fifth
/// of a second at 1.1 times the capacity leaves 20 requests waiting, the last of them for 20 ms.
#[test]
fn no_rate_beyond_the_capacity_is_met() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let (_server, target) = start_delay_server(&dir, "1000");
    let more = ["--slo", "p90=10ms", "--duration", "200ms", "--population", "50"];
    let output = start(load(&dir, &target, &more)).wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["slo"], serde_json::json!(["p90=10ms"]));
    let rounds = result["rounds"].as_array().unwrap();
    let rate = |round: &Value| round["rate_rps"].as_f64().unwrap();
    let met: Vec<_> = rounds.iter().filter(|round| round["verdict"] == "met").map(rate).collect();
    // A machine that stalls in every round meets nothing, and then the search does not succeed.
    assert!(!met.is_empty() || matches!(output.status.code(), Some(10 | 12)), "{output:?}");
    assert!(met.iter().all(|rate| *rate < 1.3 * CAPACITY_RPS), "{}", result["rounds"]);
    if let Some(rate) = result["rate_rps"].as_f64() {
        assert!(rate < 1.1 * CAPACITY_RPS, "{rate}");
    }
    // The upper end is missing if the generator was the limit.
    if let [Some(low), Some(high)] = [0, 1].map(|end| result["interval_rps"][end].as_f64()) {
        assert!(low < high, "{low} to {high}");
    }
    assert!(dir.run().join("charts/slo-light.svg").exists());
}

#[test]
fn unreachable_objective_is_a_failed_threshold() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let (_server, target) = start_delay_server(&dir, "20000");
    let more = ["--slo", "p50=10ms", "--slo", "p75.5=1s", "--duration", "100ms", "--population", "50"];
    let output = start(load(&dir, &target, &more)).wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    // On a machine on which the generator is late in every round the search has no result.
    let expected_code = if result["limited_by"] == "generator" { 12 } else { 10 };
    assert_eq!(output.status.code(), Some(expected_code), "every request takes 20 ms: {output:?}");
    assert_eq!((&result["rate_rps"], &result["confirmed"]), (&Value::Null, &Value::Bool(false)));
    assert_eq!(result["slo"], serde_json::json!(["p50=10ms", "p75.5=1s"]));
    for round in result["rounds"].as_array().unwrap() {
        let [response_us, own] = [&round["response_us"], &round["objectives_us"]];
        assert_eq!(own[0], response_us["p50"], "{round}");
        assert!((response_us["p50"].as_u64()..=response_us["p90"].as_u64()).contains(&own[1].as_u64()), "{round}");
    }
}
