//! How a credential may travel, and how it may not: rows 9, 12 and 21 of the security table.

use contract::Carrier;

use testkit::http::{Response, send_bytes};
use testkit::server::Server;

/// A server and a valid session id of it.
fn server(carrier: Carrier) -> (Server, String) {
    let server = Server::start(crate::BINARY, &["--carrier", &carrier.to_string()]);
    let login = server.login(1);
    let id = match carrier {
        Carrier::Bearer => login.json()["token"].as_str().unwrap().to_owned(),
        Carrier::Cookie => {
            let cookie = login.header("set-cookie").unwrap();
            cookie.split_once('=').unwrap().1.split_once(';').unwrap().0.to_owned()
        }
    };
    (server, id)
}

fn me(server: &Server, headers: &[(&str, &[u8])]) -> Response {
    send_bytes(server.address, "GET /me", headers, "")
}

#[track_caller]
fn assert_rejected(response: &Response, status: u16, name: &str, challenge: Option<&str>) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.json()["type"], format!("urn:authbench:problem:{name}"));
    assert_eq!(response.header("www-authenticate"), challenge);
}

#[test]
fn bearer_accepts_exactly_one_authorization_header() {
    let (server, id) = server(Carrier::Bearer);
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let value = format!("{scheme} {id}");
        assert_eq!(me(&server, &[("Authorization", value.as_bytes())]).status, 200, "{scheme}");
    }
    // As many spaces as there are (RFC 6750 section 2.1).
    for spaces in [2, 3, 64] {
        let value = format!("Bearer{}{id}", " ".repeat(spaces));
        assert_eq!(me(&server, &[("authorization", value.as_bytes())]).status, 200, "{spaces} spaces");
    }
    // Without a credential of this scheme the challenge is bare (RFC 6750 section 3.1).
    let basic: &[u8] = b"Basic dXNlcjpwYXNz";
    for headers in
        [&[][..], &[("authorization", basic)], &[("cookie", b"theme=dark")], &[("authorization", b"Bearerx y")]]
    {
        assert_rejected(&me(&server, headers), 401, "missing-credential", Some("Bearer"));
    }
    let invalid = Some(r#"Bearer error="invalid_token""#);
    for value in [
        format!("Bearer \t{id}"),
        "Bearer  ".to_owned(),
        format!("Bearer {id} x"),
        format!("Bearer {id},"),
        format!("Bearer \"{id}\""),
        format!("Bearer {id}="),
        "Bearer".to_owned(),
        "Bearer x".to_owned(),
        format!("Bearer {}", "x".repeat(7000)),
    ] {
        assert_rejected(&me(&server, &[("authorization", value.as_bytes())]), 401, "invalid-credential", invalid);
    }
    let binary = [b"Bearer ", id.as_bytes(), b"\xff\xfe"].concat();
    assert_rejected(&me(&server, &[("authorization", &binary)]), 401, "invalid-credential", invalid);
}

#[test]
fn cookie_is_selected_by_its_exact_name() {
    let (server, id) = server(Carrier::Cookie);
    let challenge = Some(r#"Cookie cookie-name="__Host-authbench""#);
    for value in [
        format!("__Host-authbench={id}"),
        format!("a=b; __Host-authbench={id};c=d"),
        format!(" a=b;__Host-authbench={id} ; "),
    ] {
        assert_eq!(me(&server, &[("cookie", value.as_bytes())]).status, 200, "{value}");
    }
    for value in [
        String::new(),
        "theme=dark".to_owned(),
        format!("authbench={id}"),
        format!("__Host-authbench2={id}"),
        format!("x__Host-authbench={id}"),
        format!("__host-authbench={id}"),
    ] {
        assert_rejected(&me(&server, &[("cookie", value.as_bytes())]), 401, "missing-credential", challenge);
    }
    for value in
        [format!("__Host-authbench=\"{id}\""), "__Host-authbench=".to_owned(), format!("__Host-authbench={id} x")]
    {
        assert_rejected(&me(&server, &[("cookie", value.as_bytes())]), 401, "invalid-credential", challenge);
    }
    let binary = [b"__Host-authbench=", id.as_bytes(), b"\xff"].concat();
    assert_rejected(&me(&server, &[("cookie", &binary)]), 401, "invalid-credential", challenge);
}

#[test]
fn two_credentials_are_rejected() {
    for carrier in [Carrier::Bearer, Carrier::Cookie] {
        let (server, id) = server(carrier);
        let (bearer, cookie) = (format!("Bearer {id}"), format!("__Host-authbench={id}"));
        let (bearer, cookie) = (("authorization", bearer.as_bytes()), ("cookie", cookie.as_bytes()));
        let twice = format!("__Host-authbench={id}; __Host-authbench={id}");
        let challenge = (carrier == Carrier::Bearer).then_some(r#"Bearer error="invalid_request""#);
        for headers in [
            &[bearer, cookie][..],
            &[cookie, bearer],
            &[bearer, bearer],
            &[("authorization", b"Basic eDp5"), bearer],
            &[cookie, cookie],
            &[("cookie", twice.as_bytes())],
        ] {
            assert_rejected(&me(&server, headers), 400, "ambiguous-credential", challenge);
        }
    }
}

#[test]
fn credential_in_the_other_carrier_is_ignored() {
    let (bearer_server, id) = server(Carrier::Bearer);
    let cookie = format!("__Host-authbench={id}");
    assert_eq!(me(&bearer_server, &[("cookie", cookie.as_bytes())]).status, 401);
    let (cookie_server, id) = server(Carrier::Cookie);
    let bearer = format!("Bearer {id}");
    assert_eq!(me(&cookie_server, &[("authorization", bearer.as_bytes())]).status, 401);
}

#[test]
fn a_planted_cookie_is_replaced_at_login() {
    let (server, planted) = server(Carrier::Cookie);
    let body = serde_json::json!({"username": "user-000002", "password": contract::user::PASSWORD}).to_string();
    let cookie = format!("__Host-authbench={planted}");
    let headers = [("content-type", "application/json"), ("cookie", cookie.as_str())];
    let response = testkit::http::send(server.address, "POST /login", &headers, &body);
    let fresh = response.header("set-cookie").unwrap();
    assert!(!fresh.contains(&planted), "{fresh}");
    assert_eq!(me(&server, &[("cookie", cookie.as_bytes())]).json()["id"], 1);
}
