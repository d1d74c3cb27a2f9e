//! A Redis that is full, evicts, or has closed its connections: rows 19 and 25 of the security table.

use jwt::Algorithm;

use crate::forge;
use testkit::redis::Redis;
use testkit::server::{Server, startup_error};
use testkit::store_faults::Servers;

const OVER_REDIS: [&str; 4] = ["jwt-hs256-refresh", "jwt-hs256-denylist", "jwt-hs256-push", "jwt-hs256-epoch"];

/// Two servers that share a secret.
fn nodes(redis: &Redis, scheme: &str) -> [Server; 2] {
    let (flag, file) = forge::key_file(Algorithm::Hs256);
    let url = redis.url();
    let own = ["--scheme", scheme, "--redis-url", &url, flag, file, "--bench", "--workers", "1"];
    let flags = [&own, ["--propagation-s", "10", "--epoch-ttl-s", "1"].as_slice()].concat();
    [Server::start(crate::BINARY, &flags), Server::start(crate::BINARY, &flags)]
}

#[test]
fn full_redis_rejects_logins_and_allows_revocations() {
    for scheme in OVER_REDIS {
        let redis = Redis::start();
        let [first, second] = nodes(&redis, scheme);
        Servers::new(scheme, &first, &second).check_revocation_at_memory_limit(&redis);
    }
}

#[test]
fn first_request_after_closed_connections_succeeds() {
    for scheme in OVER_REDIS {
        let redis = Redis::start();
        let [first, second] = nodes(&redis, scheme);
        Servers::new(scheme, &first, &second).check_service_after_lost_connections(&redis);
    }
}

#[test]
fn redis_with_eviction_is_rejected() {
    let redis = Redis::start();
    let url = redis.url();
    let rejected = |scheme: &str, policy: &str| {
        redis.set("maxmemory-policy", policy);
        let (code, message) =
            startup_error(crate::BINARY, &["--listen", "127.0.0.1:0", "--scheme", scheme, "--redis-url", &url]);
        assert_eq!((code, message.lines().count()), (1, 1), "{scheme}: {message}");
        assert!(message.contains(policy) && message.contains("maxmemory-policy noeviction"), "{scheme}: {message}");
    };
    for scheme in OVER_REDIS {
        rejected(scheme, "allkeys-lru");
        rejected(scheme, "volatile-lru");
    }
    rejected("jwt-hs256", "allkeys-random");
    // The changed users alone have no time to live.
    redis.set("maxmemory-policy", "volatile-lru");
    Server::start(crate::BINARY, &["--scheme", "jwt-hs256", "--redis-url", &url]);
}
