//! `authbench load`.

use lab::child::Bounds;
use lab::redis::Redis;
use serde_json::Value;

use crate::support::{TestDir, exclusive, json, load, server, start, stderr};

fn quantiles_are_in_order(quantiles: &Value) {
    let values: Vec<u64> =
        ["p50", "p90", "p99", "p99_9", "p99_99", "max"].iter().map(|name| quantiles[name].as_u64().unwrap()).collect();
    assert!(values.is_sorted(), "{quantiles}");
    assert!(quantiles["mean"].as_f64().unwrap() <= quantiles["max"].as_f64().unwrap());
}

#[test]
fn open_loop_sends_the_planned_requests() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("jwt-hs256", &dir, None);
    let more =
        ["--scheme-from-target", "--rate", "500", "--arrivals", "fixed", "--duration", "4s", "--population", "50"];
    let output = start(load(&dir, &server.base_url(), &more)).wait_with_output().unwrap();
    let result = json(&output);
    assert_eq!(result["requests"], 2_000);
    assert_eq!(result["errors"], 0);
    assert_eq!(result["planned_rps"], 500.0);
    assert_eq!(result["duration_s"], 4.0);
    for times in ["response_us", "service_us", "lag_us"] {
        quantiles_are_in_order(&result[times]);
    }
    assert!(result["server_cpu_us_per_request"].as_f64().unwrap() > 0.0, "the server is on this machine");
    for file in ["record.json", "report.html", "report.md"] {
        assert!(dir.run().join(file).metadata().unwrap().len() > 0, "{file}");
    }
}

#[test]
fn closed_loop_has_no_lag() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("session-memory", &dir, None);
    let more = ["--users", "3", "--duration", "3s", "--population", "50"];
    let output = start(load(&dir, &server.base_url(), &more)).wait_with_output().unwrap();
    let result = json(&output);
    assert_eq!(result["planned_rps"], Value::Null);
    assert_eq!(result["errors"], 0);
    assert_eq!(result["response_us"], result["service_us"], "it is meant to be sent when it is");
}

#[test]
fn journey_logs_in_reads_refreshes_and_logs_out() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let redis = Redis::start(dir.path(), &dir.path().join("redis.log"), &Bounds::default()).unwrap();
    let server = server("session-redis", &dir, Some(redis.url()));
    let plan = dir.file(
        "journey.toml",
        "duration_s = 6\nconnections = 4\narrivals = { kind = \"closed\" }\npopulation = { size = 100 }\n\
         mix = { kind = \"journey\", reads = 2 }\ninterval_s = 0.3\n",
    );
    let more = ["--plan", plan.to_str().unwrap()];
    let output = start(load(&dir, &server.base_url(), &more)).wait_with_output().unwrap();
    let result = json(&output);
    assert_eq!(result["errors"], 0, "{result}");
    assert!(result["requests"].as_u64().unwrap() >= 7, "at least one whole journey: {result}");
    let calls = redis.command_counts().unwrap();
    assert!(calls.get("del").or(calls.get("unlink")).is_some(), "sessions were ended: {calls:?}");
}

#[test]
fn server_without_minting_gets_logins() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let program = lab::server::locate("jwt-server").unwrap();
    let launch = lab::child::Launch {
        args: ["--listen", "127.0.0.1:0", "--users", "10"].map(Into::into).to_vec(),
        ..lab::child::Launch::new("jwt-server", program, dir.path().join("server.log"))
    };
    let server = launch.start().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let listening = |line: &str| serde_json::from_str::<Value>(line).ok()?["listening"].as_str().map(str::to_owned);
    let address = server.find_line(deadline, listening).unwrap().unwrap();
    let more = ["--rate", "200", "--duration", "2s", "--population", "3"];
    let output = start(load(&dir, &format!("http://{address}"), &more)).wait_with_output().unwrap();
    let result = json(&output);
    assert_eq!(result["errors"], 0, "{result}");
    assert!(stderr(&output).contains("logging in as 3 users"), "{}", stderr(&output));
}
