//! One server cannot reach the store that the others reach.

use std::thread::sleep;
use std::time::{Duration, Instant};

use contract::{RevocationClass, route};

use super::{Down, Outage, RECOVERY, WAITED_S, settled};
use crate::case::{Case, PAUSE};
use crate::stop::{Step, applicable, ensure, reason};
use crate::wire::Base;

/// How long the server is polled after the window.
const ASKED: Duration = Duration::from_secs(1);

/// A logout that the cut-off server cannot learn of: it must still reject the credential once the window has passed,
/// and must know the logout when it is reconnected.
pub(super) fn obeys(case: &Case<'_>) -> Step {
    case.store()?;
    let [first, .., last] = case.subject.nodes.as_slice() else {
        return applicable(false, reason::ONE_NODE);
    };
    applicable(Case::fact(case.facts.class())? != RevocationClass::Expiry, reason::ENDS_NOTHING)?;
    let window_s = Case::fact(case.facts.window_s())?;
    applicable(window_s <= WAITED_S, reason::LONG_WINDOW)?;
    let login = case.login()?;
    for node in [first, last] {
        ensure(case.me_at(node, &login.credential)? == 200, || {
            "a new credential is not accepted by every server".to_owned()
        })?;
    }
    let outage = Outage::begin(case, Down::Cut)?;
    let logout = case.send_to(first, &case.post(route::LOGOUT, &login.credential))?;
    let checked = match logout.status {
        204 => stays_out(case, last, &login.credential, Duration::from_secs(window_s)),
        _ => applicable(logout.status != 503, reason::CUT_TOGETHER).and(logout.must_be(204, route::LOGOUT)),
    };
    drop(outage);
    let settled = settled(case);
    checked.and(settled)?;
    let known = case.comes_to_hold(RECOVERY, || Ok(case.me_at(last, &login.credential)? == 401))?;
    ensure(known, || format!("{RECOVERY:?} after its store is back, the server still accepts the revoked credential"))
}

/// Checks that there is no 200 after the window.
fn stays_out(case: &Case<'_>, node: &Base, credential: &str, window: Duration) -> Step {
    let ended = Instant::now();
    while ended.elapsed() < window + ASKED {
        let asked = ended.elapsed();
        let status = case.me_at(node, credential)?;
        ensure(asked <= window || matches!(status, 401 | 503), || {
            format!("{asked:?} after the logout at another server, with a window of {window:?}: /me returns {status}")
        })?;
        sleep(PAUSE);
    }
    Ok(())
}
