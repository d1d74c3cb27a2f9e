//! A store that is full, read-only, or has closed its connections: rows 19 and 25 of the security table.

use crate::testbed;
use testkit::backend::Backend;
use testkit::http::Response;
use testkit::server::Server;
use testkit::store_faults::Servers;

const OVER_REDIS: [&str; 4] = ["session-redis", "session-redis-pool", "session-redis-cached", "session-redis-cluster"];

/// Two servers whose sessions are touched every second.
fn nodes(backend: &Backend, scheme: &str) -> [Server; 2] {
    let flags = ["--bench", "--workers", "1", "--touch", "throttled", "--touch-interval-s", "1"];
    [testbed::server(backend, scheme, &flags), testbed::server(backend, scheme, &flags)]
}

#[test]
fn full_redis_rejects_logins_and_allows_revocations() {
    for scheme in OVER_REDIS {
        let backend = Backend::of(testbed::scheme(scheme));
        let [first, second] = nodes(&backend, scheme);
        Servers::new(scheme, &first, &second).check_revocation_at_memory_limit(&backend);
    }
}

#[test]
fn first_request_after_closed_connections_succeeds() {
    for scheme in OVER_REDIS.into_iter().chain(["session-postgres"]) {
        let backend = Backend::of(testbed::scheme(scheme));
        let [first, second] = nodes(&backend, scheme);
        Servers::new(scheme, &first, &second).check_service_after_lost_connections(&backend);
    }
}

/// A database that rejects writes cannot revoke a session either: then no response claims that it has.
#[test]
fn read_only_postgres_serves_reads_and_reports_no_logout() {
    for touch in ["throttled", "always"] {
        let backend = Backend::of(testbed::scheme("session-postgres"));
        let flags = ["--bench", "--workers", "1", "--touch", touch, "--touch-interval-s", "1"];
        let server = testbed::server(&backend, "session-postgres", &flags);
        let Backend::Postgres(postgres) = &backend else { panic!("no PostgreSQL") };
        let authorization = format!("Bearer {}", server.login(1).json()["token"].as_str().unwrap());
        let headers = [("authorization", authorization.as_str())];
        postgres.set_read_only(true);
        server.post_json("/bench/clock", &serde_json::json!({ "advance_s": 5 }));
        assert_eq!(server.get("/me", &headers).status, 200, "{touch}: a read needs no write");
        for path in ["/logout", "/logout-all", "/refresh"] {
            assert_not_writable(&server.post(path, &headers));
        }
        assert_not_writable(&server.login(1));
        assert_not_writable(&server.get("/readyz", &[]));
        assert_eq!(server.get("/me", &headers).status, 200, "{touch}: what was not ended is good");
        postgres.set_read_only(false);
        assert_eq!(server.get("/readyz", &[]).status, 200);
        assert_eq!(server.post("/logout", &headers).status, 204);
        assert_eq!(server.get("/me", &headers).status, 401);
    }
}

/// A full disk rejects a row that needs a new page. Here a trigger rejects the rows of sessions, and the row
/// with which the server checks the database still fits, as happens on a full disk.
#[test]
fn full_postgres_disk_rejects_logins_and_allows_revocations() {
    let backend = Backend::of(testbed::scheme("session-postgres"));
    let server = testbed::server(&backend, "session-postgres", &["--workers", "1"]);
    let Backend::Postgres(postgres) = &backend else { panic!("no PostgreSQL") };
    let login = || format!("Bearer {}", server.login(1).json()["token"].as_str().unwrap());
    let (left, left_everywhere) = (login(), login());
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON authbench_sessions FOR EACH ROW WHEN (NEW.user_number >= 0)
        EXECUTE FUNCTION refuse()";
    postgres.query(refuse).unwrap();
    assert_not_writable(&server.login(1));
    assert_not_writable(&server.get("/readyz", &[]));
    for (path, token) in [("/logout", &left), ("/logout-all", &left_everywhere)] {
        let headers = [("authorization", token.as_str())];
        assert_eq!(server.get("/me", &headers).status, 200, "{path}");
        assert_eq!(server.post(path, &headers).status, 204, "{path}");
        assert_eq!(server.get("/me", &headers).status, 401, "{path}");
    }
    postgres.query("DROP TRIGGER full_disk ON authbench_sessions").unwrap();
    assert_eq!(server.login(1).status, 200);
    assert_eq!(server.get("/readyz", &[]).status, 200);
}

#[track_caller]
fn assert_not_writable(response: &Response) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.json()["type"], "urn:authbench:problem:store-not-writable");
    assert_eq!(response.header("retry-after"), Some("1"));
}
