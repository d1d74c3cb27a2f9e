//! A target that fails the first request: it is not loaded, and the request and the response are shown.

use std::io::Write as _;

use crate::support::{TestDir, exclusive, json, load, start, stderr};
use crate::target::{Request, TOKEN, Target, first_user_response, minted, response};

/// Loads that send in different ways.
const LOADS: [&[&str]; 3] = [
    &["--rate", "100", "--duration", "20s", "--population", "1"],
    &["--users", "4", "--duration", "20s", "--population", "1"],
    &["--slo", "p99=10ms", "--population", "1"],
];

/// Runs a load that has to end after `request` was sent once, and returns its stderr.
#[track_caller]
fn expect_preflight_failure(target: &Target, more: &[&str], request: &str) -> String {
    let dir = TestDir::new();
    let output = start(load(&dir, &target.base_url, more)).wait_with_output().unwrap();
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{more:?}: {printed}");
    assert_eq!(target.count(request), 1, "{more:?}: the load was not sent");
    assert!(
        printed.contains(&format!("sent:     {}", request.replacen(' ', &format!(" {}", target.base_url), 1))),
        "{printed}"
    );
    printed
}

fn reject_request(request: &Request) -> Vec<u8> {
    match request.line.as_str() {
        "GET /bench/scheme" => response("404 Not Found", ""),
        _ => response("401 Unauthorized", "{\"title\":\"no \u{1b}[2Jsuch session\"}"),
    }
}

#[test]
fn target_that_rejects_its_own_credentials_is_not_loaded() {
    let _lock = exclusive();
    for more in LOADS {
        let printed = expect_preflight_failure(&Target::responding(reject_request), more, "GET /me");
        assert!(printed.contains("authorization: Bearer eyJh… (58 characters)"), "{printed}");
        assert!(!printed.contains(TOKEN) && !printed.contains("c2VjcmV0"), "the credential is not shown: {printed}");
        assert!(printed.contains("received: 401 Unauthorized") && printed.contains("such session"), "{printed}");
        assert!(printed.contains("expected: status 200, and user-000000 in the body"), "{printed}");
        assert!(!printed.contains('\u{1b}') && printed.contains("\\u{1b}[2J"), "{printed}");
    }
}

#[test]
fn every_kind_of_wrong_response_is_shown() {
    let _lock = exclusive();
    let cases = [
        ("500 Internal Server Error", "{}", "received: 500 Internal Server Error"),
        ("302 Found\r\nlocation: /login", "", "location: /login"),
        ("200 OK", r#"{"username":"user-000007"}"#, "user-000007"),
        ("200 OK\r\nset-cookie: id=0123456789abcdef; Path=/", "", "set-cookie: id=0123… (16 characters); Path=/"),
    ];
    for (status, body, expected) in cases {
        let target = Target::responding(move |request| match request.line.as_str() {
            "GET /me" => response(status, body),
            _ => response("404 Not Found", ""),
        });
        let printed = expect_preflight_failure(&target, LOADS[0], "GET /me");
        assert!(printed.contains(expected), "{printed}");
    }
    let disconnecting = Target::with_handler(|request, stream| match request.line.as_str() {
        "POST /bench/mint" => stream.write_all(&minted(request)).is_ok(),
        "GET /me" => false,
        _ => stream.write_all(&response("404 Not Found", "")).is_ok(),
    });
    let printed = expect_preflight_failure(&disconnecting, LOADS[0], "GET /me");
    assert!(printed.contains("received: nothing: "), "{printed}");
}

#[test]
fn plan_sets_the_expected_status() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let plan = dir.file(
        "plan.toml",
        "duration_s = 0.5\narrivals = { kind = \"closed\" }\nconnections = 2\npopulation = { size = 1 }\nexpected_status = 401\n",
    );
    let more = ["--plan", plan.to_str().unwrap()];
    let output = start(load(&dir, &Target::responding(reject_request).base_url, &more)).wait_with_output().unwrap();
    assert_eq!(json(&output)["errors"], 0, "{}", stderr(&output));
    let accepting = Target::responding(|request| match request.line.as_str() {
        "GET /me" => first_user_response(),
        _ => response("404 Not Found", ""),
    });
    let printed = expect_preflight_failure(&accepting, &more, "GET /me");
    assert!(printed.contains("received: 200 OK") && printed.contains("expected: status 401"), "{printed}");
}

#[test]
fn journey_with_a_failing_login_does_not_begin() {
    let _lock = exclusive();
    let dir = TestDir::new();
    let plan = dir.file(
        "journey.toml",
        "duration_s = 20\narrivals = { kind = \"closed\" }\nconnections = 2\nmix = { kind = \"journey\", reads = 1 }\n",
    );
    for (status, body) in [("401 Unauthorized", "{}"), ("200 OK", r#"{"token":"0123456789abcdef"}"#)] {
        let target = Target::responding(move |request| match request.line.as_str() {
            "POST /login" => response(status, body),
            _ => response("404 Not Found", ""),
        });
        let printed = expect_preflight_failure(&target, &["--plan", plan.to_str().unwrap()], "POST /login");
        assert!(
            printed.contains("the password of user-000000") && !printed.contains(contract::user::PASSWORD),
            "{printed}"
        );
        assert!(printed.contains(status) && !printed.contains("0123456789abcdef"), "{printed}");
    }
}
