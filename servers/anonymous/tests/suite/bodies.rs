//! Response bodies, rejections and their problems.

use serde_json::json;

use testkit::http::{Response, send};
use testkit::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");

/// Returns the members of a problem, after the header that identifies it as one (RFC 9457 section 3).
#[track_caller]
fn assert_problem(response: &Response, status: u16, name: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let body = response.json();
    assert_eq!(body["type"], format!("urn:authbench:problem:{name}"));
    assert_eq!(body["status"], status);
    assert!(body["title"].is_string());
}

#[test]
fn control_authenticates_every_request_as_the_same_user() {
    let server = Server::start(crate::BINARY, &["--roles", "2"]);
    let user = json!({"id": 1, "username": "user-000001", "email": "user-000001@example.test", "roles": ["role-000", "role-001"]});
    assert_eq!(server.get("/me", &[]).json(), user);
    assert_eq!(server.get("/me", &[("authorization", "Bearer whatever")]).json(), user);
    assert_problem(&server.get("/admin", &[]), 403, "insufficient-role");
    assert_eq!(server.post("/refresh", &[]).json(), json!({"user": user, "expires_in": 0}));
    assert_eq!(server.post("/logout", &[]).status, 204);
    assert_eq!(server.post("/logout-all", &[]).status, 204);
}

#[test]
fn login_accepts_only_the_correct_password_and_issues_nothing() {
    let server = Server::start(crate::BINARY, &[]);
    let response = server.login(7);
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["user"]["username"], "user-000007");
    assert_eq!((response.json().get("token"), response.header("set-cookie")), (None, None));
    assert_eq!(response.header("cache-control"), Some("no-store"));

    let wrong = json!({"username": "user-000007", "password": "correct horse"});
    let rejected = server.post_json("/login", &wrong);
    assert_problem(&rejected, 401, "login-failed");
    assert_eq!(rejected.header("www-authenticate"), Some("Bearer"));
    for unknown_user in ["user-000100", "user-7", "root", ""] {
        let unknown = json!({"username": unknown_user, "password": contract::user::PASSWORD});
        assert_eq!(server.post_json("/login", &unknown).body, rejected.body, "{unknown_user:?}");
    }
}

#[test]
fn malformed_login_body_is_rejected_and_not_echoed() {
    let server = Server::start(crate::BINARY, &[]);
    let login = |headers: &[(&str, &str)], body: &str| send(server.address, "POST /login", headers, body);
    let secret = "hunter2";
    for body in [
        r#"{"username":"user-000001","password":hunter2}"#,
        r#"{"username":"user-000001","password":["hunter2"]}"#,
        r#"{"username":"user-000001","password":"hunter2","password":"hunter2"}"#,
        r#"{"username":"user-000001","password":"hunter2","admin":true}"#,
        r#"{"username":"user-000001"}"#,
        "hunter2",
        "[]",
    ] {
        let response = login(&[JSON], body);
        assert_problem(&response, 400, "malformed-request");
        assert!(!response.body.contains(secret), "{response:?}");
    }
    assert_problem(&login(&[("content-type", "text/plain")], "{}"), 415, "unsupported-media-type");
    assert_problem(&login(&[], "{}"), 415, "unsupported-media-type");
    let large = format!(r#"{{"username":"{}","password":""}}"#, "x".repeat(20_000));
    assert_problem(&login(&[JSON], &large), 413, "body-too-large");
}

#[test]
fn unknown_paths_and_methods_return_problems() {
    let server = Server::start(crate::BINARY, &[]);
    for path in ["/", "/me/", "/ME", "/users", "/bench/mint", "/.well-known/jwks.json"] {
        assert_problem(&server.get(path, &[]), 404, "not-found");
    }
    for (line, allowed) in [("POST /me", "GET,HEAD"), ("GET /login", "POST"), ("DELETE /logout", "POST")] {
        let response = send(server.address, line, &[], "");
        assert_problem(&response, 405, "method-not-allowed");
        assert_eq!(response.header("allow"), Some(allowed), "{line}");
    }
}
