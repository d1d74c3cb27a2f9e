//! Row 19: a server without its store follows its declared policy, within a bounded time.

mod cut_off;
mod load;

use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::{Carrier, RevocationClass, StoreDown, route, user};

use super::Check;
use crate::check_context::{CheckContext, PAUSE};
use crate::check_error::{CheckResult, applicable, ensure, not_applicable, reason};
use crate::login::Login;
use crate::subject::StoreControl;
use crate::wire::{Request, Response};

/// The time limit of a response without a store.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(3);
/// How long a server may take to reconnect to its store.
const RECOVERY: Duration = Duration::from_secs(30);
/// The longest window that is waited for in real time.
const MAX_WAITED_WINDOW_S: u64 = 15;
const SOURCE: &str = "RFC 9110 section 15.6.4; OWASP Fail Securely";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "outage-hanging-store",
        row: 19,
        title: "While the store hangs, every response arrives within 3 s and follows the declared policy.",
        source: SOURCE,
        run: |context| during(context, OutageKind::Hangs, policy),
    },
    Check {
        id: "outage-dead-store",
        row: 19,
        title: "While the store is stopped, every response arrives within 3 s and follows the declared policy.",
        source: SOURCE,
        run: |context| during(context, OutageKind::Dead, policy),
    },
    Check {
        id: "outage-clears-no-cookie",
        row: 19,
        title: "During an outage no response clears or sets a cookie.",
        source: SOURCE,
        run: clears_no_cookie,
    },
    Check {
        id: "outage-accepts-no-invalid-credential",
        row: 19,
        title: "A credential that was rejected before an outage is not accepted during it.",
        source: SOURCE,
        run: accepts_no_invalid_credential,
    },
    Check {
        id: "outage-others-served",
        row: 19,
        title: "Routes that need no store are served during an outage.",
        source: SOURCE,
        run: |context| during(context, OutageKind::Hangs, other_routes_are_served),
    },
    Check {
        id: "outage-recovers",
        row: 19,
        title: "When the store is back, the server works again without a restart as soon as /readyz returns 200.",
        source: SOURCE,
        run: recovers,
    },
    Check {
        id: "outage-load-hanging",
        row: 19,
        title: "While the store hangs under load and after it resumes, every response follows the policy.",
        source: SOURCE,
        run: |context| load::during(context, OutageKind::Hangs),
    },
    Check {
        id: "outage-load-dead",
        row: 19,
        title: "While the store is stopped under load and after it restarts, every response follows the policy.",
        source: SOURCE,
        run: |context| load::during(context, OutageKind::Dead),
    },
    Check {
        id: "outage-load-cut",
        row: 19,
        title: "While a server is cut off from the store under load and afterwards, every response follows the policy.",
        source: SOURCE,
        run: |context| load::during(context, OutageKind::Cut),
    },
    Check {
        id: "disconnected-node-rejects-revoked",
        row: 19,
        title: "After the revocation window a server that is cut off from the store rejects a credential that \
                another server has revoked.",
        source: SOURCE,
        run: cut_off::rejects_after_window,
    },
];

/// The kind of an outage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutageKind {
    Hangs,
    Dead,
    /// Cuts off only the last of the servers.
    Cut,
}

/// A store outage that lasts until this value is dropped.
struct Outage<'c> {
    store: &'c dyn StoreControl,
    kind: OutageKind,
}

impl<'c> Outage<'c> {
    fn start(context: &CheckContext<'c>, kind: OutageKind) -> CheckResult<Self> {
        let store = context.store_control()?;
        context.expect_store_outage();
        let started = match kind {
            OutageKind::Hangs => store.suspend(),
            OutageKind::Dead => store.stop(),
            OutageKind::Cut => store.cut(),
        };
        match started {
            Ok(()) => Ok(Self { store, kind }),
            Err(error) => not_applicable(format!("the store outage cannot be started: {error}")),
        }
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        let _ = match self.kind {
            OutageKind::Hangs => self.store.resume(),
            OutageKind::Dead => self.store.start(),
            OutageKind::Cut => self.store.heal(),
        };
    }
}

