//! The authenticator over each store, and a clock.

use std::sync::Arc;

use chassis::auth::{AuthError, Authenticator, Issued, UnixSeconds};
use contract::body::Identity;
use contract::{Scheme, Touch};
use session::store::{CachedStore, MemoryStore, PostgresStore, RedisStore};
use session::{Limits, SessionStore, Sessions};
use stores::{Clustered, Multiplexed, Pooled, address};

use testkit::backend::Backend;
use testkit::cluster::Cluster;
use testkit::postgres::Postgres;
use testkit::redis::Redis;
use testkit::server::Server;

/// A session that is not used expires after 1000 seconds, and any after 10,000. So long that a step of ten seconds before or
/// after a limit is not used up by the time that the store counts itself.
pub(crate) const THROTTLED: Limits =
    Limits { idle_s: 1000, absolute_s: 10_000, touch: Touch::Throttled, touch_interval_s: 100 };
pub(crate) const NEVER: Limits = Limits { touch: Touch::Never, ..THROTTLED };
pub(crate) const ALWAYS: Limits = Limits { touch: Touch::Always, ..THROTTLED };

/// Sessions under test, with what they stand on.
pub(crate) struct Testbed<S> {
    pub(crate) sessions: Sessions<S>,
    pub(crate) now: UnixSeconds,
    pub(crate) backend: Backend,
}

/// The server of this scheme over its backend.
pub(crate) fn server(backend: &Backend, scheme: &str, flags: &[&str]) -> Server {
    let backend = backend.flags();
    let backend: Vec<&str> = backend.iter().map(String::as_str).collect();
    Server::start(crate::BINARY, &[&["--scheme", scheme], backend.as_slice(), flags].concat())
}

pub(crate) fn scheme(id: &str) -> Scheme {
    id.parse().unwrap()
}

const START: UnixSeconds = 1_800_000_000;

impl Testbed<MemoryStore> {
    #[expect(clippy::unused_async, reason = "the stores are made in one way")]
    pub(crate) async fn in_memory(limits: Limits) -> Self {
        Self::new("session-memory", MemoryStore::default(), limits, Backend::NoStore)
    }
}

/// A Redis as a store reaches it.
async fn multiplexed(redis: &Redis) -> Arc<stores::Redis<Multiplexed>> {
    let link = Multiplexed::connect(address(&redis.url()).unwrap()).await.unwrap();
    Arc::new(stores::Redis::new(link, "test:"))
}

impl Testbed<RedisStore<Multiplexed>> {
    pub(crate) async fn over_redis(limits: Limits) -> Self {
        let redis = Redis::start();
        let store = RedisStore::new(multiplexed(&redis).await);
        Self::new("session-redis", store, limits, Backend::Redis(redis))
    }
}

impl Testbed<RedisStore<Pooled>> {
    pub(crate) async fn over_pool(limits: Limits) -> Self {
        let redis = Redis::start();
        let link = Pooled::connect(address(&redis.url()).unwrap(), 8).await.unwrap();
        let store = RedisStore::new(Arc::new(stores::Redis::new(link, "test:")));
        Self::new("session-redis-pool", store, limits, Backend::Redis(redis))
    }
}

impl Testbed<RedisStore<Clustered>> {
    pub(crate) async fn over_cluster(limits: Limits) -> Self {
        let cluster = Cluster::start();
        let link = Clustered::connect(address(&cluster.url()).unwrap()).await.unwrap();
        let store = RedisStore::sharded(Arc::new(stores::Redis::new(link, "test:")));
        Self::new("session-redis-cluster", store, limits, Backend::Cluster(cluster))
    }
}

impl Testbed<CachedStore> {
    pub(crate) async fn over_cache(limits: Limits) -> Self {
        let redis = Redis::start();
        let address = address(&redis.url()).unwrap();
        let store = CachedStore::start(multiplexed(&redis).await, address, 1000, 2).await.unwrap();
        Self::new("session-redis-cached", store, limits, Backend::Redis(redis))
    }
}

impl Testbed<PostgresStore> {
    pub(crate) async fn over_postgres(limits: Limits) -> Self {
        let postgres = Postgres::start();
        let postgres_client = stores::Postgres::connect(postgres.url().parse().unwrap(), 4).await.unwrap();
        let store = PostgresStore::new(Arc::new(postgres_client)).await.unwrap();
        Self::new("session-postgres", store, limits, Backend::Postgres(postgres))
    }
}

impl<S: SessionStore> Testbed<S> {
    fn new(id: &str, store: S, limits: Limits, backend: Backend) -> Self {
        Self { sessions: Sessions::new(scheme(id), store, limits), now: START, backend }
    }

    /// The Redis below, if it is a single one.
    pub(crate) fn redis(&self) -> Option<&Redis> {
        if let Backend::Redis(redis) = &self.backend { Some(redis) } else { None }
    }
}

impl<S: SessionStore> Testbed<S> {
    /// Lets time pass, for us and for the store.
    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        match &self.backend {
            Backend::Redis(redis) => redis.advance_deadlines(seconds),
            Backend::Cluster(cluster) => cluster.advance_deadlines(seconds),
            Backend::NoStore | Backend::Postgres(_) => {}
        }
    }

    pub(crate) async fn login(&self, user: u32) -> String {
        let issued = self.sessions.issue(&Identity::seeded(user, 1), self.now).await.unwrap();
        issued.credential.unwrap()
    }

    pub(crate) async fn verify(&self, credential: &str) -> Result<Identity, AuthError> {
        self.sessions.verify(Some(credential), self.now).await
    }

    pub(crate) async fn renew(&self, credential: &str) -> Result<Issued, AuthError> {
        self.sessions.renew(Some(credential), self.now).await.map(|(_, issued)| issued)
    }

    pub(crate) async fn revoke(&self, credential: &str) -> Result<(), AuthError> {
        self.sessions.revoke(Some(credential), self.now).await
    }

    pub(crate) async fn revoke_user(&self, user: u32) -> Result<(), AuthError> {
        self.sessions.revoke_user(user, self.now).await
    }

    pub(crate) async fn assert_accepted(&self, credential: &str) {
        self.verify(credential).await.unwrap();
    }

    pub(crate) async fn assert_rejected(&self, credential: &str) {
        let verdict = self.verify(credential).await;
        assert!(matches!(verdict, Err(AuthError::Invalid(_))), "{verdict:?}");
    }
}

/// Runs each test over every store.
#[macro_export]
macro_rules! over_every_store {
    ($($test:ident with $limits:ident),+ $(,)?) => {
        over_every_store!(@one in_memory: $($test with $limits),+);
        over_every_store!(@one over_redis: $($test with $limits),+);
        over_every_store!(@one over_pool: $($test with $limits),+);
        over_every_store!(@one over_cache: $($test with $limits),+);
        over_every_store!(@one over_cluster: $($test with $limits),+);
        over_every_store!(@one over_postgres: $($test with $limits),+);
    };
    (@one $store:ident: $($test:ident with $limits:ident),+) => {
        mod $store {
            $(
                // The workers of the server are as many.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::testbed::Testbed::$store($crate::testbed::$limits).await).await;
                }
            )+
        }
    };
}
