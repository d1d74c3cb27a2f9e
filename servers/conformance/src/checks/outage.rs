//! Row 19: a server without its store follows its declared policy, within a bounded time.

mod cut_off;
mod load;

use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::{Carrier, RevocationClass, StoreDown, route, user};

use super::Check;
use crate::case::{Case, PAUSE};
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, not_applicable, reason};
use crate::subject::StoreControl;
use crate::wire::{Answer, Request};

/// The time limit of a response without a store.
const BOUND: Duration = Duration::from_secs(3);
/// How long a server may take to reconnect to its store.
const RECOVERY: Duration = Duration::from_secs(30);
/// The longest window that is waited for in real time.
const WAITED_S: u64 = 15;
const SOURCE: &str = "RFC 9110 section 15.6.4; OWASP Fail Securely";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "outage-hanging-store",
        row: 19,
        title: "While the store hangs, every response arrives within 3 s and follows the declared policy.",
        source: SOURCE,
        run: |case| during(case, Down::Hangs, policy),
    },
    Check {
        id: "outage-dead-store",
        row: 19,
        title: "While the store is stopped, every response arrives within 3 s and follows the declared policy.",
        source: SOURCE,
        run: |case| during(case, Down::Dead, policy),
    },
    Check {
        id: "outage-clears-no-cookie",
        row: 19,
        title: "During an outage no response clears or sets a cookie.",
        source: SOURCE,
        run: clears_no_cookie,
    },
    Check {
        id: "outage-allows-nobody",
        row: 19,
        title: "A credential that was rejected before an outage is not accepted during it.",
        source: SOURCE,
        run: allows_nobody,
    },
    Check {
        id: "outage-others-served",
        row: 19,
        title: "Routes that need no store are served during an outage.",
        source: SOURCE,
        run: |case| during(case, Down::Hangs, others),
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
        title: "Under load, while the store hangs and after it resumes, the policy allows every response.",
        source: SOURCE,
        run: |case| load::during(case, Down::Hangs),
    },
    Check {
        id: "outage-load-dead",
        row: 19,
        title: "Under load, while the store is stopped and after it restarts, the policy allows every response.",
        source: SOURCE,
        run: |case| load::during(case, Down::Dead),
    },
    Check {
        id: "outage-load-cut",
        row: 19,
        title: "Under load, while a server is cut off from the store and afterwards, the policy allows every response.",
        source: SOURCE,
        run: |case| load::during(case, Down::Cut),
    },
    Check {
        id: "cut-off-node-obeys",
        row: 19,
        title: "After the revocation window a server that is cut off from the store rejects a credential that \
                another server has revoked.",
        source: SOURCE,
        run: cut_off::obeys,
    },
];

/// The kind of an outage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Down {
    Hangs,
    Dead,
    /// Cuts off only the last of the servers.
    Cut,
}

/// A store outage that lasts until this value is dropped.
struct Outage<'c> {
    store: &'c dyn StoreControl,
    down: Down,
}

impl<'c> Outage<'c> {
    fn begin(case: &Case<'c>, down: Down) -> Step<Self> {
        let store = case.store()?;
        case.takes_store_away();
        let begun = match down {
            Down::Hangs => store.suspend(),
            Down::Dead => store.stop(),
            Down::Cut => store.cut(),
        };
        match begun {
            Ok(()) => Ok(Self { store, down }),
            Err(error) => not_applicable(format!("the store outage cannot be started: {error}")),
        }
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        let _ = match self.down {
            Down::Hangs => self.store.resume(),
            Down::Dead => self.store.start(),
            Down::Cut => self.store.heal(),
        };
    }
}

/// Runs a check during an outage and returns when every server has reconnected to its store.
fn during(case: &Case<'_>, down: Down, check: impl FnOnce(&Case<'_>, &Login) -> Step) -> Step {
    case.store()?;
    Case::fact(case.facts.store_down())?;
    let login = case.login()?;
    case.must_be_good(&login.credential, "before the outage")?;
    let outage = Outage::begin(case, down)?;
    let checked = check(case, &login);
    drop(outage);
    let settled = settled(case);
    checked.and(settled)
}

