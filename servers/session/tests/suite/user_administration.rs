//! What changes of a user revoke, on every scheme, and which requests may make them.

use contract::Carrier;
use serde_json::{Value, json};

use crate::testbed;
use testkit::backend::Backend;
use testkit::http::{Response, send, send_raw};
use testkit::privileged_writes::assert_changes_revoke_writes;
use testkit::redis::Redis;
use testkit::server::Server;

const NEW_PASSWORD: &str = "an entirely new password";

/// A client with a credential.
struct User<'s> {
    server: &'s Server,
    number: u32,
    header: (&'static str, String),
}

impl<'s> User<'s> {
    fn login(server: &'s Server, carrier: Carrier, number: u32) -> Self {
        Self::with(server, carrier, number, contract::user::PASSWORD).unwrap()
    }

    fn with(server: &'s Server, carrier: Carrier, number: u32, password: &str) -> Result<Self, u16> {
        let body = json!({ "username": contract::user::username(number), "password": password });
        let response = server.post_json("/login", &body);
        if response.status != 200 {
            return Err(response.status);
        }
        let header = match carrier {
            Carrier::Bearer => ("authorization", format!("Bearer {}", response.json()["token"].as_str().unwrap())),
            Carrier::Cookie => ("cookie", response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()),
        };
        Ok(Self { server, number, header })
    }

    fn send_request(&self, request_line: &str, body: &Value) -> Response {
        let headers = [
            (self.header.0, self.header.1.as_str()),
            ("content-type", "application/json"),
            ("origin", "https://localhost"),
        ];
        send(self.server.address, request_line, &headers, &body.to_string())
    }

    fn me(&self) -> u16 {
        self.server.get("/me", &[(self.header.0, &self.header.1)]).status
    }

    /// Returns which of the credentials issued before a change are still valid.
    #[track_caller]
    fn assert_revoked(&self) {
        let class = self.server.get("/bench/scheme", &[]).json()["revocation_class"].clone();
        let name = contract::user::username(self.number);
        assert_eq!(self.me(), if class == "expiry" { 200 } else { 401 }, "{name}, class {class}");
        assert_eq!(self.send_request("POST /refresh", &Value::Null).status, 401, "nothing of it is renewed");
    }
}

fn for_every_scheme(check: impl Fn(&Server, Carrier)) {
    for scheme in crate::STORED.into_iter().chain(["cookie-sealed"]) {
        let backend = Backend::of(testbed::scheme(scheme));
        for carrier in [Carrier::Bearer, Carrier::Cookie] {
            check(&testbed::server(&backend, scheme, &["--carrier", &carrier.to_string()]), carrier);
            // What one server has changed, the next would find: with a fresh store it finds the seed.
            if !matches!(backend, Backend::NoStore) {
                break;
            }
        }
    }
}

#[test]
fn password_change_revokes_earlier_sessions() {
    for_every_scheme(|server, carrier| {
        let (one, other) = (User::login(server, carrier, 1), User::login(server, carrier, 1));
        let wrong = one.send_request("POST /password", &json!({ "password": "wrong", "new_password": NEW_PASSWORD }));
        assert_eq!((wrong.status, one.me()), (401, 200));
        let old = contract::user::PASSWORD;
        let short = one.send_request("POST /password", &json!({ "password": old, "new_password": "too short" }));
        assert_eq!(short.status, 400);
        let bystander = User::login(server, carrier, 2);
        let changed = one.send_request("POST /password", &json!({ "password": old, "new_password": NEW_PASSWORD }));
        assert_eq!(changed.status, 204, "{changed:?}");
        one.assert_revoked();
        other.assert_revoked();
        assert_eq!(bystander.me(), 200);
        assert_eq!(User::with(server, carrier, 1, old).err(), Some(401));
        assert_eq!(User::with(server, carrier, 1, NEW_PASSWORD).unwrap().me(), 200);
        assert_eq!(User::with(server, carrier, 2, NEW_PASSWORD).err(), Some(401));
    });
}

