//! The contents of the store are not usable as credentials: row 15 of the security table.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use testkit::postgres::Postgres;
use testkit::redis::Redis;
use testkit::server::Server;

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn store_dump_contains_no_usable_session_id() {
    let redis = Redis::start();
    let server = Server::start(crate::BINARY, &["--scheme", "session-redis", "--redis-url", &redis.url()]);
    let id = server.login(1).json()["token"].as_str().unwrap().to_owned();
    let me = |credential: &str| server.get("/me", &[("authorization", &format!("Bearer {credential}"))]).status;
    assert_eq!(me(&id), 200);

    let dump = redis.dump();
    assert!(contains(&dump, b"user-000001"), "the dump holds the session");
    assert!(!contains(&dump, id.as_bytes()));
    assert!(!contains(&dump, &URL_SAFE_NO_PAD.decode(&id).unwrap()));

    let keys = redis.keys();
    let key = keys.iter().find_map(|key| key.strip_prefix("authbench:s:")).unwrap();
    assert_eq!(*key, URL_SAFE_NO_PAD.encode(Sha256::digest(&id)), "the key is the hash of the id");
    assert!(contains(&dump, key.as_bytes()));
    for stolen in [key, &format!("authbench:s:{key}")] {
        assert_eq!(me(stolen), 401, "{stolen}");
    }
}

#[test]
fn every_key_has_the_prefix_and_a_deadline() {
    let redis = Redis::start();
    let flags = ["--scheme", "session-redis", "--redis-url", &redis.url(), "--key-prefix", "blue/"];
    let server = Server::start(crate::BINARY, &flags);
    server.login(1);
    let keys = redis.keys();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].starts_with("blue/s:"));
    assert_eq!(keys[1], "blue/u:1");
    for (key, deadline_s) in keys.iter().zip([1800, 43_200]) {
        let left_s: i64 = redis::cmd("TTL").arg(key).query(&mut redis.connection()).unwrap();
        assert!((deadline_s - 60..=deadline_s).contains(&left_s), "{key}: {left_s}");
    }
}

#[test]
fn log_contains_no_credential() {
    let redis = Redis::start();
    let flags = ["--scheme", "session-redis", "--redis-url", &redis.url(), "--log", "debug", "--carrier", "cookie"];
    let server = Server::start(crate::BINARY, &flags);
    let cookie = server.login(1).header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let (_, id) = cookie.split_once('=').unwrap();
    assert_eq!(server.get("/me", &[("cookie", &cookie)]).status, 200);
    let own_site = ("sec-fetch-site", "same-origin");
    assert_eq!(server.post("/logout", &[("cookie", &cookie), own_site]).status, 204);
    assert_eq!(server.get("/me", &[("cookie", &cookie)]).status, 401);
    let metrics = server.get("/metrics", &[]).body;
    server.signal("-TERM");
    let (status, log) = server.wait_for_exit();
    assert!(status.success());
    assert!(log.contains("no such session"), "the refusal is logged: {log}");
    for text in [log, metrics] {
        assert!(!text.contains(id) && !text.contains(contract::user::PASSWORD), "{text}");
    }
}

#[test]
fn database_dump_contains_no_usable_session_id() {
    let postgres = Postgres::start();
    let server = Server::start(crate::BINARY, &["--scheme", "session-postgres", "--postgres-url", &postgres.url()]);
    let ids: Vec<_> = (0..20).map(|user| server.login(user).json()["token"].as_str().unwrap().to_owned()).collect();
    let dump = String::from_utf8(postgres.dump()).unwrap();
    assert_eq!(dump.matches("INSERT INTO public.authbench_sessions").count(), ids.len());
    for id in &ids {
        assert!(!dump.contains(id.as_str()), "an id lies in the database");
    }
    // Every word of the dump as a credential, and every key in the encoding that ids have.
    for word in dump.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 20) {
        assert_eq!(server.get("/me", &[("authorization", &format!("Bearer {word}"))]).status, 401, "{word}");
    }
}
