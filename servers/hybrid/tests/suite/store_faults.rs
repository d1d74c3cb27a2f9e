//! A Redis that is full, or has closed its connections: rows 19 and 25 of the security table.

use testkit::redis::Redis;
use testkit::server::Server;
use testkit::store_faults::Servers;

fn edge(redis: &Redis) -> Server {
    Server::start(crate::EDGE, &["--redis-url", &redis.url(), "--bench", "--touch-interval-s", "1"])
}

#[test]
fn full_redis_rejects_logins_and_allows_revocations() {
    let redis = Redis::start();
    let (first, second) = (edge(&redis), edge(&redis));
    Servers::new("hybrid", &first, &second).check_revocation_at_memory_limit(&redis);
}

#[test]
fn first_request_after_closed_connections_succeeds() {
    let redis = Redis::start();
    let (first, second) = (edge(&redis), edge(&redis));
    Servers::new("hybrid", &first, &second).check_service_after_lost_connections(&redis);
}
