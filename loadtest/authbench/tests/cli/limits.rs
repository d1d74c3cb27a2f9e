//! The limits of the generator's machine and of the target's responses: faults are attributed to the right side.

use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{TestDir, command, exclusive, json, load, server, start, stderr, wait_until};
use crate::target::{Target, first_user_response, minted, minted_with_headers, response};

/// Returns a command that runs under a limit, set by `ulimit` with these flags.
fn limited(ulimit: &str, command: &Command) -> Command {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("ulimit {ulimit}; exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args());
    limited
}

#[test]
fn plan_beyond_the_descriptor_limit_is_rejected() {
    let dir = TestDir::new();
    let loads: [&[&str]; 2] = [&["--users", "100"], &["--rate", "10", "--connections", "100"]];
    for more in loads {
        let more = [more, &["--duration", "1s"]].concat();
        let output = limited("-n 64", &load(&dir, "http://127.0.0.1:1", &more)).output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        for word in ["100 connections", "is 64", "ulimit"] {
            assert!(printed.contains(word), "{word}: {printed}");
        }
    }
}

/// Includes the connections of the plan: a number that fits before the load also fits when it begins.
#[test]
fn suggested_number_of_connections_works() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("anonymous", &dir, None);
    let target = server.base_url();
    let load = |connections: &str| {
        let more = ["--users", connections, "--duration", "500ms", "--population", "3"];
        limited("-n 64", &load(&dir, &target, &more)).output().unwrap()
    };
    let printed = stderr(&load("64"));
    let suggested = printed.split("use at most ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let output = load(suggested);
    assert_eq!(json(&output)["errors"], 0, "{suggested} connections: {}", stderr(&output));
}

/// A failure of the suite to open a connection would look like a refusal by the server.
#[test]
fn conformance_beyond_the_descriptor_limit_is_rejected() {
    for (suite, code) in
        [(&["conform", "--target", "http://127.0.0.1:1"][..], 2), (&["compare", "--schemes", "jwt-hs256"], 1)]
    {
        let dir = TestDir::new();
        let mut suite = command(suite);
        suite.current_dir(dir.path());
        let output = limited("-n 64", &suite).current_dir(dir.path()).output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        assert!(printed.contains("connections at once") && printed.contains("ulimit"), "{printed}");
    }
}

#[test]
fn soft_descriptor_limit_is_raised() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let server = server("anonymous", &dir, None);
    let more = ["--users", "100", "--duration", "500ms", "--population", "10"];
    let output = limited("-Sn 64", &load(&dir, &server.base_url(), &more)).output().unwrap();
    assert_eq!(json(&output)["errors"], 0, "{}", stderr(&output));
}

/// Returns a valid response, after which the connection is closed.
fn closing_response() -> Vec<u8> {
    response("200 OK\r\nconnection: close", r#"{"username":"user-000000"}"#)
}

/// The limit is lowered during a load that opens a connection for every request, and raised again before the record is
/// written.
#[test]
fn exhausted_descriptors_are_a_fault_of_the_generator() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let last = Arc::new(Mutex::new(None));
    let seen = last.clone();
    let target = Target::with_handler(move |request, stream| match request.line.as_str() {
        "POST /bench/mint" => stream.write_all(&minted(request)).is_ok(),
        "GET /me" => {
            *seen.lock().unwrap() = Some(Instant::now());
            stream.write_all(&closing_response()).ok();
            false
        }
        _ => stream.write_all(&response("404 Not Found", "")).is_ok(),
    });
    let more = ["--users", "4", "--duration", "3s", "--population", "1"];
    let load = start(load(&dir, &target.base_url, &more));
    let soft_limit = |descriptors: &str| {
        let pid = load.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={descriptors}:")]).status();
        assert!(set.unwrap().success(), "prlimit is there and sets the limit");
    };
    wait_until("the load begins", Duration::from_secs(30), || target.count("GET /me") > 20);
    soft_limit("4");
    let no_requests = || last.lock().unwrap().is_some_and(|last: Instant| last.elapsed() > Duration::from_millis(500));
    wait_until("no request arrives any more", Duration::from_secs(30), no_requests);
    soft_limit("1024");
    let output = load.wait_with_output().unwrap();
    let result = json(&output);
    assert_eq!(output.status.code(), Some(12), "{result}");
    assert!(result["validity"]["faults"].as_array().unwrap().contains(&json!("generator-exhausted")), "{result}");
    let reasons = result["validity"]["reasons"].to_string();
    assert!(reasons.contains("could not send") && reasons.contains("EMFILE"), "{reasons}");
    assert!(!reasons.contains("requests failed") && !reasons.contains("refused"), "{reasons}");
    // The interval between attempts doubles up to a second: within 3 s at most 10 of each user.
    assert!(result["errors"].as_u64().unwrap() <= 40, "{result}");
}

