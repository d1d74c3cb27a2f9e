//! One server cannot reach the store that the others reach.

use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::{RevocationClass, route};

use super::{MAX_WAITED_WINDOW_S, Outage, OutageKind, RECOVERY, ensure_recovery};
use crate::check_context::{CheckContext, PAUSE};
use crate::check_error::{CheckResult, applicable, ensure, reason};
use crate::wire::Base;

/// How long the server is polled after the window.
const POLLED_AFTER_WINDOW: Duration = Duration::from_secs(1);

/// A logout that the cut-off server cannot learn of: it must still reject the credential once the window has passed,
/// and must know the logout when it is reconnected.
pub(super) fn rejects_after_window(context: &CheckContext<'_>) -> CheckResult {
    context.store_control()?;
    let [first, .., last] = context.subject.nodes.as_slice() else {
        return applicable(false, reason::ONE_NODE);
    };
    applicable(CheckContext::require(context.facts.class())? != RevocationClass::Expiry, reason::ENDS_NOTHING)?;
    let window_s = CheckContext::require(context.facts.window_s())?;
    applicable(window_s <= MAX_WAITED_WINDOW_S, reason::LONG_WINDOW)?;
    let login = context.login()?;
    for node in [first, last] {
        ensure(context.me_status_at(node, &login.credential)? == 200, || {
            "a new credential is not accepted by every server".to_owned()
        })?;
    }
    let outage = Outage::start(context, OutageKind::Cut)?;
    let logout = context.send_to(first, &context.post(route::LOGOUT, &login.credential))?;
    let checked = match logout.status {
        204 => must_stay_rejected(context, last, &login.credential, Duration::from_secs(window_s)),
        _ => applicable(logout.status != 503, reason::CUT_TOGETHER).and(logout.must_be(204, route::LOGOUT)),
    };
    drop(outage);
    let recovery = ensure_recovery(context);
    checked.and(recovery)?;
    let known = context.wait_until(RECOVERY, || Ok(context.me_status_at(last, &login.credential)? == 401))?;
    ensure(known, || format!("{RECOVERY:?} after its store is back, the server still accepts the revoked credential"))
}

/// Checks that there is no 200 after the window.
fn must_stay_rejected(context: &CheckContext<'_>, node: &Base, credential: &str, window: Duration) -> CheckResult {
    let revoked_at = Instant::now();
    let mut sent_after = Duration::ZERO;
    // A response may take longer than the polling: at least one request must be sent after the window.
    while sent_after <= window || revoked_at.elapsed() < window + POLLED_AFTER_WINDOW {
        sent_after = revoked_at.elapsed();
        let status = context.me_status_at(node, credential)?;
        ensure(sent_after <= window || matches!(status, 401 | 503), || {
            format!(
                "{sent_after:?} after the logout at another server, with a window of {window:?}: /me returns {status}"
            )
        })?;
        sleep(PAUSE);
    }
    Ok(())
}
