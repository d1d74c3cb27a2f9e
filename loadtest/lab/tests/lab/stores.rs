//! Every kind of private store serves, is observed, is emptied and ends with its owner.

use contract::StoreKind;
use lab::child::Bounds;
use lab::store::Store;

use crate::processes::is_running;

const KINDS: [StoreKind; 3] = [StoreKind::Redis, StoreKind::RedisCluster, StoreKind::Postgres];

fn start(kind: StoreKind) -> (Store, lab::scratch::Scratch) {
    let scratch = lab::scratch::Scratch::new().unwrap();
    let folder = scratch.path().join("store");
    std::fs::create_dir_all(&folder).unwrap();
    let store = Store::start(kind, &folder, &scratch.path().join("store.log"), &Bounds::default()).unwrap();
    (store, scratch)
}

/// The server of a scheme over this store.
fn server(scheme: &str, store: &Store, scratch: &lab::scratch::Scratch) -> lab::server::Server {
    let spec = lab::server::ServerSpec {
        store_url: Some(store.url()),
        users: 1000,
        ..lab::server::ServerSpec::new(scheme.parse().unwrap(), scratch.path().join("server.log"))
    };
    lab::server::Server::start(&spec).unwrap()
}

#[test]
fn each_store_keeps_sessions_and_stops_with_its_owner() {
    for (kind, scheme) in KINDS.into_iter().zip(["session-redis", "session-redis-cluster", "session-postgres"]) {
        let (store, scratch) = start(kind);
        assert!(store.is_private());
        let server = server(scheme, &store, &scratch);
        let before = store.memory().unwrap();
        let credentials = server.client().mint(500, 0).unwrap();
        assert_eq!(credentials.len(), 500);
        let after = store.memory().unwrap();
        assert!(after.used_bytes >= before.used_bytes + 500 * 100, "{kind}: {before:?} {after:?}");
        assert!(after.rss_bytes > 1_000_000);
        let (name, version) = store.software();
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{name} {version}");
        store.check().unwrap();
        store.clear().unwrap();
        assert!(store.memory().unwrap().used_bytes < after.used_bytes, "{kind} was emptied");
        let pids = store.pids();
        assert!(!pids.is_empty() && pids.iter().all(|pid| is_running(*pid)), "{kind}: {pids:?}");
        drop(server);
        drop(store);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while pids.iter().any(|pid| is_running(*pid)) {
            assert!(std::time::Instant::now() < deadline, "{kind} is still running");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