/// Waits until every server works again, whatever `/readyz` returns, so that the next check is not affected.
fn settled(case: &Case<'_>) -> Step {
    for node in &case.subject.nodes {
        let serves = case.comes_to_hold(RECOVERY, || {
            let Ok(login) = case.login() else { return Ok(false) };
            let ready = case.try_send(node, &Request::get(route::READYZ)).is_ok_and(|answer| answer.status == 200);
            Ok(ready && case.me_at(node, &login.credential)? == 200)
        })?;
        ensure(serves, || format!("no login works within {RECOVERY:?} after the store is back"))?;
    }
    Ok(())
}

/// Makes an outage that the server notices, and waits until every server is ready again.
fn away(case: &Case<'_>, down: Down, login: &Login) -> Step {
    let outage = Outage::begin(case, down)?;
    let noticed = case.send(&case.with(Request::get(route::ME), &login.credential));
    drop(outage);
    await_ready(case)?;
    in_time(&noticed?, route::ME)
}

fn await_ready(case: &Case<'_>) -> Step {
    for node in &case.subject.nodes {
        let ready = case.comes_to_hold(RECOVERY, || {
            Ok(case.try_send(node, &Request::get(route::READYZ)).is_ok_and(|answer| answer.status == 200))
        })?;
        ensure(ready, || format!("/readyz is not 200 within {RECOVERY:?} after the store is back"))?;
    }
    Ok(())
}

fn in_time(answer: &Answer, what: &str) -> Step {
    ensure(answer.took <= BOUND, || format!("{what}: the response took {:?}, the limit is {BOUND:?}", answer.took))
}

/// Returns a request to every route that uses the store, with the login's credential.
fn state_changes(case: &Case<'_>, login: &Login) -> Vec<(&'static str, Request)> {
    vec![
        (route::REFRESH, case.renewal(login)),
        (route::LOGOUT, case.post(route::LOGOUT, &login.credential)),
        (route::LOGOUT_ALL, case.post(route::LOGOUT_ALL, &login.credential)),
        (route::LOGIN, Case::login_request(&login.username, user::PASSWORD)),
        (route::READYZ, Request::get(route::READYZ)),
    ]
}

fn policy(case: &Case<'_>, login: &Login) -> Step {
    let declared = Case::fact(case.facts.store_down())?;
    let allowed: &[u16] = match declared {
        StoreDown::FailClosed => &[503],
        StoreDown::ServeCached => &[200, 503],
        StoreDown::VerifyOnly => &[200],
        StoreDown::NotNeeded => return not_applicable(reason::STORE_WITHIN),
    };
    let me = case.send(&case.with(Request::get(route::ME), &login.credential))?;
    in_time(&me, route::ME)?;
    ensure(allowed.contains(&me.status), || format!("/me: {} instead of {allowed:?} ({declared})", me.status))?;
    for (path, request) in state_changes(case, login) {
        let answer = case.send(&request)?;
        in_time(&answer, path)?;
        // Cached state may suffice for a renewal, too.
        if !(path == route::REFRESH && declared == StoreDown::ServeCached && answer.status == 200) {
            answer.must_be(503, path)?;
        }
        ensure(answer.header("www-authenticate").is_none(), || format!("{path}: a 503 with a challenge"))?;
    }
    let again = case.send(&case.with(Request::get(route::ME), &login.credential))?;
    in_time(&again, route::ME)?;
    ensure(allowed.contains(&again.status), || format!("/me: {} instead of {allowed:?} ({declared})", again.status))
}

