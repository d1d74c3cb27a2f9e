//! A target that fails the first request: it is not loaded, and the request and the response are shown.

use std::io::Write as _;

use crate::support::{Place, alone, json, load, start, stderr};
use crate::target::{Request, TOKEN, Target, answer, first_user, minted};

/// Loads that send in different ways.
const LOADS: [&[&str]; 3] = [
    &["--rate", "100", "--duration", "20s", "--population", "1"],
    &["--users", "4", "--duration", "20s", "--population", "1"],
    &["--slo", "p99=10ms", "--population", "1"],
];

/// Runs a load that has to end after `request` was sent once, and returns its stderr.
#[track_caller]
fn fails(target: &Target, more: &[&str], request: &str) -> String {
    let place = Place::new();
    let output = start(load(&place, &target.base_url, more)).wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{more:?}: {said}");
    assert_eq!(target.count(request), 1, "{more:?}: the load was not sent");
    assert!(
        said.contains(&format!("sent:     {}", request.replacen(' ', &format!(" {}", target.base_url), 1))),
        "{said}"
    );
    said
}

fn wrong(request: &Request) -> Vec<u8> {
    match request.line.as_str() {
        "GET /bench/scheme" => answer("404 Not Found", ""),
        _ => answer("401 Unauthorized", "{\"title\":\"no \u{1b}[2Jsuch session\"}"),
    }
}

#[test]
fn target_that_rejects_its_own_credentials_is_not_loaded() {
    let _alone = alone();
    for more in LOADS {
        let said = fails(&Target::answering(wrong), more, "GET /me");
        assert!(said.contains("authorization: Bearer eyJh… (58 characters)"), "{said}");
        assert!(!said.contains(TOKEN) && !said.contains("c2VjcmV0"), "the credential is not shown: {said}");
        assert!(said.contains("received: 401 Unauthorized") && said.contains("such session"), "{said}");
        assert!(said.contains("expected: status 200, and user-000000 in the body"), "{said}");
        assert!(!said.contains('\u{1b}') && said.contains("\\u{1b}[2J"), "{said}");
    }
}

#[test]
fn every_kind_of_wrong_response_is_shown() {
    let _alone = alone();
    let cases = [
        ("500 Internal Server Error", "{}", "received: 500 Internal Server Error"),
        ("302 Found\r\nlocation: /login", "", "location: /login"),
        ("200 OK", r#"{"username":"user-000007"}"#, "user-000007"),
        ("200 OK\r\nset-cookie: id=0123456789abcdef; Path=/", "", "set-cookie: id=0123… (16 characters); Path=/"),
    ];
    for (status, body, shown) in cases {
        let target = Target::answering(move |request| match request.line.as_str() {
            "GET /me" => answer(status, body),
            _ => answer("404 Not Found", ""),
        });
        let said = fails(&target, LOADS[0], "GET /me");
        assert!(said.contains(shown), "{said}");
    }
    let hangs_up = Target::acting(|request, stream| match request.line.as_str() {
        "POST /bench/mint" => stream.write_all(&minted(request)).is_ok(),
        "GET /me" => false,
        _ => stream.write_all(&answer("404 Not Found", "")).is_ok(),
    });
    let said = fails(&hangs_up, LOADS[0], "GET /me");
    assert!(said.contains("received: nothing: "), "{said}");
}

#[test]
fn plan_sets_the_expected_status() {
    let _alone = alone();
    let place = Place::new();
    let plan = place.file(
        "plan.toml",
        "duration_s = 0.5\narrivals = { kind = \"closed\" }\nconnections = 2\npopulation = { size = 1 }\nexpected_status = 401\n",
    );
    let more = ["--plan", plan.to_str().unwrap()];
    let output = start(load(&place, &Target::answering(wrong).base_url, &more)).wait_with_output().unwrap();
    assert_eq!(json(&output)["errors"], 0, "{}", stderr(&output));
    let right = Target::answering(|request| match request.line.as_str() {
        "GET /me" => first_user(),
        _ => answer("404 Not Found", ""),
    });
    let said = fails(&right, &more, "GET /me");
    assert!(said.contains("received: 200 OK") && said.contains("expected: status 401"), "{said}");
}

#[test]
fn journey_with_a_failing_login_does_not_begin() {
    let _alone = alone();
    let place = Place::new();
    let plan = place.file(
        "journey.toml",
        "duration_s = 20\narrivals = { kind = \"closed\" }\nconnections = 2\nmix = { kind = \"journey\", reads = 1 }\n",
    );
    for (status, body) in [("401 Unauthorized", "{}"), ("200 OK", r#"{"token":"0123456789abcdef"}"#)] {
        let target = Target::answering(move |request| match request.line.as_str() {
            "POST /login" => answer(status, body),
            _ => answer("404 Not Found", ""),
        });
        let said = fails(&target, &["--plan", plan.to_str().unwrap()], "POST /login");
        assert!(said.contains("the password of user-000000") && !said.contains(contract::user::PASSWORD), "{said}");
        assert!(said.contains(status) && !said.contains("0123456789abcdef"), "{said}");
    }
}
