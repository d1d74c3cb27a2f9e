//! The scheme of `jwt-server`, made from its settings.

use std::sync::Arc;

use chassis::carrier;
use chassis::directory::{Directory, InMemory};
use chassis::module::{AuthModule, Built, ModuleSettings, StartError};
use contract::body::Identity;
use contract::{EarlyRevocation, Kind};
use stores::directory::RedisDirectory;
use stores::{Multiplexed, Redis, StoredData};

use crate::AnyTokens;
use crate::authenticator::Tokens;
use crate::claims::Grant;
use crate::issuer::Issuer;
use crate::options::{JwtOptions, Windows, usage};
use crate::refresh::{Families, Refreshing};
use crate::revocation::{Denylist, Epochs, Ledger, Push, SignatureOnly};

/// The quarter of an hour that most issuers give an access token.
const DEFAULT_TTL_S: u64 = 900;
/// The five minutes of one that is refreshed, because nothing ends it before.
const DEFAULT_REFRESHED_TTL_S: u64 = 300;

/// The auth module of `jwt-server`.
pub struct Jwt;

impl AuthModule for Jwt {
    const BINARY: &'static str = "jwt-server";
    type Options = JwtOptions;
    type Authenticator = AnyTokens;

    async fn build(start: &ModuleSettings, options: JwtOptions) -> Result<Built<AnyTokens>, StartError> {
        let Kind::Token { algorithm, early_revocation } = start.scheme.kind() else {
            return usage(format!("--scheme {}: its credential is not a token", start.scheme));
        };
        let windows = options.windows()?;
        let ttl_s = if early_revocation == EarlyRevocation::Refresh { DEFAULT_REFRESHED_TTL_S } else { DEFAULT_TTL_S };
        let policy = options.policy(start, ttl_s)?;
        let issuer = Issuer::new(options.signing_key(algorithm)?, policy).with_remote_keys(options.trusted_jwks_url()?);
        check_token_size(start, &issuer, early_revocation)?;
        stores::at_start(async {
            match early_revocation {
                EarlyRevocation::Nothing => signature_only(start, issuer).await,
                EarlyRevocation::Refresh => refreshing(start, issuer, windows).await,
                EarlyRevocation::Denylist => denylist(start, issuer).await,
                EarlyRevocation::Push => push(start, issuer, windows).await,
                EarlyRevocation::Epoch => epochs(start, issuer, windows).await,
            }
        })
        .await
    }
}

/// The signature alone. With Redis, servers agree on who may log in and renew.
async fn signature_only(start: &ModuleSettings, issuer: Issuer) -> Result<Built<AnyTokens>, StartError> {
    let directory: Arc<dyn Directory> = match start.redis_url {
        Some(_) => Arc::new(RedisDirectory::new(stores::multiplexed(start, StoredData::Users).await?)),
        None => Arc::new(InMemory::default()),
    };
    let revocation = SignatureOnly::new(Arc::clone(&directory), issuer.policy().max_lifetime_s());
    Ok(Built { authenticator: Tokens::new(start.scheme, issuer, revocation).into(), directory })
}

async fn refreshing(start: &ModuleSettings, issuer: Issuer, windows: Windows) -> Result<Built<AnyTokens>, StartError> {
    let redis = stores::multiplexed(start, StoredData::Credentials).await?;
    let families = Families::new(Arc::clone(&redis), windows.refresh_grace_s);
    Ok(over_redis(redis, Refreshing::new(start.scheme, issuer, families)))
}

async fn denylist(start: &ModuleSettings, issuer: Issuer) -> Result<Built<AnyTokens>, StartError> {
    let redis = stores::multiplexed(start, StoredData::Credentials).await?;
    let ledger = Ledger::new(Arc::clone(&redis), issuer.policy());
    Ok(over_redis(redis, Tokens::new(start.scheme, issuer, Denylist::new(ledger))))
}

async fn push(start: &ModuleSettings, issuer: Issuer, windows: Windows) -> Result<Built<AnyTokens>, StartError> {
    let (redis, address) = (stores::multiplexed(start, StoredData::Credentials).await?, stores::redis_address(start)?);
    let ledger = Ledger::new(Arc::clone(&redis), issuer.policy()).with_push();
    let push = Push::start(ledger, address.clone(), windows.propagation_s).await;
    let push = push.map_err(|error| stores::unreachable(&address, &error))?;
    Ok(over_redis(redis, Tokens::new(start.scheme, issuer, push)))
}

async fn epochs(start: &ModuleSettings, issuer: Issuer, windows: Windows) -> Result<Built<AnyTokens>, StartError> {
    let redis = stores::multiplexed(start, StoredData::Credentials).await?;
    let ledger = Ledger::new(Arc::clone(&redis), issuer.policy());
    Ok(over_redis(redis, Tokens::new(start.scheme, issuer, Epochs::new(ledger, windows.epoch_ttl_s))))
}

/// A scheme over Redis, where the changed users are as well.
fn over_redis(redis: Arc<Redis<Multiplexed>>, tokens: impl Into<AnyTokens>) -> Built<AnyTokens> {
    Built { authenticator: tokens.into(), directory: Arc::new(RedisDirectory::new(redis)) }
}

/// Better here than at the first login: a token too long to be sent or accepted is unusable.
fn check_token_size(
    start: &ModuleSettings,
    issuer: &Issuer,
    early_revocation: EarlyRevocation,
) -> Result<(), StartError> {
    let roles = start.roles;
    // An admin has a role more, and most others have more digits.
    for user in [0, 999_999] {
        let largest_token = issuer.largest_token(&Identity::seeded(user, roles), &largest_grant(early_revocation));
        let token = largest_token.or_else(|error| usage(format!("--roles {roles}: {error}")))?;
        if !carrier::fits(start.carrier, &token) {
            let (bytes, most) = (token.len(), carrier::MAX_COOKIE_BYTES);
            return usage(format!(
                "--roles {roles}: a token of {bytes} bytes does not fit into a cookie of {most} bytes; set fewer roles \
                 or --carrier bearer"
            ));
        }
    }
    Ok(())
}

/// Returns a grant as large as any of this scheme.
const fn largest_grant(early_revocation: EarlyRevocation) -> Grant<'static> {
    let (epoch, sid) = match early_revocation {
        EarlyRevocation::Nothing => (9999, None),
        EarlyRevocation::Refresh => (0, Some("a-family-of-22-letters")),
        EarlyRevocation::Denylist | EarlyRevocation::Push | EarlyRevocation::Epoch => (9_999_999_999_999_999, None),
    };
    Grant { auth_time: 0, ends_at: 0, epoch, sid }
}
