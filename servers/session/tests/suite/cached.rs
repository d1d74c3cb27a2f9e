//! `session-redis-cached`: what the cache saves, and how long it may be wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use testkit::TIMEOUT;
use testkit::redis::Redis;
use testkit::server::Server;

/// The bound that the servers here are given.
const BOUND: Duration = Duration::from_secs(1);

fn node(redis: &Redis) -> Server {
    node_with(redis, &BOUND.as_secs().to_string())
}

/// A server whose cache is trusted through any stall of the machine.
fn patient_node(redis: &Redis) -> Server {
    node_with(redis, "60")
}

fn node_with(redis: &Redis, propagation_s: &str) -> Server {
    let flags = ["--scheme", "session-redis-cached", "--redis-url", &redis.url(), "--propagation-s", propagation_s];
    Server::start(crate::BINARY, &flags)
}

fn login(server: &Server, user: u32) -> String {
    format!("Bearer {}", server.login(user).json()["token"].as_str().unwrap())
}

fn me(server: &Server, token: &str) -> u16 {
    server.get("/me", &[("authorization", token)]).status
}

/// Polls until a response other than 200, and returns it.
fn after_200(server: &Server, token: &str) -> u16 {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match me(server, token) {
            200 => assert!(Instant::now() < deadline, "it is accepted for ever"),
            status => return status,
        }
    }
}

/// Returns the commands of requests, without the heartbeats of the feed.
fn cost(redis: &Redis) -> BTreeMap<String, u64> {
    redis.calls().into_iter().filter(|(name, _)| name != "ping").collect()
}

#[test]
fn cache_hit_sends_no_command() {
    let redis = Redis::start();
    let server = patient_node(&redis);
    let token = login(&server, 1);
    redis.reset_calls();
    for _ in 0..20 {
        assert_eq!(me(&server, &token), 200);
    }
    assert_eq!(cost(&redis), BTreeMap::from([("get".to_owned(), 1)]));
}

#[test]
fn privileged_write_queries_redis_despite_the_cache() {
    let redis = Redis::start();
    let server = patient_node(&redis);
    let token = login(&server, 0);
    assert_eq!(me(&server, &token), 200);
    redis.reset_calls();
    let write = serde_json::json!({ "username": "user-000009", "disabled": true });
    assert_eq!(testkit::privileged_writes::post(&server, "/admin/user", &token, &write), 204);
    let cost = cost(&redis);
    assert_eq!((cost["get"], cost["hmget"]), (1, 1), "the session and the directory: {cost:?}");
}

#[test]
fn revocation_takes_effect_locally_at_once_and_remotely_soon() {
    let redis = Redis::start();
    let (here, there) = (node(&redis), node(&redis));
    for (what, done) in [("/logout", 204), ("/logout-all", 204), ("/refresh", 200)] {
        let token = login(&here, 1);
        for server in [&here, &there] {
            assert_eq!((me(server, &token), me(server, &token)), (200, 200));
        }
        assert_eq!(here.post(what, &[("authorization", &token)]).status, done);
        assert_eq!(me(&here, &token), 401, "{what}");
        assert_eq!(after_200(&there, &token), 401, "{what}");
    }
}

#[test]
fn cache_without_heartbeat_is_used_only_within_its_age_limit() {
    let redis = Redis::start();
    let server = node(&redis);
    let token = login(&server, 1);
    assert_eq!((me(&server, &token), me(&server, &token)), (200, 200));
    redis.suspend();
    let stopped = Instant::now();
    assert_eq!(after_200(&server, &token), 503);
    // Not a matter of our timing: using it for longer than the bound would be the defect.
    let last_good = stopped.elapsed();
    assert!(last_good < BOUND + TIMEOUT, "{last_good:?}");
    redis.resume();
    let deadline = Instant::now() + TIMEOUT;
    while me(&server, &token) != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
}

#[test]
fn changes_during_a_feed_outage_invalidate_the_cache() {
    let redis = Redis::start();
    let server = node(&redis);
    let token = login(&server, 1);
    assert_eq!((me(&server, &token), me(&server, &token)), (200, 200));
    // Redis drops the feed's connection, and its pending messages with it.
    drop_feeds(&redis);
    let () = redis::cmd("FLUSHALL").query(&mut redis.connection()).unwrap();
    assert_eq!(after_200(&server, &token), 401);
}

/// Ends every connection that speaks RESP3. There may be none for a moment, when a slow machine has just lost it.
fn drop_feeds(redis: &Redis) {
    let mut connection = redis.connection();
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        let feeds: Vec<_> = list.lines().filter(|line| line.contains("resp=3")).collect();
        for feed in &feeds {
            let id = feed.split(' ').next().unwrap().strip_prefix("id=").unwrap();
            let _: u64 = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).query(&mut connection).unwrap();
        }
        if !feeds.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{list}");
    }
}

#[test]
fn empty_redis_invalidates_every_session() {
    let mut redis = Redis::start();
    let server = node(&redis);
    let token = login(&server, 1);
    assert_eq!((me(&server, &token), me(&server, &token)), (200, 200));
    redis.kill();
    assert_eq!(after_200(&server, &token), 503);
    redis.restart();
    let deadline = Instant::now() + TIMEOUT;
    while me(&server, &token) != 401 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    while server.get("/readyz", &[]).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
    }
    assert_eq!(me(&server, &login(&server, 1)), 200);
}

#[test]
fn cache_evicts_instead_of_growing() {
    let redis = Redis::start();
    let flags = ["--scheme", "session-redis-cached", "--redis-url", &redis.url(), "--cache-entries", "10"];
    let server = Server::start(crate::BINARY, &flags);
    let tokens: Vec<_> = (0..30).map(|user| login(&server, user)).collect();
    redis.reset_calls();
    for token in tokens.iter().chain(&tokens) {
        assert_eq!(me(&server, token), 200);
    }
    // With room for ten of thirty, taken in turn, most of the second round has to be read again.
    assert!(cost(&redis)["get"] >= 45, "{:?}", redis.calls());
}
