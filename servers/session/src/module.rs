//! The settings of `session-server`, and its scheme made from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chassis::directory::{Directory, InMemory};
use chassis::module::{AuthModule, Built, ModuleSettings, StartError};
use contract::body::Identity;
use contract::{Kind, SessionBackend, Touch};
use stores::directory::{PostgresDirectory, RedisDirectory};
use stores::{Link, Redis, StoredData};

use crate::sealed::{Lifetime, Sealed, SealingKey};
use crate::store::{AnyStore, CachedStore, MemoryStore, PostgresStore, RedisStore, SessionStore as _, StoreError};
use crate::{AnySessions, Limits, Sessions};

/// Half an hour, within what OWASP's session management cheat sheet recommends for low-value applications.
const DEFAULT_IDLE_S: u64 = 1800;
const DEFAULT_TOUCH_INTERVAL_S: u64 = 60;
/// As many as the closed loops of the load test have requests under way.
const DEFAULT_POOL_SIZE: usize = 64;
/// `PostgreSQL` has a process a connection, and more of them than processors gain nothing.
const DEFAULT_POSTGRES_POOL_SIZE: usize = 8;
const DEFAULT_CACHE_ENTRIES: usize = 100_000;
const DEFAULT_PROPAGATION_S: u64 = 2;
const MAX_PROPAGATION_S: u64 = 3600;

/// Flags, environment variables and the table `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SessionOptions {
    /// With --touch throttled, minimum seconds between two extensions of a session's idle timeout
    /// [default: 60, or half the idle timeout if that is less]
    #[arg(long, env = "AUTHBENCH_TOUCH_INTERVAL_S", value_name = "SECONDS")]
    pub touch_interval_s: Option<u64>,
    /// Number of connections of session-redis-pool [default: 64] or session-postgres [default: 8]
    #[arg(long, env = "AUTHBENCH_POOL_SIZE", value_name = "N")]
    pub pool_size: Option<usize>,
    /// Maximum number of sessions in the cache of session-redis-cached [default: 100000]
    #[arg(long, env = "AUTHBENCH_CACHE_ENTRIES", value_name = "N")]
    pub cache_entries: Option<usize>,
    /// With session-redis-cached, maximum age of the cache in seconds; if invalidations may be later, Redis is queried
    /// [default: 2]
    #[arg(long, env = "AUTHBENCH_PROPAGATION_S", value_name = "SECONDS")]
    pub propagation_s: Option<u64>,
    /// Key of cookie-sealed: a file of 32 bytes, which several servers may share [default: a new key]
    #[arg(long, env = "AUTHBENCH_SEALING_KEY_FILE", value_name = "FILE")]
    pub sealing_key_file: Option<PathBuf>,
}

impl SessionOptions {
    /// How long sessions live, if that can be.
    pub fn limits(&self, start: &ModuleSettings) -> Result<Limits, StartError> {
        let absolute_s = start.absolute_ttl_s;
        let idle_s = start.credential_ttl_s.unwrap_or(DEFAULT_IDLE_S.min(absolute_s));
        if idle_s > absolute_s {
            return usage(format!(
                "--credential-ttl-s {idle_s}: must be at most {absolute_s}, the value of --absolute-ttl-s"
            ));
        }
        let touch_interval_s = self.touch_interval_s.unwrap_or(DEFAULT_TOUCH_INTERVAL_S.min(idle_s / 2));
        if start.touch == Touch::Throttled && touch_interval_s >= idle_s {
            return usage(format!(
                "--touch-interval-s {touch_interval_s}: must be below the idle timeout of {idle_s}, or active sessions \
                 expire"
            ));
        }
        Ok(Limits { idle_s, absolute_s, touch: start.touch, touch_interval_s })
    }
}

/// The auth module of `session-server`.
pub struct Session;

impl AuthModule for Session {
    const BINARY: &'static str = "session-server";
    type Options = SessionOptions;
    type Authenticator = AnySessions;

    async fn build(start: &ModuleSettings, options: SessionOptions) -> Result<Built<AnySessions>, StartError> {
        let backend = match start.scheme.kind() {
            Kind::Session(backend) => backend,
            Kind::Sealed => return stores::at_start(sealed(start, &options)).await,
            Kind::Anonymous | Kind::Token { .. } | Kind::Hybrid => {
                return usage(format!("--scheme {}: not a session scheme", start.scheme));
            }
        };
        let limits = options.limits(start)?;
        let (store, directory) = stores::at_start(open_store(backend, start, &options)).await?;
        Ok(Built { authenticator: AnySessions::Stored(Sessions::new(start.scheme, store, limits)), directory })
    }
}

