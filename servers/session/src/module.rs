//! The settings of `session-server`, and its scheme made from them.

use chassis::module::{AuthModule, Layered, Start, StartError};
use contract::Touch;
use redis::{ConnectionInfo, RedisError};

use crate::store::{self, AnyStore, MemoryStore, Multiplexed, Pooled, RedisStore};
use crate::{Limits, Sessions};

/// Half an hour, within what OWASP's session management cheat sheet takes for low-value applications.
const DEFAULT_IDLE_S: u64 = 1800;
const DEFAULT_TOUCH_INTERVAL_S: u64 = 60;
/// As many as the closed loops of the load test have requests under way.
const DEFAULT_POOL_SIZE: usize = 64;

/// Flags, environment variables and the table `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SessionOptions {
    /// Seconds within which activity pushes the idle limit back at most once, with --touch throttled
    /// [default: 60, or half the idle limit where that is less]
    #[arg(long, env = "AUTHBENCH_TOUCH_INTERVAL_S", value_name = "SECONDS")]
    pub touch_interval_s: Option<u64>,
    /// Connections of session-redis-pool [default: 64]
    #[arg(long, env = "AUTHBENCH_POOL_SIZE", value_name = "N")]
    pub pool_size: Option<usize>,
}

impl Layered for SessionOptions {
    fn over(self, below: Self) -> Self {
        Self {
            touch_interval_s: self.touch_interval_s.or(below.touch_interval_s),
            pool_size: self.pool_size.or(below.pool_size),
        }
    }
}

/// The auth module of `session-server`.
pub struct Session;

impl AuthModule for Session {
    const BINARY: &'static str = "session-server";
    type Options = SessionOptions;
    type Authenticator = Sessions<AnyStore>;

    async fn build(start: &Start, options: SessionOptions) -> Result<Self::Authenticator, StartError> {
        let limits = limits(start, &options)?;
        let store = match start.scheme.id() {
            "session-redis" => AnyStore::Multiplexed(multiplexed(start).await?),
            "session-redis-pool" => AnyStore::Pooled(pooled(start, &options).await?),
            _ => AnyStore::Memory(MemoryStore::default()),
        };
        Ok(Sessions::new(start.scheme, store, limits))
    }
}

fn limits(start: &Start, options: &SessionOptions) -> Result<Limits, StartError> {
    let absolute_s = start.absolute_ttl_s;
    let idle_s = start.credential_ttl_s.unwrap_or(DEFAULT_IDLE_S.min(absolute_s));
    if idle_s > absolute_s {
        return usage(format!("--credential-ttl-s {idle_s}: give at most {absolute_s}, which is --absolute-ttl-s"));
    }
    let touch_interval_s = options.touch_interval_s.unwrap_or(DEFAULT_TOUCH_INTERVAL_S.min(idle_s / 2));
    if start.touch == Touch::Throttled && touch_interval_s >= idle_s {
        return usage(format!(
            "--touch-interval-s {touch_interval_s}: give less than {idle_s}, the idle limit, or active sessions end"
        ));
    }
    Ok(Limits { idle_s, absolute_s, touch: start.touch, touch_interval_s })
}

async fn multiplexed(start: &Start) -> Result<RedisStore<Multiplexed>, StartError> {
    let address = address(start)?;
    let link = Multiplexed::connect(address.clone()).await.map_err(|error| unreachable(&address, &error))?;
    Ok(RedisStore::new(link, &start.key_prefix))
}

async fn pooled(start: &Start, options: &SessionOptions) -> Result<RedisStore<Pooled>, StartError> {
    let address = address(start)?;
    let size = options.pool_size.unwrap_or(DEFAULT_POOL_SIZE);
    if size == 0 {
        return usage("--pool-size 0: give at least 1".to_owned());
    }
    let link = Pooled::connect(address.clone(), size).await.map_err(|error| unreachable(&address, &error))?;
    Ok(RedisStore::new(link, &start.key_prefix))
}

fn address(start: &Start) -> Result<ConnectionInfo, StartError> {
    let Some(url) = &start.redis_url else {
        return usage(format!("{} needs --redis-url, such as redis://127.0.0.1:6379/0", start.scheme));
    };
    // The URL itself is left out: it may hold a password.
    store::address(url)
        .map_err(|error| StartError::Usage(format!("--redis-url: {error}; it is like redis://127.0.0.1:6379/0")))
}

fn usage<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Usage(text))
}

fn unreachable(address: &ConnectionInfo, error: &RedisError) -> StartError {
    let address = address.addr();
    StartError::Failed(format!("cannot reach Redis at {address}: {error}; start it, or give another --redis-url"))
}
