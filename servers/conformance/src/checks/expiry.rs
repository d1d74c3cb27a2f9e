//! Row 16: an idle timeout that activity extends and an absolute one that nothing extends, on an adjustable clock.

use contract::Touch;

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, not_applicable, reason};

const SOURCE: &str = "OWASP Session Management Cheat Sheet, session expiration; SP 800-63B section 5.2";
/// Seconds that a check may take in addition to those by which it advances the clock.
const MARGIN_S: u64 = 15;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "credential-expires",
        row: 16,
        title: "An unused credential expires after its declared lifetime, and not earlier.",
        source: SOURCE,
        run: expires,
    },
    Check {
        id: "activity-extends",
        row: 16,
        title: "Activity extends the idle timeout.",
        source: SOURCE,
        run: activity_extends,
    },
    Check {
        id: "absolute-limit",
        row: 16,
        title: "After the absolute timeout, neither activity nor renewal keeps a credential valid.",
        source: SOURCE,
        run: absolute,
    },
    Check {
        id: "expiry-told",
        row: 16,
        title: "The login response states the credential's lifetime, and the cookie's lifetime does not exceed it.",
        source: "RFC 6749 section 5.1; RFC 6265bis section 4.1.2.2",
        run: told,
    },
];

/// Returns the seconds after which an unused credential expires.
fn ttl_s(case: &Case<'_>) -> Step<u64> {
    Case::fact(case.facts.credential_ttl_s())
}

/// Returns the seconds for which it may be accepted longer, plus the one in which it expires.
fn late_s(case: &Case<'_>) -> u64 {
    case.facts.leeway_s().unwrap_or(0) + 1
}

/// Returns whether requests extend a timeout.
fn slides(case: &Case<'_>) -> bool {
    matches!(case.facts.touch(), Some(Touch::Throttled | Touch::Always))
}

fn kept_by_store(case: &Case<'_>) -> bool {
    case.facts.touch() == Some(Touch::Always) && case.facts.store_apart() == Some(true)
}

fn expires(case: &Case<'_>) -> Step {
    applicable(!kept_by_store(case), reason::IDLE_IN_STORE)?;
    let ttl_s = ttl_s(case)?;
    let (early, unused) = (case.login()?, case.login()?);
    if ttl_s > 2 * MARGIN_S {
        case.advance(ttl_s - MARGIN_S)?;
        case.must_be_good(&early.credential, "before it expires")?;
        case.advance(MARGIN_S + late_s(case))?;
    } else {
        case.advance(ttl_s + late_s(case))?;
    }
    case.must_be_refused(&unused.credential, "unused for its whole lifetime")?;
    if slides(case) { Ok(()) } else { case.must_be_refused(&early.credential, "used, but expired") }
}

fn activity_extends(case: &Case<'_>) -> Step {
    applicable(slides(case), reason::NO_IDLE_LIMIT)?;
    applicable(!kept_by_store(case), reason::IDLE_IN_STORE)?;
    let (ttl_s, absolute_s) = (ttl_s(case)?, Case::fact(case.facts.absolute_ttl_s())?);
    let step_s = ttl_s * 3 / 5;
    if 4 * step_s + MARGIN_S > absolute_s {
        return not_applicable("the absolute timeout ends before the idle timeout can be extended twice");
    }
    let login = case.login()?;
    for used_s in [step_s, 2 * step_s, 3 * step_s, 4 * step_s] {
        case.advance(step_s)?;
        case.must_be_good(&login.credential, &format!("in constant use, {used_s} s after login"))?;
    }
    Ok(())
}

fn absolute(case: &Case<'_>) -> Step {
    let (ttl_s, absolute_s) = (ttl_s(case)?, Case::fact(case.facts.absolute_ttl_s())?);
    applicable(
        absolute_s > 2 * MARGIN_S,
        "the absolute timeout is too short to distinguish from the duration of a check",
    )?;
    applicable(case.facts.clock, reason::NO_CLOCK)?;
    let step_s = (ttl_s * 3 / 5).max(1);
    // The many steps of a long timeout take time as well.
    let margin_s = MARGIN_S.max(absolute_s / 20);
    let (mut renewed, mut used, mut left_s) = (case.login()?, case.login()?, absolute_s - margin_s);
    while left_s > 0 {
        let passed_s = step_s.min(left_s);
        case.advance(passed_s)?;
        left_s -= passed_s;
        used = keep_by_use(case, used)?;
        renewed = case.renew(&renewed)?;
    }
    case.advance(margin_s + late_s(case))?;
    for (what, login) in [("used", &used), ("renewed", &renewed)] {
        case.must_be_refused(&login.credential, &format!("{what} until its absolute timeout"))?;
        case.send(&case.renewal(login))?.must_be(401, &format!("{what} until its absolute timeout: its renewal"))?;
    }
    Ok(())
}

/// Uses a credential that use extends, renews any other.
fn keep_by_use(case: &Case<'_>, login: Login) -> Step<Login> {
    if !slides(case) {
        return case.renew(&login);
    }
    case.must_be_good(&login.credential, "in constant use, before its absolute timeout")?;
    Ok(login)
}

fn told(case: &Case<'_>) -> Step {
    let (ttl_s, absolute_s) = (ttl_s(case)?, Case::fact(case.facts.absolute_ttl_s())?);
    let login = case.login()?;
    let told_s = login.answer.json()["expires_in"].as_u64();
    let good = told_s.is_some_and(|told_s| told_s.abs_diff(ttl_s) <= 1);
    ensure(good, || format!("expires_in is {told_s:?}, but the declared lifetime is {ttl_s} s"))?;
    for cookie in case.set_credentials(&login.answer) {
        let attributes = cookie.split(';').filter_map(|part| part.trim().split_once('='));
        let mut ages = attributes.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
        let age_s = ages.next().and_then(|(_, value)| value.parse::<u64>().ok());
        ensure(age_s.is_some_and(|age_s| age_s <= absolute_s), || {
            format!("Set-Cookie: {cookie}: the lifetime is too long")
        })?;
    }
    Ok(())
}
