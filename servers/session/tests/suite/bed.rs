//! The authenticator over each store, and a clock.

use chassis::auth::{AuthError, Authenticator, Issued, UnixSeconds};
use contract::body::Identity;
use contract::{Scheme, Touch};
use session::store::{MemoryStore, Multiplexed, Pooled, RedisStore, address};
use session::{Limits, SessionStore, Sessions};

use crate::redis_process::Redis;

/// A session that is not used ends after 100 seconds, and any after 1000.
pub(crate) const THROTTLED: Limits =
    Limits { idle_s: 100, absolute_s: 1000, touch: Touch::Throttled, touch_interval_s: 10 };
pub(crate) const NEVER: Limits = Limits { touch: Touch::Never, ..THROTTLED };
pub(crate) const ALWAYS: Limits = Limits { touch: Touch::Always, ..THROTTLED };

/// Sessions under test, with what they stand on.
pub(crate) struct Bed<S> {
    pub(crate) sessions: Sessions<S>,
    pub(crate) now: UnixSeconds,
    pub(crate) redis: Option<Redis>,
}

fn scheme(id: &str) -> Scheme {
    id.parse().unwrap()
}

const START: UnixSeconds = 1_800_000_000;

impl Bed<MemoryStore> {
    #[expect(clippy::unused_async, reason = "the stores are made in one way")]
    pub(crate) async fn in_memory(limits: Limits) -> Self {
        let sessions = Sessions::new(scheme("session-memory"), MemoryStore::default(), limits);
        Self { sessions, now: START, redis: None }
    }
}

impl Bed<RedisStore<Multiplexed>> {
    pub(crate) async fn over_redis(limits: Limits) -> Self {
        let redis = Redis::start();
        let link = Multiplexed::connect(address(&redis.url()).unwrap()).await.unwrap();
        let sessions = Sessions::new(scheme("session-redis"), RedisStore::new(link, "test:"), limits);
        Self { sessions, now: START, redis: Some(redis) }
    }
}

impl Bed<RedisStore<Pooled>> {
    pub(crate) async fn over_pool(limits: Limits) -> Self {
        let redis = Redis::start();
        let link = Pooled::connect(address(&redis.url()).unwrap(), 8).await.unwrap();
        let sessions = Sessions::new(scheme("session-redis-pool"), RedisStore::new(link, "test:"), limits);
        Self { sessions, now: START, redis: Some(redis) }
    }
}

impl<S: SessionStore> Bed<S> {
    /// Lets time pass, for us and for the store.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        if let Some(redis) = &self.redis {
            redis.age(seconds);
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

    pub(crate) async fn revoke_all(&self, credential: &str) -> Result<(), AuthError> {
        self.sessions.revoke_all(Some(credential), self.now).await
    }

    pub(crate) async fn assert_good(&self, credential: &str) {
        self.verify(credential).await.unwrap();
    }

    pub(crate) async fn assert_over(&self, credential: &str) {
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
    };
    (@one $store:ident: $($test:ident with $limits:ident),+) => {
        mod $store {
            $(
                // The workers of the server are as many.
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::bed::Bed::$store($crate::bed::$limits).await).await;
                }
            )+
        }
    };
}
