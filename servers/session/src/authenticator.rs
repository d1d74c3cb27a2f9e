//! The scheme: what a session id is worth at a given instant.

use chassis::auth::{AuthError, Authenticator, Description, Issued, UnixSeconds};
use contract::body::Identity;
use contract::{Scheme, Touch};

use crate::store::{NewSession, StoreError};
use crate::{Key, Limits, Record, SessionId, SessionStore};

/// Session ids over a store.
///
/// A check costs the store one read. Beyond that it costs, under [`Touch::Throttled`], one write an
/// interval, and under [`Touch::Always`], within the idle limit of the absolute one, a correction
/// of the deadline, because the read that extends a session does not yet know when it must end.
pub struct Sessions<S> {
    scheme: Scheme,
    store: S,
    limits: Limits,
}

impl<S: SessionStore> Sessions<S> {
    /// The scheme with this store and these limits.
    pub const fn new(scheme: Scheme, store: S, limits: Limits) -> Self {
        Self { scheme, store, limits }
    }

    /// The store below.
    pub const fn store(&self) -> &S {
        &self.store
    }

    async fn read_valid(&self, key: &Key, now: UnixSeconds) -> Result<Record, AuthError> {
        decode_unexpired(self.store.read(key, now).await?, now)
    }

    async fn read_and_extend(&self, key: &Key, now: UnixSeconds) -> Result<Record, AuthError> {
        let read = match self.store.read_extending(key, now, self.limits.idle_s).await {
            // A session that cannot be extended is still valid.
            Err(StoreError::NotWritable(_)) => return self.read_valid(key, now).await,
            read => read?,
        };
        let record = decode_unexpired(read, now)?;
        let left_s = record.ends_at.saturating_sub(now);
        if left_s < self.limits.idle_s {
            self.store.set_deadline(key, now, left_s).await?;
        }
        Ok(record)
    }

    async fn read_and_touch(&self, key: &Key, now: UnixSeconds) -> Result<Record, AuthError> {
        let record = self.read_valid(key, now).await?;
        let expires_at = self.limits.idle_deadline(now, record.ends_at);
        if expires_at < record.expires_at + self.limits.touch_interval_s.max(1) {
            return Ok(record);
        }
        let touched = Record { expires_at, ..record.clone() };
        match self.store.rewrite(key, &touched.to_payload(), now, expires_at - now).await {
            // It keeps the end that it has.
            Err(StoreError::NotWritable(_)) => Ok(record),
            written => Ok(written.map(|()| touched)?),
        }
    }

    /// Returns the credential and the record to store for a user whose session must end at `ends_at`.
    fn create_session(
        &self,
        identity: Identity,
        now: UnixSeconds,
        ends_at: UnixSeconds,
    ) -> Result<(SessionId, Record), AuthError> {
        let id = SessionId::random(self.store.shard(identity.id))
            .map_err(|error| AuthError::Internal(format!("no random bytes from the operating system: {error}")))?;
        Ok((id, Record::new(identity, now, self.limits.stored_deadline(now, ends_at), ends_at)))
    }

    fn entry<'a>(&self, id: &SessionId, record: &Record, payload: &'a [u8]) -> NewSession<'a> {
        let now = record.issued_at;
        let ttl_s = self.limits.idle_deadline(now, record.ends_at) - now;
        NewSession { key: id.key(), user: record.id, payload, now, ttl_s, listed_s: record.ends_at - now }
    }
}

impl<S: SessionStore> Authenticator for Sessions<S> {
    fn describe(&self) -> Description {
        Description {
            revocation_window_s: Some(self.store.staleness_s()),
            credential_ttl_s: Some(self.limits.idle_s),
            absolute_ttl_s: Some(self.limits.absolute_s),
            touch: Some(self.limits.touch),
            ..Description::of(self.scheme)
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let (id, record) = self.create_session(identity.clone(), now, now + self.limits.absolute_s)?;
        let payload = record.to_payload();
        let entry = self.entry(&id, &record, &payload);
        self.store.insert(entry).await?;
        Ok(Issued::new(id.into_credential(), entry.ttl_s))
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        let key = key(credential)?;
        let record = match self.limits.touch {
            Touch::Never => self.read_valid(&key, now).await?,
            Touch::Throttled => self.read_and_touch(&key, now).await?,
            Touch::Always => self.read_and_extend(&key, now).await?,
        };
        Ok(record.into_identity())
    }

    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        if self.store.staleness_s() > 0 {
            decode_unexpired(self.store.read_current(&key(credential)?, now).await?, now)?;
        }
        self.verify(credential, now).await
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let old_key = key(credential)?;
        let old = self.read_valid(&old_key, now).await?;
        let ends_at = old.ends_at;
        let (id, record) = self.create_session(old.into_identity(), now, ends_at)?;
        let payload = record.to_payload();
        let entry = self.entry(&id, &record, &payload);
        if !self.store.replace(&old_key, entry).await? {
            return Err(NO_SUCH_SESSION);
        }
        let issued = Issued::new(id.into_credential(), entry.ttl_s);
        Ok((record.into_identity(), issued))
    }

    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        let key = key(credential)?;
        let record = self.read_valid(&key, now).await?;
        if self.store.remove(&key, record.id).await? { Ok(()) } else { Err(NO_SUCH_SESSION) }
    }

    async fn revoke_user(&self, user: u32, _: UnixSeconds) -> Result<(), AuthError> {
        Ok(self.store.remove_all(user).await?)
    }

    async fn ready(&self) -> Result<(), AuthError> {
        Ok(self.store.probe().await?)
    }
}

const NO_SUCH_SESSION: AuthError = AuthError::Invalid("no such session");

fn key(credential: Option<&str>) -> Result<Key, AuthError> {
    Key::of(credential.ok_or(AuthError::Missing)?).ok_or(AuthError::Invalid("not a session id"))
}

fn decode_unexpired(payload: Option<Vec<u8>>, now: UnixSeconds) -> Result<Record, AuthError> {
    let payload = payload.ok_or(NO_SUCH_SESSION)?;
    let record = Record::from_payload(&payload)
        .map_err(|error| AuthError::Internal(format!("a stored session cannot be read: {error}")))?;
    if record.is_expired(now) {
        return Err(AuthError::Invalid("session expired"));
    }
    Ok(record)
}
