//! A store that is full, read-only, or has closed its connections: rows 19 and 25 of the security table.

use crate::bed;
use crate::ground::Ground;
use crate::http::Answer;
use crate::redis_process::Redis;
use crate::server::Server;
use crate::store_faults::{Servers, TroubledStore};

const OVER_REDIS: [&str; 4] = ["session-redis", "session-redis-pool", "session-redis-cached", "session-redis-cluster"];

impl TroubledStore for Ground {
    fn refuse_memory(&self) {
        self.every_redis(&Redis::refuse_memory);
    }

    fn accept_memory(&self) {
        self.every_redis(&Redis::accept_memory);
    }

    fn held(&self) -> Vec<String> {
        let mut held = vec![];
        match self {
            Self::Redis(redis) => held.extend(redis.keys()),
            Self::Cluster(cluster) => held.extend(cluster.nodes.iter().flat_map(Redis::keys)),
            Self::Nothing | Self::Postgres(_) => panic!("no Redis"),
        }
        held
    }

    fn close_connections(&self) {
        match self {
            Self::Postgres(postgres) => postgres.close_clients(),
            _ => self.every_redis(&Redis::close_clients),
        }
    }
}

impl Ground {
    fn every_redis(&self, change: &dyn Fn(&Redis)) {
        match self {
            Self::Redis(redis) => change(redis),
            Self::Cluster(cluster) => cluster.nodes.iter().for_each(change),
            Self::Nothing | Self::Postgres(_) => panic!("no Redis"),
        }
    }
}

/// Two servers whose sessions are touched every second.
fn nodes(ground: &Ground, scheme: &str) -> [Server; 2] {
    let flags = ["--bench", "--workers", "1", "--touch", "throttled", "--touch-interval-s", "1"];
    [bed::server(ground, scheme, &flags), bed::server(ground, scheme, &flags)]
}

#[test]
fn full_redis_stores_no_login_and_ends_all() {
    for scheme in OVER_REDIS {
        let ground = Ground::of(bed::scheme(scheme));
        let [first, second] = nodes(&ground, scheme);
        Servers::new(scheme, &first, &second).end_logins_at_the_limit(&ground);
    }
}

#[test]
fn first_request_after_closed_connections_succeeds() {
    for scheme in OVER_REDIS.into_iter().chain(["session-postgres"]) {
        let ground = Ground::of(bed::scheme(scheme));
        let [first, second] = nodes(&ground, scheme);
        Servers::new(scheme, &first, &second).serve_after_lost_connections(&ground);
    }
}

/// A database that accepts no writes cannot end a session either: then no answer says that it has.
#[test]
fn read_only_postgres_serves_reads_and_reports_no_logout() {
    for touch in ["throttled", "always"] {
        let ground = Ground::of(bed::scheme("session-postgres"));
        let flags = ["--bench", "--workers", "1", "--touch", touch, "--touch-interval-s", "1"];
        let server = bed::server(&ground, "session-postgres", &flags);
        let Ground::Postgres(postgres) = &ground else { panic!("no PostgreSQL") };
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

/// What a full disk refuses is a row that needs a new page. Here a trigger refuses the rows of sessions, and the row
/// by which the server checks the database finds room, as happens on a full disk.
#[test]
fn full_disk_of_postgres_stores_no_login_and_ends_all() {
    let ground = Ground::of(bed::scheme("session-postgres"));
    let server = bed::server(&ground, "session-postgres", &["--workers", "1"]);
    let Ground::Postgres(postgres) = &ground else { panic!("no PostgreSQL") };
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
fn assert_not_writable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["type"], "urn:authbench:problem:store-not-writable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}
