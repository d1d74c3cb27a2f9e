//! Row 25: while its store rejects writes, a server accepts no login that it cannot revoke.

use std::time::Duration;

use contract::{RevocationClass, StoreDown, route, user};

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, not_applicable, reason};
use crate::subject::StoreControl;
use crate::wire::Request;

/// How long a server may take to recover when the store accepts writes again.
const RECOVERY: Duration = Duration::from_secs(30);
/// Tolerance in addition to a revocation window.
const SLACK: Duration = Duration::from_secs(2);

pub(super) const CHECKS: &[Check] = &[Check {
    id: "full-store-lets-out",
    row: 25,
    title: "While the store rejects writes, logouts work, and a login either works with its logout or gets 503.",
    source: "OWASP Fail Securely; CWE-636",
    run: lets_out,
}];

/// A store that rejects writes until this value is dropped.
struct Full<'c>(&'c dyn StoreControl);

impl<'c> Full<'c> {
    fn begin(store: &'c dyn StoreControl) -> Step<Self> {
        match store.refuse_writes() {
            Ok(()) => Ok(Self(store)),
            Err(error) => not_applicable(format!("the store cannot be made to reject writes: {error}")),
        }
    }
}

impl Drop for Full<'_> {
    fn drop(&mut self) {
        let _ = self.0.accept_writes();
    }
}

fn lets_out(case: &Case<'_>) -> Step {
    let store = case.store()?;
    applicable(Case::fact(case.facts.store_down())? != StoreDown::NotNeeded, reason::STORE_WITHIN)?;
    let logins = [case.login()?, case.login()?];
    let full = Full::begin(store)?;
    let checked = without_writes(case, &logins);
    drop(full);
    let again = case.comes_to_hold(RECOVERY, || Ok(case.login().is_ok()))?;
    ensure(again, || format!("no login works within {RECOVERY:?} after the store accepts writes again"))?;
    checked
}

fn without_writes(case: &Case<'_>, [one, other]: &[Login; 2]) -> Step {
    must_let_out(case, route::LOGOUT, one)?;
    must_let_out(case, route::LOGOUT_ALL, other)?;
    let answer = case.send(&Case::login_request(&case.fresh_user(), user::PASSWORD))?;
    match case.handed(&answer) {
        Some(handed) => must_let_out(case, route::LOGOUT, &Login::new("", handed, answer)),
        None => answer.must_be(503, "a login while the store rejects writes"),
    }
}

fn must_let_out(case: &Case<'_>, path: &str, login: &Login) -> Step {
    let what = format!("{path} while the store rejects writes");
    case.send(&case.post(path, &login.credential))?.must_be(204, &what)?;
    if case.facts.class() == Some(RevocationClass::Expiry) || login.refresh_token.is_some() {
        return case.send(&case.renewal(login))?.must_be(401, &format!("the renewal after {what}"));
    }
    let window = Duration::from_secs(Case::fact(case.facts.window_s())?);
    let me = case.with(Request::get(route::ME), &login.credential);
    let ended = case.comes_to_hold(window + SLACK, || Ok(case.send(&me)?.status == 401))?;
    ensure(ended, || {
        format!("after {what} its credential is accepted for longer than the revocation window of {window:?}")
    })
}
