//! The settings of `edge-server`, and its scheme made from them.

use std::path::PathBuf;
use std::sync::Arc;

use chassis::module::{AuthModule, Built, ModuleSettings, StartError};
use jwt::{Algorithm, DownstreamIssuer};
use session::store::RedisStore;
use session::{SessionOptions, Sessions};
use stores::StoredData;
use stores::directory::RedisDirectory;

use crate::Edge;

/// Long enough to save most signatures, and short: a session revoked at the edge is rejected inside
/// within a minute.
const DEFAULT_INNER_TTL_S: u64 = 60;
/// Two seconds: `exp` counts whole ones, so that a token of one second may be over before it arrives.
const MIN_INNER_TTL_S: u64 = 2;
const MAX_INNER_TTL_S: u64 = 3600;

/// Flags, environment variables and the table `[auth]` of the configuration file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct HybridOptions {
    /// Signature algorithm of the downstream tokens: HS256, EdDSA, ES256 or RS256 [default: `EdDSA`]
    #[arg(long, env = "AUTHBENCH_INNER_ALGORITHM", value_name = "ALG")]
    pub inner_algorithm: Option<String>,
    /// Lifetime of a downstream token, in seconds [default: 60]
    #[arg(long, env = "AUTHBENCH_INNER_TTL_S", value_name = "SECONDS")]
    pub inner_ttl_s: Option<u64>,
    /// Key of the downstream tokens: a PKCS #8 PEM file, or for HS256 a secret of at least 32 bytes
    /// [default: a new key]
    #[arg(long, env = "AUTHBENCH_INNER_KEY_FILE", value_name = "FILE")]
    pub inner_key_file: Option<PathBuf>,
    /// With --touch throttled, minimum seconds between two extensions of a session's idle timeout
    /// [default: 60, or half the idle timeout if that is less]
    #[arg(long, env = "AUTHBENCH_TOUCH_INTERVAL_S", value_name = "SECONDS")]
    pub touch_interval_s: Option<u64>,
}

/// The auth module of `edge-server`.
pub struct Hybrid;

impl AuthModule for Hybrid {
    const BINARY: &'static str = "edge-server";
    type Options = HybridOptions;
    type Authenticator = Edge;

    async fn build(start: &ModuleSettings, options: HybridOptions) -> Result<Built<Edge>, StartError> {
        let outside = SessionOptions { touch_interval_s: options.touch_interval_s, ..SessionOptions::default() };
        let limits = outside.limits(start)?;
        let inner_ttl_s = inner_ttl_s(&options)?;
        let downstream =
            DownstreamIssuer::new(start, algorithm(&options)?, options.inner_key_file.as_deref(), inner_ttl_s)?;
        let redis = stores::at_start(stores::multiplexed(start, StoredData::Credentials)).await?;
        let sessions = Sessions::new(start.scheme, RedisStore::new(Arc::clone(&redis)), limits);
        let directory = Arc::new(RedisDirectory::new(redis));
        Ok(Built { authenticator: Edge::new(sessions, downstream, inner_ttl_s), directory })
    }
}

fn algorithm(options: &HybridOptions) -> Result<Algorithm, StartError> {
    let Some(name) = options.inner_algorithm.as_deref() else { return Ok(Algorithm::EdDsa) };
    Algorithm::named(name).ok_or_else(|| {
        let known = Algorithm::ALL.map(Algorithm::name).join(", ");
        StartError::Usage(format!("--inner-algorithm {name}: unknown algorithm; supported: {known}"))
    })
}

fn inner_ttl_s(options: &HybridOptions) -> Result<u64, StartError> {
    let seconds = options.inner_ttl_s.unwrap_or(DEFAULT_INNER_TTL_S);
    if (MIN_INNER_TTL_S..=MAX_INNER_TTL_S).contains(&seconds) {
        return Ok(seconds);
    }
    Err(StartError::Usage(format!(
        "--inner-ttl-s {seconds}: must be between {MIN_INNER_TTL_S} and {MAX_INNER_TTL_S} seconds"
    )))
}
