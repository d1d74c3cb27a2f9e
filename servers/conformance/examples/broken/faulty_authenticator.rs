//! A faulty authenticator in front of the real one.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::auth::{AuthError, Authenticator, Description, Issued, Presented, UnixSeconds};
use chassis::directory::Change;
use contract::body::Identity;
use tokio::sync::Mutex as AsyncMutex;

use crate::faults::Fault;
use crate::recording_directory::Changes;
use crate::token_rewriter::TokenRewriter;

/// Characters of an id that is too short: 48 bits.
const SHORT_ID_CHARS: usize = 8;
/// Memory kept for each rejected credential.
const REJECTED_CREDENTIAL_BYTES: usize = 64 * 1024;
/// How long a write may take.
const WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// The position at which an id is issued twice.
const DUPLICATE_AT: usize = 1500;

/// State of the faulty authenticator.
#[derive(Default)]
struct Memory {
    /// Credentials issued in place of real ones.
    aliases: HashMap<String, String>,
    /// The credentials of every user, the newest last.
    issued_credentials: HashMap<u32, Vec<String>>,
    /// The user of each of these credentials.
    owners: HashMap<String, u32>,
    /// The family of every refresh token, and the newest of each family.
    families: HashMap<String, usize>,
    newest: Vec<String>,
    count: usize,
    last: String,
    /// Credentials that were issued before the last rotation or presented during an outage.
    forgotten: HashSet<String>,
    /// The user of a credential while it was valid.
    remembered: HashMap<String, Identity>,
    /// One entry for each rejection.
    rejected: Vec<Vec<u8>>,
}

pub(crate) struct FaultyAuthenticator<A> {
    inner: A,
    fault: Fault,
    declared: Option<Description>,
    rewriter: Option<TokenRewriter>,
    changes: Changes,
    redis_url: Option<String>,
    memory: Mutex<Memory>,
    renewing: AsyncMutex<()>,
}

const REJECTED_BY_FAULT: AuthError = AuthError::Invalid("refused by mistake, or not");

impl<A: Authenticator> FaultyAuthenticator<A> {
    pub(crate) fn new(
        inner: A,
        fault: Fault,
        declared: Option<Description>,
        rewriter: Option<TokenRewriter>,
        changes: Changes,
        redis_url: Option<String>,
    ) -> Self {
        let (memory, renewing) = (Mutex::default(), AsyncMutex::new(()));
        Self { inner, fault, declared, rewriter, changes, redis_url, memory, renewing }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the real credential behind this one.
    fn real(&self, credential: Option<&str>) -> Option<String> {
        let credential = credential?;
        let memory = self.memory();
        match self.fault {
            Fault::SealedLoose => return Some(memory.similar_issued(credential).unwrap_or(credential).to_owned()),
            Fault::SealedCut => return Some(memory.longer_issued(credential).unwrap_or(credential).to_owned()),
            _ => {}
        }
        Some(memory.aliases.get(credential).map_or(credential, String::as_str).to_owned())
    }

    /// Returns what is issued in place of this credential.
    fn issue_alias(&self, user: u32, mut issued: Issued) -> Issued {
        let Some(real) = issued.credential.clone() else { return issued };
        self.rewriter.iter().for_each(|rewriter| rewriter.record_valid_token(&real));
        let mut memory = self.memory();
        let alias = memory.alias(self.fault, user, &real);
        memory.owners.insert(real.clone(), user);
        memory.issued_credentials.entry(user).or_default().push(real);
        drop(memory);
        if self.fault == Fault::IdInClear {
            let _ = self.write(&alias);
        }
        if let (Fault::IdleIgnored, Some(declared)) = (self.fault, &self.declared) {
            issued.expires_in = declared.credential_ttl_s.unwrap_or(issued.expires_in).min(issued.expires_in);
        }
        Issued { credential: Some(alias), ..issued }
    }

    /// Returns whether this can be written to the store.
    fn write(&self, credential: &str) -> bool {
        let client = self.redis_url.as_deref().and_then(|url| redis::Client::open(url).ok());
        let connection = client.and_then(|client| client.get_connection_with_timeout(WRITE_TIMEOUT).ok());
        let Some(mut connection) = connection else { return false };
        connection.set_read_timeout(Some(WRITE_TIMEOUT)).is_ok()
            && redis::cmd("SET").arg(format!("clear:{credential}")).arg("1").query::<()>(&mut connection).is_ok()
    }

    /// Returns whether a change of this kind revokes nothing here.
    fn revokes_nothing(&self, change: Option<&Change>) -> bool {
        match (self.fault, change) {
            (Fault::PasswordNothing, Some(change)) => change.password.is_some(),
            (Fault::DisabledNothing, Some(change)) => change.disabled.is_some(),
            (Fault::RolesNothing, Some(change)) => change.roles.is_some(),
            _ => false,
        }
    }

    fn begin_family(&self, token: Option<&String>) {
        let Some(token) = token else { return };
        let mut memory = self.memory();
        let family = memory.newest.len();
        memory.newest.push(token.clone());
        memory.families.insert(token.clone(), family);
    }

    fn continue_family(&self, old: &str, token: Option<&String>) {
        let (mut memory, Some(token)) = (self.memory(), token) else { return };
        let Some(family) = memory.families.get(old).copied() else { return };
        memory.newest[family].clone_from(token);
        memory.families.insert(token.clone(), family);
    }

    /// Returns the refresh token to present in place of this one; none if it is rejected here.
    fn presented(&self, token: &str) -> Option<String> {
        let memory = self.memory();
        let newest = memory.families.get(token).map(|family| memory.newest[*family].clone());
        match self.fault {
            Fault::RefreshReuse | Fault::RefreshStays => Some(newest.unwrap_or_else(|| token.to_owned())),
            Fault::FamilySurvives => newest.is_none_or(|newest| newest == token).then(|| token.to_owned()),
            _ => Some(token.to_owned()),
        }
    }

    fn describes_refresh_token(&self) -> bool {
        self.declared.as_ref().is_some_and(|declared| declared.refresh_token)
    }
}

impl Memory {
    /// Returns what is issued in place of this.
    fn alias(&mut self, fault: Fault, user: u32, real: &str) -> String {
        self.count += 1;
        let alias = match fault {
            Fault::ShortIds => real[..SHORT_ID_CHARS].to_owned(),
            Fault::SealedReadable => readable(user, real),
            Fault::EqualIds if self.count.is_multiple_of(DUPLICATE_AT) => self.last.clone(),
            _ => real.to_owned(),
        };
        self.last.clone_from(&alias);
        self.aliases.insert(alias.clone(), real.to_owned());
        alias
    }

