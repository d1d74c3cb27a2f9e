//! The server's description of itself.

use serde_json::json;

use testkit::server::Server;

#[test]
fn the_scheme_is_described() {
    let server = Server::start(crate::BINARY, &["--node", "blue", "--carrier", "cookie", "--roles", "3"]);
    let expected = json!({
        "scheme": "anonymous", "carrier": "cookie", "revocation_class": null, "revocation_window_s": null,
        "store": "none", "store_down": "not-needed", "logout": null, "refresh_token": false, "inner_window_s": null, "credential_ttl_s": null, "absolute_ttl_s": null,
        "touch": null, "leeway_s": null, "node": "blue", "users": 100, "roles": 3,
        "version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(server.get("/bench/scheme", &[]).json(), expected);
}

#[test]
fn openapi_matches_the_routes() {
    let server = Server::start(crate::BINARY, &[]);
    let document = server.get("/openapi.json", &[]).json();
    assert_eq!(document["openapi"], "3.1.0");
    for route in contract::route::ALL {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {} is not described", route.method, route.path);
    }
}

#[test]
fn server_is_alive_and_ready() {
    let server = Server::start(crate::BINARY, &[]);
    for path in ["/healthz", "/readyz"] {
        let response = server.get(path, &[]);
        assert_eq!((response.status, response.body.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
    }
}

#[test]
fn requests_are_counted_by_route_and_status_and_unknown_paths_add_no_labels() {
    let server = Server::start(crate::BINARY, &[]);
    for _ in 0..3 {
        server.get("/me?token=in-the-query", &[("authorization", "Bearer in-the-header")]);
    }
    server.get("/admin", &[]);
    server.get("/one-stranger", &[]);
    server.get("/another-stranger", &[]);
    let response = server.get("/metrics", &[]);
    assert!(response.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in [
        r#"authbench_http_requests_total{route="/me",status="200"} 3"#,
        r#"authbench_http_requests_total{route="/admin",status="403"} 1"#,
        r#"authbench_http_requests_total{route="other",status="404"} 2"#,
        "# EOF",
    ] {
        assert!(response.body.lines().any(|own| own == line), "{line} is not in {}", response.body);
    }
    for secret in ["in-the-query", "in-the-header", "stranger"] {
        assert!(!response.body.contains(secret), "{secret}");
    }
}