/// Sends an endless body until the client disconnects, and counts its bytes.
fn send_endless_body(stream: &mut std::net::TcpStream, sent: &AtomicU64) -> bool {
    let chunk = [b"10000\r\n".as_slice(), &vec![b'a'; 0x1_0000], b"\r\n"].concat();
    let mut alive = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_ok();
    while alive {
        alive = stream.write_all(&chunk).is_ok();
        sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    false
}

/// Sends an endless head until the client disconnects, and counts its bytes.
fn send_endless_head(stream: &mut std::net::TcpStream, sent: &AtomicU64) -> bool {
    let header = format!("x-a: {}\r\n", "a".repeat(1 << 13)).into_bytes();
    let mut alive = stream.write_all(b"HTTP/1.1 200 OK\r\n").is_ok();
    while alive {
        alive = stream.write_all(&header).is_ok();
        sent.fetch_add(header.len() as u64, Ordering::Relaxed);
    }
    false
}

/// The most bytes of a connection beyond those read: both kernel buffers, at their largest.
const BUFFERED: u64 = 16 << 20;

#[test]
fn endless_body_is_aborted_and_counts_as_a_failed_request() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let sent = Arc::<AtomicU64>::default();
    let sending = sent.clone();
    let target = Target::with_handler(move |request, stream| match (request.line.as_str(), request.before) {
        ("POST /bench/mint", _) => stream.write_all(&minted(request)).is_ok(),
        // The first is checked before the load.
        ("GET /me", before) if before >= 3 && before % 8 == 3 => send_endless_body(stream, &sending),
        ("GET /me", _) => stream.write_all(&first_user_response()).is_ok(),
        _ => stream.write_all(&response("404 Not Found", "")).is_ok(),
    });
    let more = ["--rate", "16", "--arrivals", "fixed", "--duration", "2s", "--population", "1"];
    let output = start(load(&dir, &target.base_url, &more)).wait_with_output().unwrap();
    let result = json(&output);
    let reasons = result["validity"]["reasons"].to_string();
    assert!(reasons.contains("response larger than 1 MiB"), "{result}");
    let errors = result["errors"].as_u64().unwrap();
    assert_eq!(errors, 4, "{result}");
    let bytes = sent.load(Ordering::Relaxed);
    assert!(bytes < errors * ((1 << 20) + BUFFERED), "{bytes} bytes were taken");
}

#[test]
fn endless_response_before_the_load_is_an_error() {
    let _lock = exclusive();
    // The load continues without the routes below /bench/, with the next request that this target does not support.
    let lines: [(&str, &[&str]); 3] = [
        ("GET /bench/scheme", &["404"]),
        ("POST /bench/mint", &["does not mint credentials (more than"]),
        ("GET /me", &["response larger than", "message head is too large"]),
    ];
    let endless_responses: [fn(&mut std::net::TcpStream, &AtomicU64) -> bool; 2] =
        [send_endless_body, send_endless_head];
    for ((line, words), respond) in lines.into_iter().flat_map(|line| endless_responses.map(|endless| (line, endless)))
    {
        let dir = TestDir::new();
        let sent = Arc::<AtomicU64>::default();
        let sending = sent.clone();
        let target = Target::with_handler(move |request, stream| match request.line.as_str() {
            wanted if wanted == line => respond(stream, &sending),
            "POST /bench/mint" => stream.write_all(&minted(request)).is_ok(),
            _ => stream.write_all(&response("404 Not Found", "")).is_ok(),
        });
        let more = ["--rate", "10", "--duration", "1s", "--population", "1"];
        let output = start(load(&dir, &target.base_url, &more)).wait_with_output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {printed}");
        let why = words.iter().any(|why| printed.contains(why));
        assert!(why && !printed.contains("check that the server is running"), "{line}: {printed}");
        let bytes = sent.load(Ordering::Relaxed);
        assert!(bytes < (2 << 20) + BUFFERED, "{line}: {bytes} bytes were taken");
    }
}

#[test]
fn credential_with_invalid_headers_is_an_error() {
    let _lock = exclusive();
    let many: serde_json::Map<_, _> = (0..40_000).map(|number| (format!("x-{number}"), json!("a"))).collect();
    let cases = [
        (json!(many), "40000 headers"),
        (json!({ "x y": "a" }), "\"x y\""),
        (json!({ "authorization": "Bearer a\r\nx: y" }), "\"authorization\""),
    ];
    for (headers, word) in cases {
        let dir = TestDir::new();
        let target = Target::with_handler(move |request, stream| {
            let minted = || minted_with_headers(request, &headers);
            let response = if request.line == "POST /bench/mint" { minted() } else { response("404 Not Found", "") };
            stream.write_all(&response).is_ok()
        });
        let more = ["--rate", "10", "--duration", "1s", "--population", "1"];
        let output = start(load(&dir, &target.base_url, &more)).wait_with_output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{word}: {printed}");
        assert!(printed.contains(word) && !printed.contains("panicked"), "{word}: {printed}");
    }
}

#[test]
fn plans_beyond_the_limits_are_usage_errors() {
    let dir = TestDir::new();
    let expect_usage_error = |more: &[&str], word: &str| {
        let output = load(&dir, "http://127.0.0.1:1", more).output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {printed}");
        assert!(printed.contains(word), "{more:?}: {printed}");
    };
    expect_usage_error(
        &["--rate", "5", "--duration", "1s", "--population", "1000000000"],
        "the population is 1000000000",
    );
    expect_usage_error(
        &["--rate", "5", "--duration", "1s", "--connections", "4000000000"],
        "the number of connections is 4000000000",
    );
    expect_usage_error(&["--users", "4000000000", "--duration", "1s"], "the number of connections is 4000000000");
    expect_usage_error(&["--rate", "1e300", "--duration", "1s"], "the rate is 1");
    expect_usage_error(&["--rate", "5", "--duration", "1e9"], "the duration is 1000000000");
    expect_usage_error(&["--slo", "p99=10ms", "--population", "1000000000"], "the population is 1000000000");
    for (text, word) in [
        (
            "duration_s = 5\narrivals = { kind = \"closed\" }\npopulation = { size = 4000000000 }",
            "the population is 4000000000",
        ),
        (
            "duration_s = 86400\ninterval_s = 0.01\narrivals = { kind = \"closed\" }",
            "the number of intervals is 8640000",
        ),
    ] {
        let plan = dir.file("plan.toml", text);
        expect_usage_error(&["--plan", plan.to_str().unwrap()], word);
    }
    assert!(!dir.run().exists(), "nothing was begun");
}
