//! The account routes over every store, by every carrier.

use contract::Carrier;
use serde_json::json;

use crate::STORED;
use crate::testbed;
use testkit::backend::Backend;
use testkit::http::Response;
use testkit::server::Server;

/// A client that keeps its credential as its carrier has it.
struct Client<'s> {
    server: &'s Server,
    carrier: Carrier,
    credential: String,
}

impl<'s> Client<'s> {
    fn login(server: &'s Server, carrier: Carrier, user: u32) -> Self {
        let mut client = Self { server, carrier, credential: String::new() };
        client.keep(&server.login(user));
        client
    }

    /// Stores the credential of this response, and checks that it came only in the carrier.
    fn keep(&mut self, response: &Response) {
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.json()["expires_in"], 1800);
        let (token, cookie) = (response.json()["token"].as_str().map(str::to_owned), response.header("set-cookie"));
        self.credential = match self.carrier {
            Carrier::Bearer => {
                assert_eq!(cookie, None);
                token.unwrap()
            }
            Carrier::Cookie => {
                assert_eq!(token, None);
                let (pair, attributes) = cookie.unwrap().split_once("; ").unwrap();
                // A session that slides may live to its absolute limit, so its cookie may too.
                assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200");
                pair.strip_prefix("__Host-authbench=").unwrap().to_owned()
            }
        };
    }

    fn header(&self) -> (&'static str, String) {
        match self.carrier {
            Carrier::Bearer => ("authorization", format!("Bearer {}", self.credential)),
            Carrier::Cookie => ("cookie", format!("theme=dark; __Host-authbench={}; lang=en", self.credential)),
        }
    }

    fn get(&self, path: &str) -> Response {
        let (name, value) = self.header();
        self.server.get(path, &[(name, &value)])
    }

    fn post(&self, path: &str) -> Response {
        let (name, value) = self.header();
        self.server.post(path, &[(name, &value), ("origin", "http://localhost")])
    }

    fn assert_rejected(&self) {
        let response = self.get("/me");
        let challenge = match self.carrier {
            Carrier::Bearer => r#"Bearer error="invalid_token""#,
            Carrier::Cookie => r#"Cookie cookie-name="__Host-authbench""#,
        };
        assert_eq!((response.status, response.header("www-authenticate")), (401, Some(challenge)));
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!(response.json()["type"], "urn:authbench:problem:invalid-credential");
        assert_eq!(response.header("set-cookie"), None);
    }
}

fn for_every_store_and_carrier(check: impl Fn(&Server, Carrier)) {
    for scheme in STORED {
        let backend = Backend::of(testbed::scheme(scheme));
        for carrier in [Carrier::Bearer, Carrier::Cookie] {
            let server = testbed::server(&backend, scheme, &["--carrier", &carrier.to_string(), "--bench"]);
            assert_eq!(server.ready["scheme"], scheme);
            check(&server, carrier);
        }
    }
}

#[test]
fn login_renewal_and_logout_work() {
    for_every_store_and_carrier(|server, carrier| {
        let mut client = Client::login(server, carrier, 7);
        let user =
            json!({"id": 7, "username": "user-000007", "email": "user-000007@example.test", "roles": ["role-000"]});
        assert_eq!(client.get("/me").json(), user);
        for path in ["/me", "/chain", "/admin", "/chain?hops=1"] {
            let kept = client.get(path);
            let forbidden = (carrier == Carrier::Cookie).then_some("no-store");
            assert_eq!(kept.header("cache-control"), forbidden, "{path}: a cache does not know about the cookie");
        }

        let old = Client { credential: client.credential.clone(), ..client };
        let renewed = old.post("/refresh");
        assert_eq!(renewed.json()["user"], user);
        client.keep(&renewed);
        assert_ne!(client.credential, old.credential);
        old.assert_rejected();

        let other_session = Client::login(server, carrier, 7);
        let logout = client.post("/logout");
        assert_eq!((logout.status, logout.body.as_str()), (204, ""));
        let cleared = "__Host-authbench=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
        assert_eq!(logout.header("set-cookie"), (carrier == Carrier::Cookie).then_some(cleared));
        client.assert_rejected();
        assert_eq!(client.post("/logout").status, 401);
        assert_eq!(other_session.get("/me").status, 200);

        let (third, other) = (Client::login(server, carrier, 7), Client::login(server, carrier, 8));
        assert_eq!(third.post("/logout-all").status, 204);
        other_session.assert_rejected();
        third.assert_rejected();
        assert_eq!(other.get("/me").status, 200);
    });
}

#[test]
fn admin_route_requires_the_role() {
    for_every_store_and_carrier(|server, carrier| {
        let admin = Client::login(server, carrier, 0);
        let shown = admin.get("/admin");
        assert_eq!(shown.json()["roles"], json!(["admin", "role-000"]));
        assert_eq!(shown.header("cache-control"), (carrier == Carrier::Cookie).then_some("no-store"));
        let ordinary = Client::login(server, carrier, 1).get("/admin");
        let challenge = (carrier == Carrier::Bearer).then_some(r#"Bearer error="insufficient_scope""#);
        assert_eq!((ordinary.status, ordinary.header("www-authenticate")), (403, challenge));
        assert_eq!(ordinary.json()["type"], "urn:authbench:problem:insufficient-role");
    });
}

#[test]
fn minted_credentials_work_unchanged() {
    for_every_store_and_carrier(|server, _| {
        let minted = server.post_json("/bench/mint", &json!({"count": 300, "first_user": 98})).json();
        let minted = minted["credentials"].as_array().unwrap();
        assert_eq!(minted.len(), 300);
        for (place, credential) in minted.iter().enumerate().step_by(37) {
            let headers = credential["headers"].as_object().unwrap();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            assert_eq!(headers.len(), 1);
            let response = server.get("/me", &headers);
            assert_eq!(response.json()["username"], credential["username"]);
            assert_eq!(response.json()["id"], (98 + place) % 100);
        }
    });
}

#[test]
fn the_scheme_is_described() {
    for_every_store_and_carrier(|server, carrier| {
        let descriptor = server.get("/bench/scheme", &[]).json();
        let (store, store_down, class, window_s) = match server.ready["scheme"].as_str().unwrap() {
            "session-memory" => ("memory", "not-needed", "immediate", 0),
            "session-redis-cached" => ("redis", "serve-cached", "propagation", 2),
            "session-redis-cluster" => ("redis-cluster", "fail-closed", "immediate", 0),
            "session-postgres" => ("postgres", "fail-closed", "immediate", 0),
            _ => ("redis", "fail-closed", "immediate", 0),
        };
        assert_eq!(descriptor["scheme"], server.ready["scheme"]);
        assert_eq!(descriptor["carrier"], carrier.to_string());
        assert_eq!(descriptor["revocation_class"], class);
        assert_eq!(descriptor["revocation_window_s"], window_s);
        assert_eq!(descriptor["store"], store);
        assert_eq!(descriptor["store_down"], store_down);
        assert_eq!(descriptor["logout"], "credential");
        assert_eq!(descriptor["credential_ttl_s"], 1800);
        assert_eq!(descriptor["absolute_ttl_s"], 43_200);
        assert_eq!(descriptor["touch"], "throttled");
    });
}
