//! The schemes with a store as their clients see them: the responses of each, in either carrier, with Redis and without.

use contract::{Carrier, LogoutScope, Scheme, StoreDown};
use serde_json::json;

use testkit::http::{Response, send};
use testkit::redis::Redis;
use testkit::server::{Server, startup_error};

const SHARED: [&str; 4] = ["jwt-hs256-refresh", "jwt-eddsa-denylist", "jwt-es256-push", "jwt-rs256-epoch"];
const CARRIERS: [Carrier; 2] = [Carrier::Bearer, Carrier::Cookie];

/// A server and the carrier of its credentials.
struct Client {
    server: Server,
    scheme: Scheme,
    carrier: Carrier,
}

/// What a client holds after a login or a renewal.
struct IssuedTokens {
    token: String,
    refresh: Option<String>,
}

impl Client {
    fn start(scheme: &str, carrier: Carrier, redis: &Redis) -> Self {
        let flags = ["--scheme", scheme, "--carrier", &carrier.to_string(), "--redis-url", &redis.url()];
        let windows = ["--propagation-s", "10", "--epoch-ttl-s", "1"];
        let server = Server::start(crate::BINARY, &[&flags[..], &windows].concat());
        Self { server, scheme: scheme.parse().unwrap(), carrier }
    }

    fn issued_tokens(&self, response: &Response) -> IssuedTokens {
        assert_eq!(response.status, 200, "{}, {}: {response:?}", self.scheme, self.carrier);
        let body = response.json();
        let cookie = |name: &str| {
            let mut lines = response.headers.iter().filter(|(header, _)| header == "set-cookie").map(|(_, line)| line);
            let line = lines.find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.map(|rest| rest.split(';').next().unwrap().to_owned())
        };
        match self.carrier {
            Carrier::Bearer => IssuedTokens {
                token: body["token"].as_str().unwrap().to_owned(),
                refresh: body["refresh_token"].as_str().map(str::to_owned),
            },
            Carrier::Cookie => IssuedTokens {
                token: cookie(Carrier::COOKIE_NAME).unwrap(),
                refresh: cookie(Carrier::REFRESH_COOKIE_NAME),
            },
        }
    }

    fn login(&self, user: u32) -> IssuedTokens {
        self.issued_tokens(&self.server.login(user))
    }

    fn send_request(&self, request_line: &str, issued_tokens: &IssuedTokens) -> Response {
        let credential = match (self.carrier, &issued_tokens.refresh) {
            (Carrier::Bearer, _) => ("authorization", format!("Bearer {}", issued_tokens.token)),
            (Carrier::Cookie, None) => ("cookie", format!("__Host-authbench={}", issued_tokens.token)),
            (Carrier::Cookie, Some(refresh)) => {
                ("cookie", format!("__Host-authbench={}; __Host-authbench-refresh={refresh}", issued_tokens.token))
            }
        };
        let mut headers = vec![(credential.0, credential.1.as_str()), ("sec-fetch-site", "same-origin")];
        let mut body = String::new();
        if let (Carrier::Bearer, Some(refresh), "POST /refresh") = (self.carrier, &issued_tokens.refresh, request_line)
        {
            headers = vec![("content-type", "application/json")];
            body = json!({ "refresh_token": refresh }).to_string();
        }
        send(self.server.address, request_line, &headers, &body)
    }

    fn status(&self, request_line: &str, issued_tokens: &IssuedTokens) -> u16 {
        self.send_request(request_line, issued_tokens).status
    }
}

fn for_every_scheme(test: impl Fn(&Client)) {
    let redis = Redis::start();
    for scheme in SHARED {
        for carrier in CARRIERS {
            test(&Client::start(scheme, carrier, &redis));
        }
    }
}

#[test]
fn login_read_renewal_and_logout_work() {
    for_every_scheme(|client| {
        let (scheme, carrier) = (client.scheme, client.carrier);
        let first = client.login(1);
        assert_eq!(client.send_request("GET /me", &first).json()["username"], "user-000001");
        assert_eq!(client.status("GET /admin", &first), 403);
        let second = client.issued_tokens(&client.send_request("POST /refresh", &first));
        assert_ne!(first.token, second.token);
        assert_eq!(client.status("GET /me", &second), 200, "{scheme}, {carrier}");
        assert_eq!(client.status("POST /logout", &second), 204, "{scheme}, {carrier}");
        assert_eq!(client.status("POST /refresh", &second), 401, "{scheme}, {carrier}");
        // A short-lived token stays valid; anything else is rejected at once where it was revoked.
        let after = if second.refresh.is_some() { 200 } else { 401 };
        assert_eq!(client.status("GET /me", &second), after, "{scheme}, {carrier}");
    });
}