#[test]
fn exactly_one_concurrent_password_change_succeeds() {
    const AT_ONCE: usize = 5;
    for_every_scheme(|server, carrier| {
        let users: Vec<_> = (0..AT_ONCE).map(|_| User::login(server, carrier, 1)).collect();
        let password = |n: usize| format!("{NEW_PASSWORD} {n}");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let changes: Vec<_> = users
                .iter()
                .enumerate()
                .map(|(n, user)| {
                    let body = json!({ "password": contract::user::PASSWORD, "new_password": password(n) });
                    scope.spawn(move || user.send_request("POST /password", &body).status)
                })
                .collect();
            changes.into_iter().map(|change| change.join().unwrap()).collect()
        });
        let winners: Vec<_> = (0..AT_ONCE).filter(|n| statuses[*n] == 204).collect();
        assert_eq!(winners.len(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [204, 401].contains(status)), "{statuses:?}");
        for n in 0..AT_ONCE {
            let rejected = User::with(server, carrier, 1, &password(n)).err();
            assert_eq!(rejected, (n != winners[0]).then_some(401), "password {n}");
        }
    });
}

#[test]
fn disabled_user_is_rejected_until_enabled() {
    for_every_scheme(|server, carrier| {
        let (admin, user) = (User::login(server, carrier, 0), User::login(server, carrier, 1));
        let change = |disabled: bool| json!({ "username": "user-000001", "disabled": disabled });
        assert_eq!(user.send_request("POST /admin/user", &change(true)).status, 403);
        assert_eq!(admin.send_request("POST /admin/user", &change(true)).status, 204);
        user.assert_revoked();
        assert_eq!(User::with(server, carrier, 1, contract::user::PASSWORD).err(), Some(401));
        assert_eq!(admin.send_request("POST /admin/user", &change(false)).status, 204);
        assert_eq!(User::login(server, carrier, 1).me(), 200);
        let unknown_user = json!({ "username": "user-999999", "disabled": true });
        assert_eq!(admin.send_request("POST /admin/user", &unknown_user).status, 404);
    });
}

#[test]
fn roles_are_those_of_the_last_change() {
    for_every_scheme(|server, carrier| {
        let admin = User::login(server, carrier, 0);
        let user = User::login(server, carrier, 1);
        let promote = json!({ "username": "user-000001", "roles": ["admin", "auditor"] });
        assert_eq!(admin.send_request("POST /admin/user", &promote).status, 204);
        user.assert_revoked();
        let promoted = User::login(server, carrier, 1);
        let header = (promoted.header.0, promoted.header.1.as_str());
        assert_eq!(server.get("/admin", &[header]).json()["roles"], json!(["admin", "auditor"]));
        let demote = json!({ "username": "user-000001", "roles": [] });
        assert_eq!(admin.send_request("POST /admin/user", &demote).status, 204);
        promoted.assert_revoked();
        let demoted = User::login(server, carrier, 1);
        assert_eq!(server.get("/admin", &[(demoted.header.0, &demoted.header.1)]).status, 403);
    });
}

#[test]
fn user_change_at_one_node_blocks_writes_at_the_other() {
    for scheme in crate::STORED.into_iter().filter(|scheme| *scheme != "session-memory") {
        let backend = Backend::of(testbed::scheme(scheme));
        let node = || testbed::server(&backend, scheme, &[]);
        assert_changes_revoke_writes(&node(), &node());
    }
}

#[test]
fn sealed_session_cannot_write_after_a_user_change_at_another_node() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, [7; 32]).unwrap();
    let shared = ["--scheme", "cookie-sealed", "--sealing-key-file", file.to_str().unwrap()];
    let directory = ["--redis-url", &redis.url()];
    let node = || Server::start(crate::BINARY, &[&shared[..], &directory].concat());
    assert_changes_revoke_writes(&node(), &node());
}

