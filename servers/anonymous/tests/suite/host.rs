//! `Host`: demanded of every request (RFC 9112 section 3.2), and of loopback where a load test is served.

use testkit::http::{Response, send_raw};
use testkit::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends a request of this version with these header lines and no other.
fn send_request(server: &Server, line: &str, version: &str, headers: &[&str], body: &str) -> Response {
    let (line, length) = (format!("{line} {version}"), format!("content-length: {}", body.len()));
    let lines = [&[line.as_str()], headers, &[&length, "connection: close", "", body]].concat();
    send_raw(server.address, lines.join("\r\n").as_bytes())
}

#[test]
fn request_without_exactly_one_valid_host_is_rejected() {
    let server = Server::start(crate::BINARY, &[]);
    let me = |version, headers: &[&str]| send_request(&server, "GET /me", version, headers, "");
    for sound in ["host: localhost", "Host: h:8080", "host: [::1]:8080", "host: a_b.example:"] {
        assert_eq!(me("HTTP/1.1", &[sound]).status, 200, "{sound}");
    }
    assert_eq!(me("HTTP/1.0", &[]).status, 200, "HTTP/1.0 may omit it");
    let malformed = ["host:", "host: h:x", "host: h h", "host: h/", "host: u@h", "host: [::1", "host: h:80:80"];
    let twice = ["host: localhost", "host: localhost"];
    for wrong in malformed.iter().map(std::slice::from_ref).chain([&[][..], &twice]) {
        let response = me("HTTP/1.1", wrong);
        assert_eq!(
            (response.status, response.header("content-type")),
            (400, Some("application/problem+json")),
            "{wrong:?}"
        );
        assert_eq!(response.json()["type"], "urn:authbench:problem:malformed-request");
    }
    assert_eq!(me("HTTP/1.0", &twice).status, 400);
    for (target, status) in
        [("http://localhost/me", 200), ("http://LOCALHOST:80/me", 200), ("http://elsewhere/me", 400)]
    {
        let found = send_request(&server, &format!("GET {target}"), "HTTP/1.1", &["host: localhost"], "").status;
        assert_eq!(found, status, "{target}: a target in absolute form names its host");
    }
    assert_eq!(send_request(&server, "GET /nowhere", "HTTP/1.1", &[], "").status, 400, "on every path");
    let counted = r#"authbench_http_requests_total{route="/me",status="400"} 11"#;
    let metrics = server.get("/metrics", &[]).body;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
}

#[test]
fn bench_routes_reject_requests_from_web_pages() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    let port = server.address.port();
    let own = format!("host: 127.0.0.1:{port}");
    let with = |path: &str, body: &str, headers: &[&str]| {
        let json = format!("{}: {}", JSON.0, JSON.1);
        send_request(&server, &format!("POST {path}"), "HTTP/1.1", &[&[json.as_str()], headers].concat(), body).status
    };
    // The control has no key, so that a rotation finds nothing.
    for (path, body, done) in [
        ("/bench/mint", r#"{"count":1,"first_user":0}"#, 200),
        ("/bench/clock", r#"{"advance_s":0}"#, 200),
        ("/bench/rotate", "{}", 404),
    ] {
        let local = ["host: localhost", "host: LOCALHOST:1", "host: 127.8.8.8", "host: [::1]:8080", own.as_str()];
        for host in local {
            assert_eq!(with(path, body, &[host]), done, "{path} {host}");
        }
        let page = format!("origin: http://127.0.0.1:{port}");
        assert_eq!(with(path, body, &[&own, &page, "sec-fetch-site: same-origin"]), done, "{path}, from its own page");
        assert_eq!(with(path, body, &[&own, "sec-fetch-site: none"]), done, "{path}");
        let foreign: [&[&str]; 7] = [
            &["host: evil.example"],
            &["host: localhost.evil.example"],
            &["host: 0.0.0.0"],
            &[&own, "origin: http://evil.example"],
            &[&own, "origin: http://127.0.0.1:1"],
            &[&own, "origin: null"],
            &[&own, "sec-fetch-site: cross-site"],
        ];
        for headers in foreign {
            assert_eq!(with(path, body, headers), 403, "{path} {headers:?}");
        }
        let plain =
            send_request(&server, &format!("POST {path}"), "HTTP/1.1", &[&own, "content-type: text/plain"], body);
        assert_eq!(plain.status, 415, "{path}, as a form of another site could send it");
        assert_eq!(
            send_request(&server, &format!("POST {path}"), "HTTP/1.1", &[&own], "").status,
            415,
            "{path} without a body"
        );
    }
}
