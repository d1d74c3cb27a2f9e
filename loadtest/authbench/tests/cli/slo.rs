//! `authbench load --slo`.

use std::time::{Duration, Instant};

use lab::child::{Child, Launch};
use serde_json::Value;

use crate::support::{Place, alone, json, load, start};

/// Where each request takes 1 ms no rate above this can be carried for long.
const CAPACITY_RPS: f64 = 1_000.0;

/// A server that takes so long for each request, one after another, and its address.
fn line_of_one(place: &Place, service_us: &str) -> (Child, String) {
    let program = lab::server::locate("delay-server").unwrap();
    let launch = Launch {
        args: ["--service-us", service_us].map(Into::into).to_vec(),
        ..Launch::new("delay-server", program, place.path().join("server.log"))
    };
    let server = launch.start().unwrap();
    let listening = |line: &str| serde_json::from_str::<Value>(line).ok()?["listening"].as_str().map(str::to_owned);
    let address = server.find_line(Instant::now() + Duration::from_secs(20), listening).unwrap().unwrap();
    (server, format!("http://{address}"))
}

/// By the formula for a line with random arrivals and even service, at 94 % of the capacity one request in ten waits for
/// 20 ms or longer; a line that is empty at first becomes so long within half a second only above some 104 %. The rate at
/// which nine of ten rounds meet a p90 of 20 ms lies below, by how much rounds differ.
#[test]
fn the_rate_that_is_found_is_what_a_line_with_one_server_can_carry() {
    let _alone = alone();
    let place = Place::new();
    let (_server, target) = line_of_one(&place, "1000");
    let more = ["--slo", "p90=20ms", "--duration", "500ms", "--population", "50"];
    let result = json(&start(load(&place, &target, &more)).wait_with_output().unwrap());
    assert_eq!(result["slo"], serde_json::json!(["p90=20ms"]));
    assert_eq!(result["limited_by"], "target", "{}", result["rounds"]);
    assert_eq!(result["confirmed"], true, "{}", result["rounds"]);
    let rate = result["rate_rps"].as_f64().unwrap();
    assert!((0.70 * CAPACITY_RPS..1.10 * CAPACITY_RPS).contains(&rate), "{rate}");
    let interval = &result["interval_rps"];
    assert!(interval[0].as_f64().unwrap() < interval[1].as_f64().unwrap(), "{interval}");
    let overrun = |round: &&Value| round["rate_rps"].as_f64().unwrap() > 1.3 * CAPACITY_RPS;
    let rounds = result["rounds"].as_array().unwrap();
    assert!(rounds.iter().filter(overrun).count() > 0, "it looked beyond the limit");
    assert!(rounds.iter().filter(overrun).all(|round| round["verdict"] != "met"), "{}", result["rounds"]);
    assert!(place.run().join("charts/slo-light.svg").exists());
}

#[test]
fn an_objective_that_no_rate_meets_is_a_failed_threshold() {
    let _alone = alone();
    let place = Place::new();
    let (_server, target) = line_of_one(&place, "20000");
    let more = ["--slo", "p50=10ms", "--slo", "p75.5=1s", "--duration", "200ms", "--population", "50"];
    let output = start(load(&place, &target, &more)).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(10), "every request takes 20 ms: {output:?}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["rate_rps"], &result["confirmed"]), (&Value::Null, &Value::Bool(false)));
    assert_eq!(result["slo"], serde_json::json!(["p50=10ms", "p75.5=1s"]));
    for round in result["rounds"].as_array().unwrap() {
        let [response_us, own] = [&round["response_us"], &round["objectives_us"]];
        assert_eq!(own[0], response_us["p50"], "{round}");
        assert!((response_us["p50"].as_u64()..=response_us["p90"].as_u64()).contains(&own[1].as_u64()), "{round}");
    }
}
