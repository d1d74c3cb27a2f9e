//! Logging out of `jwt-*-refresh` (RFC 7009 section 2; row 24 of the security table): the refresh token is enough,
//! because the access token expires long before it.

use contract::Carrier;
use serde_json::{Value, json};

use testkit::http::{Response, send};
use testkit::redis::Redis;
use testkit::server::Server;

const CARRIERS: [Carrier; 2] = [Carrier::Bearer, Carrier::Cookie];
const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-origin");
/// More than an access token lives, in seconds.
const EXPIRED_S: u64 = 301;

struct Client {
    server: Server,
    carrier: Carrier,
}

/// What a login or a renewal issued, or what a request presents of it.
#[derive(Clone, Default)]
struct IssuedTokens {
    access: Option<String>,
    refresh: Option<String>,
}

impl IssuedTokens {
    fn refresh_only(&self) -> Self {
        Self { access: None, ..self.clone() }
    }

    fn access_only(&self) -> Self {
        Self { refresh: None, ..self.clone() }
    }
}

impl Client {
    fn start(carrier: Carrier, redis: &Redis) -> Self {
        let prefix = format!("{carrier}:");
        let flags = ["--scheme", "jwt-hs256-refresh", "--redis-url", &redis.url(), "--key-prefix", &prefix, "--bench"];
        let server = Server::start(crate::BINARY, &[&flags[..], &["--carrier", &carrier.to_string()]].concat());
        Self { server, carrier }
    }

    fn issued_tokens(&self, response: &Response) -> IssuedTokens {
        assert_eq!(response.status, 200, "{}: {response:?}", self.carrier);
        let body = response.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let cookie = |name: &str| {
            let mut lines = response.headers.iter().filter(|(header, _)| header == "set-cookie");
            let value = lines.find_map(|(_, line)| line.strip_prefix(name)?.strip_prefix('='));
            value.map(|rest| rest.split(';').next().unwrap().to_owned())
        };
        match self.carrier {
            Carrier::Bearer => IssuedTokens { access: text(&body["token"]), refresh: text(&body["refresh_token"]) },
            Carrier::Cookie => {
                IssuedTokens { access: cookie(Carrier::COOKIE_NAME), refresh: cookie(Carrier::REFRESH_COOKIE_NAME) }
            }
        }
    }

    fn login(&self) -> IssuedTokens {
        self.issued_tokens(&self.server.login(1))
    }

    fn post(&self, path: &str, issued_tokens: &IssuedTokens) -> Response {
        let line = format!("POST {path}");
        match self.carrier {
            Carrier::Bearer => {
                let access = issued_tokens.access.as_ref().map(|token| format!("Bearer {token}"));
                let mut headers: Vec<_> = access.iter().map(|value| ("authorization", value.as_str())).collect();
                let body = issued_tokens.refresh.as_ref().map(|token| json!({ "refresh_token": token }).to_string());
                headers.extend(body.iter().map(|_| ("content-type", "application/json")));
                send(self.server.address, &line, &headers, &body.unwrap_or_default())
            }
            Carrier::Cookie => send(self.server.address, &line, &[("cookie", &cookies(issued_tokens)), SAME_SITE], ""),
        }
    }

    fn status(&self, path: &str, issued_tokens: &IssuedTokens) -> u16 {
        self.post(path, issued_tokens).status
    }

    /// Whether the refresh token still renews. It is used up by that.
    fn renews(&self, issued_tokens: &IssuedTokens) -> bool {
        self.status("/refresh", &issued_tokens.refresh_only()) == 200
    }

    fn expire_access_tokens(&self) {
        assert_eq!(self.server.post_json("/bench/clock", &json!({ "advance_s": EXPIRED_S })).status, 200);
    }
}

fn cookies(issued_tokens: &IssuedTokens) -> String {
    let pair = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name}={value}"));
    let access = pair(Carrier::COOKIE_NAME, &issued_tokens.access);
    let refresh = pair(Carrier::REFRESH_COOKIE_NAME, &issued_tokens.refresh);
    [access, refresh].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// A refresh token of the right form that was never issued.
fn unknown() -> IssuedTokens {
    IssuedTokens { access: None, refresh: Some("A".repeat(65)) }
}

fn by_both_carriers(test: impl Fn(&Client)) {
    let redis = Redis::start();
    for carrier in CARRIERS {
        test(&Client::start(carrier, &redis));
    }
}

#[test]
fn expired_access_token_does_not_prevent_logout() {
    by_both_carriers(|client| {
        let (one, other) = (client.login(), client.login());
        client.expire_access_tokens();
        assert_eq!(client.status("/logout", &one.access_only()), 401);
        let response = client.post("/logout", &one);
        assert_eq!(response.status, 204, "{}: {response:?}", client.carrier);
        let cleared =
            response.headers.iter().filter(|(name, value)| name == "set-cookie" && value.contains("Max-Age=0"));
        assert_eq!(cleared.count(), if client.carrier == Carrier::Cookie { 2 } else { 0 });
        assert_eq!(client.status("/logout", &one), 204, "the same request again");
        assert!(!client.renews(&one));
        assert!(client.renews(&other), "the other login was not meant");
    });
}