fn clears_no_cookie(case: &Case<'_>) -> Step {
    applicable(case.facts.carrier == Carrier::Cookie, reason::NOT_COOKIE)?;
    during(case, Down::Hangs, |case, login| {
        let me = case.with(Request::get(route::ME), &login.credential);
        let all = state_changes(case, login).into_iter().chain([(route::ME, me)]);
        for (path, request) in all.filter(|(path, _)| *path != route::LOGIN) {
            let answer = case.send(&request)?;
            let refused = answer.status != 200 && case.set_credentials(&answer).next().is_some();
            let cleared = case.set_credentials(&answer).any(|cookie| cookie.to_ascii_lowercase().contains("max-age=0"));
            ensure(!refused && !cleared, || format!("{path}: {} with Set-Cookie", answer.status))?;
        }
        Ok(())
    })
}

/// Returns a credential that was revoked before the outage at every node, if possible.
fn ended(case: &Case<'_>) -> Step<Option<String>> {
    let early = case.facts.class().is_some_and(|class| class != RevocationClass::Expiry) && !case.facts.refresh_token;
    let window_s = case.facts.window_s().filter(|window_s| early && *window_s <= WAITED_S);
    let Some(window_s) = window_s else { return Ok(None) };
    let login = case.login()?;
    case.must_be_good(&login.credential, "a fresh credential")?;
    case.send(&case.post(route::LOGOUT, &login.credential))?.must_be(204, route::LOGOUT)?;
    let denied = case.comes_to_hold(Duration::from_secs(window_s + 2), || {
        let statuses = case.subject.nodes.iter().map(|node| case.me_at(node, &login.credential));
        Ok(statuses.collect::<Step<Vec<_>>>()?.iter().all(|status| *status == 401))
    })?;
    ensure(denied, || {
        format!("a credential is accepted after its logout for longer than the revocation window of {window_s} s")
    })?;
    Ok(Some(login.credential))
}

fn allows_nobody(case: &Case<'_>) -> Step {
    case.store()?;
    let ended = ended(case)?;
    during(case, Down::Hangs, |case, login| {
        let unknown: String = login.credential.chars().rev().collect();
        let deadline = Instant::now() + Duration::from_secs(case.facts.window_s().unwrap_or(0).min(2) + 1);
        while Instant::now() < deadline {
            for credential in ended.iter().map(String::as_str).chain([unknown.as_str(), "unknown"]) {
                let status = case.me(credential)?;
                ensure(matches!(status, 401 | 503), || format!("{credential:?} gets {status} instead of 401 or 503"))?;
            }
            sleep(PAUSE);
        }
        let wrong = case.send(&Case::login_request(&login.username, "a wrong password of some length"))?;
        ensure(matches!(wrong.status, 401 | 503), || {
            format!("a wrong password gets {} instead of 401 or 503", wrong.status)
        })
    })
}

fn others(case: &Case<'_>, _: &Login) -> Step {
    for path in [route::HEALTHZ, route::METRICS, route::BENCH_SCHEME, route::OPENAPI] {
        let answer = case.send(&Request::get(path))?;
        in_time(&answer, path)?;
        answer.must_be(200, path)?;
    }
    let nobody = case.send(&Request::get(route::ME))?;
    in_time(&nobody, route::ME)?;
    nobody.must_be(401, "/me without a credential")
}

fn recovers(case: &Case<'_>) -> Step {
    case.store()?;
    let recovered = recovered(case);
    let settled = settled(case);
    recovered.and(settled)
}

fn recovered(case: &Case<'_>) -> Step {
    let kept = case.login()?;
    away(case, Down::Hangs, &kept)?;
    case.must_be_good(&kept.credential, "after the store hung and /readyz is 200")?;
    away(case, Down::Dead, &kept)?;
    let status = case.me(&kept.credential)?;
    ensure(matches!(status, 200 | 401), || {
        format!("after the store was stopped and /readyz is 200: /me returns {status} instead of 200 or 401")
    })?;
    let login = case.login()?;
    case.must_be_good(&login.credential, "a login after the store is back")?;
    case.renew(&login).map(drop)
}