#[test]
fn logout_revokes_its_declared_scope_and_logout_all_the_rest() {
    for_every_scheme(|client| {
        let (one, other) = (client.login(2), client.login(2));
        assert_eq!(client.status("POST /logout", &one), 204);
        let renewed = client.send_request("POST /refresh", &other);
        let user_wide = client.scheme.logout() == Some(LogoutScope::User);
        assert_eq!(renewed.status, if user_wide { 401 } else { 200 }, "{}", client.scheme);
        let left = [client.login(2), client.login(2)];
        assert_eq!(client.status("POST /logout-all", &left[0]), 204);
        for issued_tokens in &left {
            assert_eq!(client.status("POST /refresh", issued_tokens), 401, "{}, {}", client.scheme, client.carrier);
        }
        let new = client.login(2);
        assert_eq!(client.status("GET /me", &new), 200);
    });
}

#[test]
fn disabled_user_is_rejected_and_has_new_roles_after_enabling() {
    for_every_scheme(|client| {
        let (admin, user) = (client.login(0), client.login(3));
        let change = |body: &serde_json::Value| {
            let headers = match client.carrier {
                Carrier::Bearer => ("authorization", format!("Bearer {}", admin.token)),
                Carrier::Cookie => ("cookie", format!("__Host-authbench={}", admin.token)),
            };
            let headers = [
                (headers.0, headers.1.as_str()),
                ("sec-fetch-site", "same-origin"),
                ("content-type", "application/json"),
            ];
            send(client.server.address, "POST /admin/user", &headers, &body.to_string()).status
        };
        assert_eq!(change(&json!({ "username": "user-000003", "disabled": true })), 204);
        assert_eq!(client.status("POST /refresh", &user), 401, "{}", client.scheme);
        assert_eq!(client.server.login(3).status, 401);
        assert_eq!(change(&json!({ "username": "user-000003", "disabled": false, "roles": ["admin"] })), 204);
        let user = client.login(3);
        assert_eq!(client.status("GET /admin", &user), 200, "{}", client.scheme);
        assert_eq!(change(&json!({ "username": "user-000003", "roles": ["role-000"] })), 204);
    });
}

/// 503 that clears no cookie: row 19 of the security table.
#[test]
fn outage_returns_503_and_clears_no_cookie() {
    for scheme in SHARED {
        for carrier in CARRIERS {
            let mut redis = Redis::start();
            let client = Client::start(scheme, carrier, &redis);
            let issued_tokens = client.login(1);
            redis.kill();
            for path in ["POST /refresh", "POST /logout", "POST /logout-all", "GET /readyz"] {
                let response = client.send_request(path, &issued_tokens);
                assert_eq!(response.status, 503, "{scheme}, {carrier}: {path}: {response:?}");
                assert_eq!(response.header("set-cookie"), None);
                assert_eq!(response.header("retry-after"), Some("1"));
            }
            assert_eq!(client.server.login(1).status, 503);
            assert_eq!(client.server.get("/healthz", &[]).status, 200);
            match client.scheme.store_down() {
                StoreDown::VerifyOnly => assert_eq!(client.status("GET /me", &issued_tokens), 200),
                StoreDown::FailClosed => assert_eq!(client.status("GET /me", &issued_tokens), 503),
                _ => assert!([200, 503].contains(&client.status("GET /me", &issued_tokens))),
            }
        }
    }
}

#[test]
fn descriptor_states_class_window_and_ttl() {
    let redis = Redis::start();
    for (scheme, class, window_s, ttl_s) in [
        ("jwt-hs256-refresh", "ttl", 300, 300),
        ("jwt-eddsa-denylist", "immediate", 0, 900),
        ("jwt-es256-push", "propagation", 10, 900),
        ("jwt-rs256-epoch", "ttl", 1, 900),
    ] {
        let client = Client::start(scheme, Carrier::Bearer, &redis);
        let descriptor = client.server.get("/bench/scheme", &[]).json();
        assert_eq!(descriptor["scheme"], scheme);
        assert_eq!(descriptor["revocation_class"], class);
        assert_eq!(descriptor["revocation_window_s"], window_s, "{scheme}");
        assert_eq!(descriptor["credential_ttl_s"], ttl_s, "{scheme}");
        assert_eq!(descriptor["refresh_token"], scheme.ends_with("-refresh"));
        assert_eq!(descriptor["store"], "redis");
    }
}

#[test]
fn server_does_not_start_with_invalid_settings() {
    for (arguments, code, words) in [
        (&["--scheme", "jwt-hs256-denylist"][..], 2, ["--redis-url", "jwt-hs256-denylist"]),
        (&["--scheme", "jwt-hs256-push", "--redis-url", "redis://127.0.0.1:1/0"], 1, ["127.0.0.1:1", "start it"]),
        (&["--propagation-s", "0"], 2, ["--propagation-s 0", "between 1 and 3600"]),
        (&["--epoch-ttl-s", "3601"], 2, ["--epoch-ttl-s 3601", "between 1 and 3600"]),
        (&["--refresh-grace-s", "3601"], 2, ["--refresh-grace-s 3601", "between 0 and 3600"]),
        (&["--carrier", "cookie", "--roles", "300"], 2, ["--roles 300", "4096 bytes"]),
    ] {
        let (ended, text) = startup_error(crate::BINARY, arguments);
        assert_eq!(ended, code, "{arguments:?}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    }
}