#[test]
fn refresh_token_alone_logs_out_used_or_not() {
    by_both_carriers(|client| {
        let one = client.login();
        assert_eq!(client.status("/logout", &one.refresh_only()), 204);
        assert!(!client.renews(&one));
        let old = client.login();
        let new = client.issued_tokens(&client.post("/refresh", &old.refresh_only()));
        assert_eq!(client.status("/logout", &old.refresh_only()), 204);
        assert!(!client.renews(&new), "a token that was used up ends its family, as it does at a renewal");
    });
}

#[test]
fn logout_without_a_login_is_rejected_unless_it_may_have_had_one() {
    by_both_carriers(|client| {
        let malformed = IssuedTokens { access: None, refresh: Some("malformed".to_owned()) };
        for path in ["/logout", "/logout-all"] {
            assert_eq!(client.status(path, &IssuedTokens::default()), 401, "{path}");
            assert_eq!(client.status(path, &malformed), 401, "{path}");
        }
        assert_eq!(client.status("/logout", &unknown()), 204, "RFC 7009 section 2.2");
        assert_eq!(client.status("/logout-all", &unknown()), 401, "whose logins?");
        let one = client.login();
        let with_malformed = IssuedTokens { refresh: malformed.refresh, ..one.clone() };
        assert_eq!(client.status("/logout", &with_malformed), 204, "the access token names it");
        assert!(!client.renews(&one));
    });
}

#[test]
fn current_refresh_token_logs_out_everywhere_and_used_one_revokes_only_its_family() {
    by_both_carriers(|client| {
        let (one, other) = (client.login(), client.login());
        client.expire_access_tokens();
        assert_eq!(client.status("/logout-all", &one), 204);
        assert!(!client.renews(&one) && !client.renews(&other));
        assert_eq!(client.status("/logout-all", &one), 401, "its family is over");

        let (old, other) = (client.login(), client.login());
        let new = client.issued_tokens(&client.post("/refresh", &old.refresh_only()));
        assert_eq!(client.status("/logout-all", &old.refresh_only()), 401);
        assert!(!client.renews(&new), "it was used twice");
        assert!(client.renews(&other), "who copied it ends no other login");
    });
}

#[test]
fn tokens_of_two_logins_revoke_both() {
    by_both_carriers(|client| {
        let (one, other) = (client.login(), client.login());
        let mixed = IssuedTokens { access: one.access.clone(), refresh: other.refresh.clone() };
        assert_eq!(client.status("/logout", &mixed), 204);
        assert!(!client.renews(&one) && !client.renews(&other));
    });
}

#[test]
fn refresh_cookie_alone_is_protected_against_cross_site_requests() {
    let redis = Redis::start();
    let client = Client::start(Carrier::Cookie, &redis);
    let issued_tokens = client.login();
    let cookie = cookies(&issued_tokens.refresh_only());
    for path in ["/logout", "/logout-all"] {
        for source in [None, Some(("sec-fetch-site", "cross-site")), Some(("origin", "https://evil.test"))] {
            let headers: Vec<_> = [("cookie", cookie.as_str())].into_iter().chain(source).collect();
            assert_eq!(client.server.post(path, &headers).status, 403, "{path} {source:?}");
        }
    }
    assert!(client.renews(&issued_tokens));
}

#[test]
fn logout_body_is_optional_and_must_be_valid() {
    let redis = Redis::start();
    let client = Client::start(Carrier::Bearer, &redis);
    let issued_tokens = client.login();
    let token = format!("Bearer {}", issued_tokens.access.as_ref().unwrap());
    let large = json!({ "refresh_token": "A".repeat(20_000) }).to_string();
    for (media_type, body, status) in [
        ("application/json", "[]", 400),
        ("application/json", r#"{"refresh_token":1}"#, 400),
        ("application/json", r#"{"token":"A"}"#, 400),
        ("application/x-www-form-urlencoded", "refresh_token=A", 415),
        ("application/json", &large, 413),
    ] {
        for path in ["/logout", "/logout-all"] {
            let headers = [("authorization", token.as_str()), ("content-type", media_type)];
            let response = send(client.server.address, &format!("POST {path}"), &headers, body);
            assert_eq!(response.status, status, "{path}: {response:?}");
        }
    }
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    assert_eq!(send(client.server.address, "POST /logout", &headers, "{}").status, 204);
    assert!(!client.renews(&issued_tokens));
    let empty = [("authorization", token.as_str()), ("content-length", "0")];
    assert_eq!(send(client.server.address, "POST /logout", &empty, "").status, 204);
}

#[test]
fn without_redis_no_logout_is_acknowledged() {
    let mut redis = Redis::start();
    let clients = CARRIERS.map(|carrier| Client::start(carrier, &redis));
    let issued_tokens = clients.each_ref().map(Client::login);
    redis.kill();
    for (client, issued_tokens) in clients.iter().zip(&issued_tokens) {
        for path in ["/logout", "/logout-all"] {
            assert_eq!(client.status(path, &issued_tokens.refresh_only()), 503, "{}, {path}", client.carrier);
        }
    }
}
