//! Two servers of a scheme over one store, while the store is at its memory limit or read-only, and after it has closed
//! every connection. What is tested is what a client sees.

use std::time::{Duration, Instant};

use contract::Scheme;
use serde_json::json;

use crate::TIMEOUT;
use crate::backend::Backend;
use crate::http::{self, Response};
use crate::redis::Redis;
use crate::server::Server;

/// A store in which a test can cause faults.
pub trait FaultyStore {
    /// Rejects every command that could use memory from now on.
    fn reject_memory_use(&self);
    /// Accepts everything again.
    fn allow_memory_use(&self);
    /// Returns what it holds: the same before and after means that nothing was stored.
    fn stored_keys(&self) -> Vec<String>;
    /// Closes every connection of a server, as an idle timeout does.
    fn close_connections(&self);
}

impl FaultyStore for Redis {
    fn reject_memory_use(&self) {
        self.set("maxmemory", "1");
    }

    fn allow_memory_use(&self) {
        self.set("maxmemory", "0");
    }

    fn stored_keys(&self) -> Vec<String> {
        self.keys()
    }

    fn close_connections(&self) {
        self.close_clients();
    }
}

impl FaultyStore for Backend {
    fn reject_memory_use(&self) {
        nodes(self).iter().for_each(Redis::reject_memory_use);
    }

    fn allow_memory_use(&self) {
        nodes(self).iter().for_each(Redis::allow_memory_use);
    }

    fn stored_keys(&self) -> Vec<String> {
        nodes(self).iter().flat_map(Redis::keys).collect()
    }

    fn close_connections(&self) {
        match self {
            Self::Postgres(postgres) => postgres.close_clients(),
            _ => nodes(self).iter().for_each(Redis::close_clients),
        }
    }
}

fn nodes(backend: &Backend) -> &[Redis] {
    let nodes = backend.redis_nodes();
    assert!(!nodes.is_empty(), "no Redis");
    nodes
}

/// Two servers of a scheme over one store.
pub struct Servers<'s> {
    scheme: Scheme,
    first: &'s Server,
    second: &'s Server,
}

/// What a login gives: a bearer token, and a refresh token where the scheme has these.
struct Login {
    token: String,
    refresh_token: Option<String>,
}

impl<'s> Servers<'s> {
    /// Both have to serve this scheme with bearer tokens, `--bench`, and windows of a second.
    pub fn new(scheme: &str, first: &'s Server, second: &'s Server) -> Self {
        Self { scheme: scheme.parse().unwrap(), first, second }
    }

    fn login(&self, user: u32) -> Login {
        let response = self.first.login(user);
        assert_eq!(response.status, 200, "{}: {response:?}", self.scheme);
        let text = |name: &str| response.json()[name].as_str().map(str::to_owned);
        Login { token: text("token").unwrap(), refresh_token: text("refresh_token") }
    }

    /// Checks that the second server rejects a login within the scheme's window. With a refresh token that is what can
    /// be revoked, and a second use would revoke it too.
    #[track_caller]
    fn assert_revoked(&self, login: &Login, why: &str) {
        if login.refresh_token.is_some() {
            assert_eq!(refresh(self.second, login).status, 401, "{}: {why}", self.scheme);
            return;
        }
        let deadline = Instant::now() + TIMEOUT;
        while me(self.second, login).status != 401 {
            assert!(Instant::now() < deadline, "{}: {why}, but another node still accepts the login", self.scheme);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Row 25: no credential is issued that could not be stored, and every existing one can be revoked.
    pub fn check_revocation_at_memory_limit(&self, store: &impl FaultyStore) {
        let scheme = self.scheme;
        let [left, left_everywhere, read] = [1, 2, 3].map(|user| self.login(user));
        // Of another device of the user who logs out everywhere, and of a user who is to be disabled.
        let [device, disabled, admin] = [2, 4, 0].map(|user| self.login(user));
        store.reject_memory_use();
        let keys_before = store.stored_keys();
        assert_eq!(me(self.first, &read).status, 200, "{scheme}: a read writes nothing");
        // A session is touched on the way, which is not what the request is for.
        self.first.post_json("/bench/clock", &json!({ "advance_s": 5 }));
        assert_eq!(me(self.first, &read).status, 200, "{scheme}: a rejected touch does not fail the read");
        assert_not_writable(&self.first.login(5));
        assert_not_writable(&self.first.get("/readyz", &[]));
        // A renewed token without a refresh token is stored nowhere.
        if read.refresh_token.is_some() || scheme.kind().algorithm().is_none() {
            assert_not_writable(&refresh(self.first, &read));
        }
        assert_eq!(store.stored_keys(), keys_before, "{scheme}: a failed login leaves no keys");
        assert_eq!(post(self.first, "/logout", &left).status, 204, "{scheme}");
        self.assert_revoked(&left, "after a logout");
        assert_eq!(post(self.first, "/logout-all", &left_everywhere).status, 204, "{scheme}");
        self.assert_revoked(&left_everywhere, "after a logout-all");
        self.assert_revoked(&device, "after a logout-all");
        let change = json!({ "username": contract::user::username(4), "disabled": true });
        let authorization = format!("Bearer {}", admin.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let response = http::send(self.first.address, "POST /admin/user", &headers, &change.to_string());
        assert_eq!(response.status, 204, "{scheme}: a user is disabled: {response:?}");
        self.assert_revoked(&disabled, "after the user was disabled");
        store.allow_memory_use();
        assert_eq!(self.first.get("/readyz", &[]).status, 200, "{scheme}");
        assert_eq!(self.second.login(4).status, 401, "{scheme}: the user stays disabled");
        assert_eq!(refresh(self.first, &read).status, 200, "{scheme}: the refresh that failed before succeeds");
        assert_eq!(self.first.login(5).status, 200, "{scheme}");
    }

    /// The first attempt counts: every connection was closed while idle.
    pub fn check_service_after_lost_connections(&self, store: &impl FaultyStore) {
        let scheme = self.scheme;
        let [read, renewed, left, left_everywhere] = [1, 2, 3, 4].map(|user| self.login(user));
        let first = |what: &str, expected: u16, request: &dyn Fn() -> Response| {
            store.close_connections();
            let response = request();
            assert_eq!(response.status, expected, "{scheme}: {what} after lost connections: {response:?}");
        };
        first("/me", 200, &|| me(self.first, &read));
        first("/refresh", 200, &|| refresh(self.first, &renewed));
        first("/logout", 204, &|| post(self.first, "/logout", &left));
        first("/logout-all", 204, &|| post(self.first, "/logout-all", &left_everywhere));
        first("/login", 200, &|| self.first.login(5));
        first("/readyz", 200, &|| self.first.get("/readyz", &[]));
        self.assert_revoked(&left, "after a logout");
        self.assert_revoked(&left_everywhere, "after a logout-all");
    }
}

fn me(server: &Server, login: &Login) -> Response {
    server.get("/me", &[("authorization", &format!("Bearer {}", login.token))])
}

fn refresh(server: &Server, login: &Login) -> Response {
    match &login.refresh_token {
        Some(refresh_token) => server.post_json("/refresh", &json!({ "refresh_token": refresh_token })),
        None => post(server, "/refresh", login),
    }
}

fn post(server: &Server, path: &str, login: &Login) -> Response {
    server.post(path, &[("authorization", &format!("Bearer {}", login.token))])
}

#[track_caller]
fn assert_not_writable(response: &Response) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.json()["type"], "urn:authbench:problem:store-not-writable");
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.header("set-cookie"), None);
}