/// Returns the store of a scheme and its directory. This is the only registration that a new store needs here.
async fn open_store(
    backend: SessionBackend,
    start: &ModuleSettings,
    options: &SessionOptions,
) -> Result<(AnyStore, Arc<dyn Directory>), StartError> {
    Ok(match backend {
        SessionBackend::Redis => {
            let redis = stores::multiplexed(start, StoredData::Credentials).await?;
            (AnyStore::Multiplexed(RedisStore::new(Arc::clone(&redis))), directory(redis))
        }
        SessionBackend::RedisPool => {
            let redis = stores::pooled(start, pool_size(options, DEFAULT_POOL_SIZE)?).await?;
            (AnyStore::Pooled(RedisStore::new(Arc::clone(&redis))), directory(redis))
        }
        SessionBackend::RedisCached => {
            let redis = stores::multiplexed(start, StoredData::Credentials).await?;
            let address = stores::redis_address(start)?;
            let entries = at_least_one("--cache-entries", options.cache_entries.unwrap_or(DEFAULT_CACHE_ENTRIES))?;
            let started =
                CachedStore::start(Arc::clone(&redis), address.clone(), entries, propagation_s(options)?).await;
            let cached = started.map_err(|error| stores::unreachable(&address, &error))?;
            (AnyStore::Cached(cached), directory(redis))
        }
        SessionBackend::RedisCluster => {
            let redis = stores::clustered(start).await?;
            (AnyStore::Clustered(RedisStore::sharded(Arc::clone(&redis))), directory(redis))
        }
        SessionBackend::Postgres => {
            let size = pool_size(options, DEFAULT_POSTGRES_POOL_SIZE)?;
            let postgres = stores::postgres(start, size).await?;
            let store = PostgresStore::new(Arc::clone(&postgres)).await.map_err(|error| unusable(&error))?;
            match store.probe().await {
                // A full one serves reads and logouts; /readyz reports what it does not serve.
                Ok(()) | Err(StoreError::NotWritable(_)) => {}
                Err(error) => return Err(unusable(&error)),
            }
            let directory = PostgresDirectory::new(postgres).await.map_err(|error| unusable(&error))?;
            (AnyStore::Postgres(store), Arc::new(directory))
        }
        SessionBackend::Memory => (AnyStore::Memory(MemoryStore::default()), Arc::new(InMemory::default())),
    })
}

fn directory<L: Link>(redis: Arc<Redis<L>>) -> Arc<dyn Directory> {
    Arc::new(RedisDirectory::new(redis))
}

/// Sealed sessions. With `--redis-url` servers share what they know of changed users; sessions never go there.
async fn sealed(start: &ModuleSettings, options: &SessionOptions) -> Result<Built<AnySessions>, StartError> {
    let Limits { idle_s: ttl_s, absolute_s, .. } = options.limits(start)?;
    let directory: Arc<dyn Directory> = match start.redis_url {
        Some(_) => directory(stores::multiplexed(start, StoredData::Users).await?),
        None => Arc::new(InMemory::default()),
    };
    let key = match &options.sealing_key_file {
        Some(file) => sealing_key(file)?,
        None => SealingKey::random().map_err(StartError::Failed)?,
    };
    let sealed = Sealed::new(start.scheme, Lifetime { ttl_s, absolute_s }, start.carrier, key, Arc::clone(&directory));
    // Better here than at the first login: a session too large for a cookie is unusable.
    if let Err(error) = sealed.seal(Identity::seeded(0, start.roles), u64::MAX, 0, absolute_s) {
        return usage(format!("--roles {}: {error}", start.roles));
    }
    Ok(Built { authenticator: AnySessions::Sealed(sealed), directory })
}

fn sealing_key(file: &Path) -> Result<SealingKey, StartError> {
    let rejected = |error: String| StartError::Usage(format!("--sealing-key-file {}: {error}", file.display()));
    let bytes = chassis::file::read(file).map_err(|error| rejected(error.to_string()))?;
    SealingKey::from_bytes(&bytes).map_err(|error| rejected(error.to_string()))
}

fn pool_size(options: &SessionOptions, default: usize) -> Result<usize, StartError> {
    at_least_one("--pool-size", options.pool_size.unwrap_or(default))
}

fn propagation_s(options: &SessionOptions) -> Result<u64, StartError> {
    let seconds = options.propagation_s.unwrap_or(DEFAULT_PROPAGATION_S);
    if (1..=MAX_PROPAGATION_S).contains(&seconds) {
        return Ok(seconds);
    }
    usage(format!("--propagation-s {seconds}: must be between 1 and {MAX_PROPAGATION_S} seconds"))
}

fn at_least_one(flag: &str, count: usize) -> Result<usize, StartError> {
    if count == 0 { usage(format!("{flag} 0: must be at least 1")) } else { Ok(count) }
}

fn usage<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Usage(text))
}

fn unusable(error: &StoreError) -> StartError {
    let remedy = match error {
        StoreError::NotWritable(_) => "free disk space or set default_transaction_read_only to off",
        StoreError::Unavailable(_) => "make sure that this user may create tables and write to them",
    };
    StartError::Failed(format!("cannot store sessions in PostgreSQL: {error}; {remedy}"))
}
