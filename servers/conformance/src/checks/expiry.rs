//! Row 16: an idle timeout that activity extends and an absolute one that nothing extends, on an adjustable clock.

use contract::Touch;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, not_applicable, reason};
use crate::login::Login;

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
        id: "expiry-stated",
        row: 16,
        title: "The login response states the credential's lifetime, and the cookie's lifetime does not exceed it.",
        source: "RFC 6749 section 5.1; RFC 6265bis section 4.1.2.2",
        run: states_lifetime,
    },
];

/// Returns the seconds after which an unused credential expires.
fn ttl_s(context: &CheckContext<'_>) -> CheckResult<u64> {
    CheckContext::require(context.facts.credential_ttl_s())
}

/// Returns the seconds for which it may be accepted longer, plus the one in which it expires.
fn expiry_margin_s(context: &CheckContext<'_>) -> u64 {
    context.facts.leeway_s().unwrap_or(0) + 1
}

/// Returns whether requests extend a timeout.
fn is_sliding(context: &CheckContext<'_>) -> bool {
    matches!(context.facts.touch(), Some(Touch::Throttled | Touch::Always))
}

fn store_enforces_idle_timeout(context: &CheckContext<'_>) -> bool {
    context.facts.touch() == Some(Touch::Always) && context.facts.has_external_store() == Some(true)
}

fn expires(context: &CheckContext<'_>) -> CheckResult {
    applicable(!store_enforces_idle_timeout(context), reason::IDLE_IN_STORE)?;
    let ttl_s = ttl_s(context)?;
    let (early, unused) = (context.login()?, context.login()?);
    if ttl_s > 2 * MARGIN_S {
        context.advance(ttl_s - MARGIN_S)?;
        context.must_be_accepted(&early.credential, "before it expires")?;
        context.advance(MARGIN_S + expiry_margin_s(context))?;
    } else {
        context.advance(ttl_s + expiry_margin_s(context))?;
    }
    context.must_be_rejected(&unused.credential, "unused for its whole lifetime")?;
    if is_sliding(context) { Ok(()) } else { context.must_be_rejected(&early.credential, "used, but expired") }
}

fn activity_extends(context: &CheckContext<'_>) -> CheckResult {
    applicable(is_sliding(context), reason::NO_IDLE_LIMIT)?;
    applicable(!store_enforces_idle_timeout(context), reason::IDLE_IN_STORE)?;
    let (ttl_s, absolute_s) = (ttl_s(context)?, CheckContext::require(context.facts.absolute_ttl_s())?);
    let step_s = ttl_s * 3 / 5;
    if 4 * step_s + MARGIN_S > absolute_s {
        return not_applicable("the absolute timeout ends before the idle timeout can be extended twice");
    }
    let login = context.login()?;
    for used_s in [step_s, 2 * step_s, 3 * step_s, 4 * step_s] {
        context.advance(step_s)?;
        context.must_be_accepted(&login.credential, &format!("in constant use, {used_s} s after login"))?;
    }
    Ok(())
}

fn absolute(context: &CheckContext<'_>) -> CheckResult {
    let (ttl_s, absolute_s) = (ttl_s(context)?, CheckContext::require(context.facts.absolute_ttl_s())?);
    applicable(
        absolute_s > 2 * MARGIN_S,
        "the absolute timeout is too short to distinguish from the duration of a check",
    )?;
    applicable(context.facts.clock, reason::NO_CLOCK)?;
    let step_s = (ttl_s * 3 / 5).max(1);
    // The many steps of a long timeout take time as well.
    let margin_s = MARGIN_S.max(absolute_s / 20);
    let (mut renewed, mut used, mut left_s) = (context.login()?, context.login()?, absolute_s - margin_s);
    while left_s > 0 {
        let passed_s = step_s.min(left_s);
        context.advance(passed_s)?;
        left_s -= passed_s;
        used = keep_valid(context, used)?;
        renewed = context.renew(&renewed)?;
    }
    context.advance(margin_s + expiry_margin_s(context))?;
    for (what, login) in [("used", &used), ("renewed", &renewed)] {
        context.must_be_rejected(&login.credential, &format!("{what} until its absolute timeout"))?;
        context
            .send(&context.renewal_request(login))?
            .must_be(401, &format!("{what} until its absolute timeout: its renewal"))?;
    }
    Ok(())
}

/// Uses a credential that use extends, renews any other.
fn keep_valid(context: &CheckContext<'_>, login: Login) -> CheckResult<Login> {
    if !is_sliding(context) {
        return context.renew(&login);
    }
    context.must_be_accepted(&login.credential, "in constant use, before its absolute timeout")?;
    Ok(login)
}

fn states_lifetime(context: &CheckContext<'_>) -> CheckResult {
    let (ttl_s, absolute_s) = (ttl_s(context)?, CheckContext::require(context.facts.absolute_ttl_s())?);
    let login = context.login()?;
    let stated_s = login.response.json()["expires_in"].as_u64();
    let is_stated = stated_s.is_some_and(|stated_s| stated_s.abs_diff(ttl_s) <= 1);
    ensure(is_stated, || format!("expires_in is {stated_s:?}, but the declared lifetime is {ttl_s} s"))?;
    for cookie in context.set_credentials(&login.response) {
        let attributes = cookie.split(';').filter_map(|part| part.trim().split_once('='));
        let mut ages = attributes.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
        let age_s = ages.next().and_then(|(_, value)| value.parse::<u64>().ok());
        ensure(age_s.is_some_and(|age_s| age_s <= absolute_s), || {
            format!("Set-Cookie: {cookie}: Max-Age is missing or more than {absolute_s} s")
        })?;
    }
    Ok(())
}
