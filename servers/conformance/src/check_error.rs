//! Why a check ends early.

use crate::wire::Response;

/// A check that does not continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckError {
    /// The server violates the check.
    Fail(String),
    /// The check does not apply here.
    NotApplicable(String),
}

/// The result of a step of a check.
pub(crate) type CheckResult<T = ()> = Result<T, CheckError>;

/// Ends the check with a failure.
pub(crate) fn fail<T>(why: impl Into<String>) -> CheckResult<T> {
    Err(CheckError::Fail(why.into()))
}

/// Ends the check as not applicable to this server.
pub(crate) fn not_applicable<T>(reason: impl Into<String>) -> CheckResult<T> {
    Err(CheckError::NotApplicable(reason.into()))
}

/// Continues if this holds.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { fail(why()) }
}

/// Continues if the check applies.
pub(crate) fn applicable(holds: bool, reason: &str) -> CheckResult {
    if holds { Ok(()) } else { not_applicable(reason) }
}

impl Response {
    /// Continues if the status is this one.
    pub(crate) fn must_be(&self, status: u16, what: &str) -> CheckResult {
        ensure(self.status == status, || format!("{what}: {} instead of {status}", self.status))
    }

    /// Continues if it is a client error: 4xx.
    pub(crate) fn must_be_4xx(&self, what: &str) -> CheckResult {
        ensure((400..500).contains(&self.status), || format!("{what}: {} instead of a 4xx", self.status))
    }
}

/// Reasons why a check does not apply, each defined once.
pub(crate) mod reason {
    pub(crate) const NO_KEYS: &str = "no signing key is given: give the server's own (--secret-file or --key-file) to \
         forge tokens that differ from valid ones in one property";
    pub(crate) const OTHER_KEYS: &str =
        "the server rejects a token signed with the given key: it is not, or no longer, the server's key";
    pub(crate) const NO_CLOCK: &str = "the server's clock cannot be advanced: start the server with --bench";
    pub(crate) const NO_MINT: &str = "there is no /bench/mint: start the server with --bench";
    pub(crate) const NO_STORE: &str = "the store cannot be disturbed: `authbench conform` does not control it (see StoreControl \
         in the crate conformance)";
    pub(crate) const NO_MEMORY: &str =
        "the server's memory cannot be read: the server must be a single process of the same user on this machine";
    pub(crate) const ONE_NODE: &str = "there is only one server: repeat --target for a server that shares its store";
    pub(crate) const CUT_TOGETHER: &str = "all servers lose the store together";
    pub(crate) const NO_LOG: &str = "no log file is given: pass --log FILE";
    pub(crate) const NO_STARTER: &str = "servers cannot be started with other flags: `authbench conform` does not start servers (see \
         Starter in the crate conformance)";
    pub(crate) const NO_ADMIN: &str = "user-000000 cannot log in or does not have the role admin";
    pub(crate) const NO_FACTS: &str = "the server has no /bench/scheme that states this property";
    pub(crate) const NOT_JWS: &str = "the credential is not a signed token";
    pub(crate) const NOT_SEALED: &str = "the credential is not a sealed session";
    pub(crate) const NOT_COOKIE: &str = "the carrier is bearer";
    pub(crate) const NOT_BEARER: &str = "the carrier is cookie";
    pub(crate) const NO_PUBLIC_KEY: &str = "the algorithm is symmetric and has no public key";
    pub(crate) const NO_REFRESH_TOKEN: &str = "there are no refresh tokens: the credential itself is renewed";
    pub(crate) const STORE_WITHIN: &str = "the server has no external store";
    pub(crate) const NO_ROTATION: &str = "the server has no key to rotate or runs without --bench";
    pub(crate) const IDLE_IN_STORE: &str =
        "with --touch always the store's own clock enforces the idle timeout, and that clock cannot be advanced";
    pub(crate) const NO_IDLE_LIMIT: &str = "there is no idle timeout: a credential is renewed, not extended";
    pub(crate) const ENDS_NOTHING: &str = "a logout revokes nothing at the server: the revocation class is expiry";
    pub(crate) const LONG_WINDOW: &str = "the revocation window is longer than 15 s and does not follow the adjustable \
         clock: start the server with a shorter one";
    pub(crate) const GRACE: &str = "the server accepts a used refresh token again during its declared grace period";
}