    /// Returns the issued credentials that stay valid when this one is revoked.
    fn longer_issued(&self, credential: &str) -> Option<&str> {
        let begins = |real: &&String| real.starts_with(credential) && 2 * credential.len() > real.len();
        self.issued_credentials.values().flatten().find(begins).map(String::as_str)
    }

    /// Returns this verdict as changed by earlier ones.
    fn apply_memory(
        &mut self,
        fault: Fault,
        credential: &str,
        verdict: Result<Identity, AuthError>,
    ) -> Result<Identity, AuthError> {
        match (fault, verdict) {
            (Fault::OutageForgets, Err(error @ AuthError::StoreUnavailable(_))) => {
                self.forgotten.insert(credential.to_owned());
                Err(error)
            }
            (Fault::OutageForgets, Ok(_)) if self.forgotten.contains(credential) => Err(REJECTED_BY_FAULT),
            (Fault::ServesStale, Ok(identity)) => {
                self.remembered.insert(credential.to_owned(), identity.clone());
                Ok(identity)
            }
            (Fault::ServesStale, Err(error @ AuthError::StoreUnavailable(_))) => {
                self.remembered.get(credential).cloned().ok_or(error)
            }
            (Fault::ServesStale, Err(error)) => {
                self.remembered.remove(credential);
                Err(error)
            }
            (Fault::RemembersRefused, Err(error)) => {
                self.rejected.push(vec![1; REJECTED_CREDENTIAL_BYTES]);
                Err(error)
            }
            (_, verdict) => verdict,
        }
    }

    /// Returns what has been issued so far.
    fn forget(&mut self) {
        self.forgotten = self.issued_credentials.values().flatten().cloned().collect();
    }

    /// Returns the user of this credential, if it was issued.
    fn owner(&self, credential: &str) -> Option<u32> {
        self.owners.get(credential).copied()
    }

    /// Returns the issued credential that differs from this one in a few positions only.
    fn similar_issued(&self, credential: &str) -> Option<&str> {
        let near = |real: &&String| {
            let same = real.bytes().zip(credential.bytes()).filter(|(one, other)| one == other).count();
            real.len() == credential.len() && same + 3 > real.len()
        };
        self.issued_credentials.values().flatten().find(near).map(String::as_str)
    }
}

/// A sealed session after its reversed user name, so that no part of it is valid by itself.
fn readable(user: u32, real: &str) -> String {
    let mut sealed = URL_SAFE_NO_PAD.decode(real).unwrap_or_default();
    sealed.reverse();
    URL_SAFE_NO_PAD.encode([contract::user::username(user).as_bytes(), &sealed].concat())
}

impl<A: Authenticator> Authenticator for FaultyAuthenticator<A> {
    fn describe(&self) -> Description {
        match (self.fault, &self.declared) {
            (Fault::AbsoluteIgnored | Fault::IdleIgnored | Fault::NoTouch, Some(declared)) => declared.clone(),
            _ => self.inner.describe(),
        }
    }

    async fn issue(&self, identity: &Identity, now: UnixSeconds) -> Result<Issued, AuthError> {
        let issued = self.inner.issue(identity, now).await?;
        self.begin_family(issued.refresh_token.as_ref());
        Ok(self.issue_alias(identity.id, issued))
    }

