//! The twins, `session-server` and `jwt-server`, differ in their auth modules and nowhere else:
//! that difference is the experiment. `scripts/twin-diff.sh` shows it.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot continue")]

use std::path::{Path, PathBuf};

use contract::Carrier;
use testkit::http::{Response, send};
use testkit::program::program;
use testkit::server::Server;

const TWINS: [&str; 2] = ["session", "jwt"];

fn read(twin: &str, file: &str) -> String {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(servers.join(twin).join(file)).unwrap()
}

#[test]
fn mains_differ_only_in_the_module_name() {
    let [session, jwt] = TWINS.map(|twin| {
        let text = read(twin, "src/main.rs");
        let code: String = text.lines().filter(|line| !line.starts_with("//!")).collect();
        let (before, after) = code.split_once("chassis::main::<").unwrap();
        let (module, after) = after.split_once('>').unwrap();
        assert!(module.starts_with(&format!("{twin}::")), "{module}");
        format!("{before}{after}")
    });
    assert_eq!(session, jwt);
}

#[test]
fn neither_serves_http_itself() {
    let [session, jwt] = TWINS.map(|twin| {
        let manifest: toml::Table = read(twin, "Cargo.toml").parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        for web in ["axum", "hyper", "hyper-util", "http", "tower", "tower-http", "tower-service", "prometheus-client"]
        {
            assert!(!dependencies.contains_key(web), "{twin} depends on {web}");
        }
        (dependencies["chassis"].clone(), dependencies["contract"].clone())
    });
    assert_eq!(session, jwt);
}

fn binaries() -> [PathBuf; 2] {
    TWINS.map(|twin| program(&format!("{twin}-server")))
}

/// A twin, and how a client of it sends the credential of this user.
struct Twin {
    server: Server,
    carrier: Carrier,
}

impl Twin {
    fn header(&self, user: u32) -> (&'static str, String) {
        let login = self.server.login(user);
        match self.carrier {
            Carrier::Bearer => ("authorization", format!("Bearer {}", login.json()["token"].as_str().unwrap())),
            Carrier::Cookie => ("cookie", login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()),
        }
    }

    /// Returns the response without its date, the only part that may differ from one instant to the next.
    fn send_request(&self, request_line: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut response = send(self.server.address, request_line, headers, body);
        response.headers.retain(|(name, _)| name != "date");
        response
    }

    fn send_as(&self, user: u32, request_line: &str) -> Response {
        self.send_from_origin(user, request_line, "http://localhost")
    }

    fn send_from_origin(&self, user: u32, request_line: &str, origin: &str) -> Response {
        let (name, value) = self.header(user);
        self.send_request(request_line, &[(name, &value), ("origin", origin)], "")
    }

    /// What must be the same, byte for byte and header by header.
    fn responses(&self) -> Vec<(&'static str, Response)> {
        let invalid = match self.carrier {
            Carrier::Bearer => ("authorization", "Bearer invalid"),
            Carrier::Cookie => ("cookie", "__Host-authbench=invalid"),
        };
        let both = [("authorization", "Bearer invalid"), ("cookie", "__Host-authbench=invalid")];
        let json = [("content-type", "application/json")];
        let wrong = r#"{"username":"user-000001","password":"wrong"}"#;
        vec![
            ("me", self.send_as(7, "GET /me")),
            ("admin, as admin", self.send_as(0, "GET /admin")),
            ("admin, as another", self.send_as(7, "GET /admin")),
            ("logout", self.send_as(7, "POST /logout")),
            ("logout of all", self.send_as(7, "POST /logout-all")),
            ("logout, from another origin", self.send_from_origin(7, "POST /logout", "https://elsewhere.test")),
            ("chain", self.send_as(7, "GET /chain")),
            ("chain, without a next hop", self.send_as(7, "GET /chain?hops=1")),
            ("change of a user, as another", self.send_as(7, "POST /admin/user")),
            ("change of a user, as admin, without a body", self.send_as(0, "POST /admin/user")),
            ("password, without a body", self.send_as(7, "POST /password")),
            ("me, without a credential", self.send_request("GET /me", &[], "")),
            ("me, with an invalid credential", self.send_request("GET /me", &[invalid], "")),
            ("me, twice", self.send_request("GET /me", &both, "")),
            ("refresh, with an invalid credential", self.send_request("POST /refresh", &[invalid], "")),
            ("wrong password", self.send_request("POST /login", &json, wrong)),
            ("malformed login", self.send_request("POST /login", &json, "{")),
            ("login without a type", self.send_request("POST /login", &[], wrong)),
            ("health", self.send_request("GET /healthz", &[], "")),
            ("readiness", self.send_request("GET /readyz", &[], "")),
            ("description", self.send_request("GET /openapi.json", &[], "")),
            ("nowhere", self.send_request("GET /nowhere", &[], "")),
            ("wrong method", self.send_request("DELETE /me", &[], "")),
        ]
    }
}

#[test]
fn twins_return_equal_responses() {
    let binaries = binaries();
    for carrier in [Carrier::Bearer, Carrier::Cookie] {
        let [session, jwt] = [0, 1].map(|twin| {
            let flags = ["--carrier", &carrier.to_string(), "--roles", "3"];
            Twin { server: Server::start(&binaries[twin], &flags), carrier }.responses()
        });
        for ((what, session), (_, jwt)) in session.into_iter().zip(jwt) {
            assert_eq!(session, jwt, "{what}, by {carrier}");
        }
    }
}

/// The same facts about the user travel both ways, so that the payloads are comparable.
#[test]
fn twins_issue_equal_logins_except_for_the_credential() {
    let [session, jwt] = binaries().map(|binary| {
        let response = Server::start(&binary, &["--credential-ttl-s", "900"]).login(7);
        let mut body = response.json();
        body["token"] = "credential".into();
        let names: Vec<_> = response.headers.into_iter().map(|(name, _)| name).collect();
        (response.status, names, body)
    });
    assert_eq!(session, jwt);
}
