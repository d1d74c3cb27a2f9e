//! Row 25: while its store rejects writes, a server accepts no login that it cannot revoke.

use std::time::Duration;

use contract::{RevocationClass, StoreDown, route, user};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, not_applicable, reason};
use crate::login::Login;
use crate::subject::StoreControl;
use crate::wire::Request;

/// How long a server may take to recover when the store accepts writes again.
const RECOVERY: Duration = Duration::from_secs(30);
/// Tolerance in addition to a revocation window.
const SLACK: Duration = Duration::from_secs(2);

pub(super) const CHECKS: &[Check] = &[Check {
    id: "full-store-allows-logout",
    row: 25,
    title: "While the store rejects writes, logouts work; a login gets 503, or a credential whose logout works.",
    source: "OWASP Fail Securely; CWE-636",
    run: logouts_work,
}];

/// A store that rejects writes until this value is dropped.
struct FullStore<'c>(&'c dyn StoreControl);

impl<'c> FullStore<'c> {
    fn begin(store: &'c dyn StoreControl) -> CheckResult<Self> {
        match store.reject_writes() {
            Ok(()) => Ok(Self(store)),
            Err(error) => not_applicable(format!("the store cannot be made to reject writes: {error}")),
        }
    }
}

impl Drop for FullStore<'_> {
    fn drop(&mut self) {
        let _ = self.0.accept_writes();
    }
}

fn logouts_work(context: &CheckContext<'_>) -> CheckResult {
    let store = context.store_control()?;
    applicable(CheckContext::require(context.facts.store_down())? != StoreDown::NotNeeded, reason::STORE_WITHIN)?;
    let logins = [context.login()?, context.login()?];
    let full = FullStore::begin(store)?;
    let checked = check_without_writes(context, &logins);
    drop(full);
    let again = context.wait_until(RECOVERY, || Ok(context.login().is_ok()))?;
    ensure(again, || format!("no login works within {RECOVERY:?} after the store accepts writes again"))?;
    checked
}

fn check_without_writes(context: &CheckContext<'_>, [one, other]: &[Login; 2]) -> CheckResult {
    must_log_out(context, route::LOGOUT, one)?;
    must_log_out(context, route::LOGOUT_ALL, other)?;
    let response = context.send(&CheckContext::login_request(&context.fresh_user(), user::PASSWORD))?;
    match context.issued_credential(&response) {
        Some(issued) => must_log_out(context, route::LOGOUT, &Login::new("", issued, response)),
        None => response.must_be(503, "a login while the store rejects writes"),
    }
}

fn must_log_out(context: &CheckContext<'_>, path: &str, login: &Login) -> CheckResult {
    let what = format!("{path} while the store rejects writes");
    context.send(&context.post(path, &login.credential))?.must_be(204, &what)?;
    if context.facts.class() == Some(RevocationClass::Expiry) || login.refresh_token.is_some() {
        return context.send(&context.renewal_request(login))?.must_be(401, &format!("the renewal after {what}"));
    }
    let window = Duration::from_secs(CheckContext::require(context.facts.window_s())?);
    let me = context.with(Request::get(route::ME), &login.credential);
    let rejected = context.wait_until(window + SLACK, || Ok(context.send(&me)?.status == 401))?;
    ensure(rejected, || {
        format!("after {what} its credential is accepted for longer than the revocation window of {window:?}")
    })
}