    async fn verify(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        if let (Fault::CredentialInLog, Some(credential)) = (self.fault, credential) {
            eprintln!("verifying {credential}");
        }
        if self.fault == Fault::AsksStore && credential.is_some() {
            self.inner.ready().await?;
        }
        if let (Some(rewriter), Some(credential)) = (&self.rewriter, credential) {
            rewriter.fetch(credential);
        }
        let real = self.real(credential);
        if self.fault == Fault::RotationForgets && self.memory().forgotten.contains(real.as_deref().unwrap_or_default())
        {
            return Err(REJECTED_BY_FAULT);
        }
        let verdict = self.inner.verify(real.as_deref(), now).await;
        let verdict = self.memory().apply_memory(self.fault, real.as_deref().unwrap_or_default(), verdict);
        let owner = real.as_deref().and_then(|real| self.memory().owner(real));
        match (verdict, self.fault) {
            (Err(AuthError::StoreUnavailable(_)), Fault::OutageRefuses) => Err(REJECTED_BY_FAULT),
            (Err(AuthError::StoreUnavailable(_)), Fault::OutageAllows) => Ok(Identity::seeded(1, 1)),
            (Err(AuthError::Invalid(_)), Fault::SealedForever) => {
                owner.map(|user| Identity::seeded(user, 1)).ok_or(REJECTED_BY_FAULT)
            }
            (Err(AuthError::Invalid(reason)), _) => {
                let rewritten = self.rewriter.as_ref().and_then(|rewriter| rewriter.rewrite(credential?, now));
                match rewritten {
                    Some(token) => self.inner.verify(Some(&token), now).await,
                    None => Err(AuthError::Invalid(reason)),
                }
            }
            (verdict, _) => verdict,
        }
    }

    async fn verify_current(&self, credential: Option<&str>, now: UnixSeconds) -> Result<Identity, AuthError> {
        self.inner.verify_current(self.real(credential).as_deref(), now).await
    }

    async fn renew(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(Identity, Issued), AuthError> {
        let _turn = self.renewing.lock().await;
        let real = self.real(credential);
        let presented = match real.as_deref() {
            Some(token) if self.describes_refresh_token() => Some(self.presented(token).ok_or(REJECTED_BY_FAULT)?),
            other => other.map(str::to_owned),
        };
        let (identity, issued) = self.inner.renew(presented.as_deref(), now).await?;
        self.continue_family(presented.as_deref().unwrap_or_default(), issued.refresh_token.as_ref());
        let mut issued = self.issue_alias(identity.id, issued);
        if self.fault == Fault::RefreshStays {
            issued.refresh_token = real;
        }
        Ok((identity, issued))
    }

    async fn revoke(&self, credential: Option<&str>, now: UnixSeconds) -> Result<(), AuthError> {
        let real = self.real(credential);
        self.memory().remembered.remove(real.as_deref().unwrap_or_default());
        match self.fault {
            Fault::LogoutEndsAll => {
                let identity = self.inner.verify(real.as_deref(), now).await?;
                self.inner.revoke_user(identity.id, now).await
            }
            Fault::LogoutWrites if !self.write("logout") => {
                Err(AuthError::StoreUnavailable("a logout writes first".into()))
            }
            Fault::LogoutNothing => self.inner.verify(real.as_deref(), now).await.map(drop),
            _ => self.inner.revoke(real.as_deref(), now).await,
        }
    }

    async fn log_out(&self, presented: Presented<'_>, now: UnixSeconds) -> Result<(), AuthError> {
        if matches!(self.fault, Fault::LogoutEndsAll | Fault::LogoutNothing | Fault::LogoutWrites) {
            return self.revoke(presented.credential, now).await;
        }
        let real = self.real(presented.credential);
        self.memory().remembered.remove(real.as_deref().unwrap_or_default());
        self.inner.log_out(Presented { credential: real.as_deref(), ..presented }, now).await
    }

    async fn user_of(&self, presented: Presented<'_>, now: UnixSeconds) -> Result<u32, AuthError> {
        let real = self.real(presented.credential);
        self.inner.user_of(Presented { credential: real.as_deref(), ..presented }, now).await
    }

    async fn revoke_user(&self, user: u32, now: UnixSeconds) -> Result<(), AuthError> {
        let change = self.changes.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
        if self.revokes_nothing(change.as_ref()) {
            return Ok(());
        }
        if self.fault == Fault::LogoutAllOne && change.is_none() {
            let newest = self.memory().issued_credentials.get_mut(&user).and_then(Vec::pop);
            let _ = self.inner.revoke(newest.as_deref(), now).await;
            return Ok(());
        }
        self.memory().remembered.retain(|_, identity| identity.id != user);
        self.inner.revoke_user(user, now).await
    }

    async fn ready(&self) -> Result<(), AuthError> {
        self.inner.ready().await
    }

    fn jwks(&self, now: UnixSeconds) -> Option<serde_json::Value> {
        let mut set = self.inner.jwks(now);
        if self.fault == Fault::KeyForgotten {
            let keys = set.as_mut().and_then(|set| set["keys"].as_array_mut());
            if let Some(keys) = keys {
                keys.truncate(1);
            }
        }
        set
    }

    async fn rotate(&self, now: UnixSeconds) -> Result<bool, AuthError> {
        self.memory().forget();
        self.inner.rotate(now).await
    }
}