#[test]
fn cross_site_state_change_by_cookie_is_rejected() {
    let server = Server::start(crate::BINARY, &["--carrier", "cookie"]);
    let user = User::login(&server, Carrier::Cookie, 1);
    let cookie = (user.header.0, user.header.1.as_str());
    for path in ["/logout", "/logout-all", "/refresh", "/password", "/admin/user"] {
        let foreign: [&[(&str, &str)]; 5] = [
            &[cookie],
            &[cookie, ("origin", "https://evil.test")],
            &[cookie, ("origin", "null")],
            &[cookie, ("sec-fetch-site", "cross-site")],
            &[cookie, ("sec-fetch-site", "same-site"), ("origin", "https://localhost")],
        ];
        for headers in foreign {
            let rejected = server.post(path, headers);
            assert_eq!(rejected.status, 403, "{path} {headers:?}");
            assert_eq!(rejected.json()["type"], "urn:authbench:problem:cross-site");
        }
    }
    assert_eq!(user.me(), 200, "nothing of that has happened");
    let body = json!({ "username": "user-000001", "password": contract::user::PASSWORD }).to_string();
    let json = ("content-type", "application/json");
    let planted = send(server.address, "POST /login", &[json, ("origin", "https://evil.test")], &body);
    assert_eq!((planted.status, planted.header("set-cookie")), (403, None), "a cross-site login issues no session");
    assert_eq!(server.post("/logout", &[cookie, ("sec-fetch-site", "same-origin")]).status, 204);
}

#[test]
fn a_default_port_is_the_same_origin_with_and_without_its_number() {
    let server = Server::start(crate::BINARY, &["--carrier", "cookie"]);
    for (host, origin, status) in [
        ("h:443", "https://h", 204),
        ("h", "https://h:443", 204),
        ("h:80", "http://h", 204),
        ("h", "http://h:80", 204),
        ("h:8443", "https://h:8443", 204),
        ("[::1]:443", "https://[::1]", 204),
        ("h:8443", "https://h", 403),
        ("h", "https://h:8443", 403),
        ("h:80", "https://h", 403),
        ("h", "https://h:", 403),
        ("h", "https://h:443x", 403),
        ("h", "https://[h", 403),
    ] {
        let user = User::login(&server, Carrier::Cookie, 1);
        let (name, value) = user.header;
        let request = format!(
            "POST /logout HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\n{name}: {value}\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(send_raw(server.address, request.as_bytes()).status, status, "Host: {host}, Origin: {origin}");
    }
}

#[test]
fn bearer_request_needs_no_origin() {
    let server = Server::start(crate::BINARY, &[]);
    let user = User::login(&server, Carrier::Bearer, 1);
    let headers = [("authorization", user.header.1.as_str()), ("origin", "https://evil.test")];
    assert_eq!(server.post("/logout", &headers).status, 204);
}

#[test]
fn guessing_is_throttled_for_known_and_unknown_names_alike() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    for name in ["user-000001", "nobody"] {
        let guess = json!({ "username": name, "password": "wrong" });
        for attempt in 0..10 {
            assert_eq!(server.post_json("/login", &guess).status, 401, "{name}, guess {attempt}");
        }
        let throttled = server.post_json("/login", &guess);
        assert_eq!(throttled.status, 429);
        let wait_s: u64 = throttled.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait_s), "{wait_s}");
        assert_eq!(throttled.json()["type"], "urn:authbench:problem:too-many-attempts");
    }
    assert_eq!(server.login(1).status, 429, "the right password neither, or guessing would go on");
    assert_eq!(server.login(2).status, 200);
    assert_eq!(server.post_json("/bench/clock", &json!({ "advance_s": 30 })).status, 200);
    assert_eq!(server.login(1).status, 200);
}

#[test]
fn concurrent_guesses_are_mostly_rejected_without_hashing() {
    let server = Server::start(crate::BINARY, &["--bench"]);
    let guess = json!({ "username": "user-000001", "password": "wrong" });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..60).map(|_| scope.spawn(|| server.post_json("/login", &guess).status)).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let hashed = statuses.iter().filter(|status| **status == 401).count();
    let parallelism = std::thread::available_parallelism().unwrap().get();
    assert!((10..10 + parallelism).contains(&hashed), "{hashed} of 60");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 60 - hashed);
}