/// Runs a check during an outage and returns when every server has reconnected to its store.
fn during(
    context: &CheckContext<'_>,
    kind: OutageKind,
    check: impl FnOnce(&CheckContext<'_>, &Login) -> CheckResult,
) -> CheckResult {
    context.store_control()?;
    CheckContext::require(context.facts.store_down())?;
    let login = context.login()?;
    context.must_be_accepted(&login.credential, "before the outage")?;
    let outage = Outage::start(context, kind)?;
    let checked = check(context, &login);
    drop(outage);
    let recovery = ensure_recovery(context);
    checked.and(recovery)
}

/// Waits until every server works again, whatever `/readyz` returns, so that the next check is not affected.
fn ensure_recovery(context: &CheckContext<'_>) -> CheckResult {
    for node in &context.subject.nodes {
        let serves = context.wait_until(RECOVERY, || {
            let Ok(login) = context.login() else { return Ok(false) };
            let ready =
                context.try_send(node, &Request::get(route::READYZ)).is_ok_and(|response| response.status == 200);
            Ok(ready && context.me_status_at(node, &login.credential)? == 200)
        })?;
        ensure(serves, || format!("no login works within {RECOVERY:?} after the store is back"))?;
    }
    Ok(())
}

/// Makes an outage that the server notices, and waits until every server is ready again.
fn notice_outage(context: &CheckContext<'_>, kind: OutageKind, login: &Login) -> CheckResult {
    let outage = Outage::start(context, kind)?;
    let noticed = context.send(&context.with(Request::get(route::ME), &login.credential));
    drop(outage);
    await_ready(context)?;
    ensure_in_time(&noticed?, route::ME)
}

fn await_ready(context: &CheckContext<'_>) -> CheckResult {
    for node in &context.subject.nodes {
        let ready = context.wait_until(RECOVERY, || {
            Ok(context.try_send(node, &Request::get(route::READYZ)).is_ok_and(|response| response.status == 200))
        })?;
        ensure(ready, || format!("/readyz is not 200 within {RECOVERY:?} after the store is back"))?;
    }
    Ok(())
}

fn ensure_in_time(response: &Response, what: &str) -> CheckResult {
    ensure(response.took <= MAX_RESPONSE_TIME, || {
        format!("{what}: the response took {:?}, the limit is {MAX_RESPONSE_TIME:?}", response.took)
    })
}

/// Returns a request to every route that uses the store, with the login's credential.
fn state_changes(context: &CheckContext<'_>, login: &Login) -> Vec<(&'static str, Request)> {
    vec![
        (route::REFRESH, context.renewal_request(login)),
        (route::LOGOUT, context.post(route::LOGOUT, &login.credential)),
        (route::LOGOUT_ALL, context.post(route::LOGOUT_ALL, &login.credential)),
        (route::LOGIN, CheckContext::login_request(&login.username, user::PASSWORD)),
        (route::READYZ, Request::get(route::READYZ)),
    ]
}

fn policy(context: &CheckContext<'_>, login: &Login) -> CheckResult {
    let declared = CheckContext::require(context.facts.store_down())?;
    let allowed: &[u16] = match declared {
        StoreDown::FailClosed => &[503],
        StoreDown::ServeCached => &[200, 503],
        StoreDown::VerifyOnly => &[200],
        StoreDown::NotNeeded => return not_applicable(reason::STORE_WITHIN),
    };
    let me = context.send(&context.with(Request::get(route::ME), &login.credential))?;
    ensure_in_time(&me, route::ME)?;
    ensure(allowed.contains(&me.status), || format!("/me: {} instead of {allowed:?} ({declared})", me.status))?;
    for (path, request) in state_changes(context, login) {
        let response = context.send(&request)?;
        ensure_in_time(&response, path)?;
        // Cached state may suffice for a renewal, too.
        if !(path == route::REFRESH && declared == StoreDown::ServeCached && response.status == 200) {
            response.must_be(503, path)?;
        }
        ensure(response.header("www-authenticate").is_none(), || {
            format!("{path}: the 503 response has a WWW-Authenticate header")
        })?;
    }
    let again = context.send(&context.with(Request::get(route::ME), &login.credential))?;
    ensure_in_time(&again, route::ME)?;
    ensure(allowed.contains(&again.status), || format!("/me: {} instead of {allowed:?} ({declared})", again.status))
}

fn clears_no_cookie(context: &CheckContext<'_>) -> CheckResult {
    applicable(context.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    during(context, OutageKind::Hangs, |context, login| {
        let me = context.with(Request::get(route::ME), &login.credential);
        let all = state_changes(context, login).into_iter().chain([(route::ME, me)]);
        for (path, request) in all.filter(|(path, _)| *path != route::LOGIN) {
            let response = context.send(&request)?;
            let rejected = response.status != 200 && context.set_credentials(&response).next().is_some();
            let cleared =
                context.set_credentials(&response).any(|cookie| cookie.to_ascii_lowercase().contains("max-age=0"));
            ensure(!rejected && !cleared, || format!("{path}: {} with Set-Cookie", response.status))?;
        }
        Ok(())
    })
}

/// Returns a credential that was revoked before the outage at every node, if possible.
fn revoked_credential(context: &CheckContext<'_>) -> CheckResult<Option<String>> {
    let early =
        context.facts.class().is_some_and(|class| class != RevocationClass::Expiry) && !context.facts.refresh_token;
    let window_s = context.facts.window_s().filter(|window_s| early && *window_s <= MAX_WAITED_WINDOW_S);
    let Some(window_s) = window_s else { return Ok(None) };
    let login = context.login()?;
    context.must_be_accepted(&login.credential, "a fresh credential")?;
    context.send(&context.post(route::LOGOUT, &login.credential))?.must_be(204, route::LOGOUT)?;
    let rejected = context.wait_until(Duration::from_secs(window_s + 2), || {
        let statuses = context.subject.nodes.iter().map(|node| context.me_status_at(node, &login.credential));
        Ok(statuses.collect::<CheckResult<Vec<_>>>()?.iter().all(|status| *status == 401))
    })?;
    ensure(rejected, || {
        format!("a credential is accepted after its logout for longer than the revocation window of {window_s} s")
    })?;
    Ok(Some(login.credential))
}

fn accepts_no_invalid_credential(context: &CheckContext<'_>) -> CheckResult {
    context.store_control()?;
    let revoked = revoked_credential(context)?;
    during(context, OutageKind::Hangs, |context, login| {
        let unknown: String = login.credential.chars().rev().collect();
        let deadline = Instant::now() + Duration::from_secs(context.facts.window_s().unwrap_or(0).min(2) + 1);
        while Instant::now() < deadline {
            for credential in revoked.iter().map(String::as_str).chain([unknown.as_str(), "unknown"]) {
                let status = context.me_status(credential)?;
                ensure(matches!(status, 401 | 503), || format!("{credential:?} gets {status} instead of 401 or 503"))?;
            }
            sleep(PAUSE);
        }
        let wrong = context.send(&CheckContext::login_request(&login.username, "a wrong password of some length"))?;
        ensure(matches!(wrong.status, 401 | 503), || {
            format!("a wrong password gets {} instead of 401 or 503", wrong.status)
        })
    })
}

fn other_routes_are_served(context: &CheckContext<'_>, _: &Login) -> CheckResult {
    for path in [route::HEALTHZ, route::METRICS, route::BENCH_SCHEME, route::OPENAPI] {
        let response = context.send(&Request::get(path))?;
        ensure_in_time(&response, path)?;
        response.must_be(200, path)?;
    }
    let anonymous = context.send(&Request::get(route::ME))?;
    ensure_in_time(&anonymous, route::ME)?;
    anonymous.must_be(401, "/me without a credential")
}

fn recovers(context: &CheckContext<'_>) -> CheckResult {
    context.store_control()?;
    let recovered = recovered(context);
    let recovery = ensure_recovery(context);
    recovered.and(recovery)
}

fn recovered(context: &CheckContext<'_>) -> CheckResult {
    let kept = context.login()?;
    notice_outage(context, OutageKind::Hangs, &kept)?;
    context.must_be_accepted(&kept.credential, "after the store hung and /readyz is 200")?;
    notice_outage(context, OutageKind::Dead, &kept)?;
    let status = context.me_status(&kept.credential)?;
    ensure(matches!(status, 200 | 401), || {
        format!("after the store was stopped and /readyz is 200: /me returns {status} instead of 200 or 401")
    })?;
    let login = context.login()?;
    context.must_be_accepted(&login.credential, "a login after the store is back")?;
    context.renew(&login).map(drop)
}
