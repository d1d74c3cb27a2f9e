//! Row 27: the throttling of password guesses does not lock out the user.

use contract::user;

use super::Check;
use crate::check_context::{CheckContext, ThrottledLogin};
use crate::check_error::{CheckResult, applicable, fail, not_applicable};
use crate::wire::Response;

/// Failures after which guesses must be throttled (SP 800-63B section 3.2.2).
pub(super) const MAX_GUESSES: usize = 100;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "throttle-keeps-sessions",
        row: 27,
        title: "While password guesses for a user get 429, a session of that user can still change the password.",
        source: "SP 800-63B section 3.2.2; OWASP ASVS 6.3.1",
        run: session_can_change_password,
    },
    Check {
        id: "success-resets-failure-count",
        row: 27,
        title: "A successful login resets the count of failed logins.",
        source: "SP 800-63B section 3.2.2",
        run: success_resets_count,
    },
];

/// Guesses at this name until the first 429, and returns it with the number of guesses; none if there is no 429.
pub(super) fn guess_until_throttled(context: &CheckContext<'_>, name: &str) -> CheckResult<Option<(Response, usize)>> {
    for guesses in 0..=MAX_GUESSES {
        let response = context.send(&CheckContext::login_request(name, &format!("wrong password {guesses}")))?;
        if response.status == 429 {
            return Ok(Some((response, guesses)));
        }
        response.must_be(401, "a wrong password")?;
    }
    Ok(None)
}

/// Returns a throttled user name, from an earlier check or from now on.
fn throttled_login(context: &CheckContext<'_>) -> CheckResult<ThrottledLogin> {
    if context.shared.throttled_login.get().is_none() {
        let login = context.login()?;
        let guesses = guess_until_throttled(context, &login.username)?.map(|(_, guesses)| guesses);
        context.shared.throttled_login.get_or_init(|| guesses.map(|guesses| ThrottledLogin { login, guesses }));
    }
    let result = context.shared.throttled_login.get().and_then(Option::as_ref);
    result.map_or_else(|| not_applicable("password guesses are not throttled"), |result| Ok(result.clone()))
}

/// The new password equals the old one, because a throttled user could not log in to change it back.
fn session_can_change_password(context: &CheckContext<'_>) -> CheckResult {
    let ThrottledLogin { login, .. } = throttled_login(context)?;
    let rejected = context.send(&CheckContext::login_request(&login.username, "a wrong password of some length"))?;
    applicable(rejected.status == 429, "the user name is no longer throttled")?;
    match context.send(&context.password_change_request(&login, user::PASSWORD, user::PASSWORD))?.status {
        204 => Ok(()),
        400 | 409 | 422 => not_applicable("a new password must not be the old one"),
        other => fail(format!("a password change with a session of the user: {other} instead of 204")),
    }
}

fn success_resets_count(context: &CheckContext<'_>) -> CheckResult {
    let ThrottledLogin { guesses, .. } = throttled_login(context)?;
    applicable(guesses > 1, "the server throttles after one wrong password")?;
    let name = context.login()?.username;
    let fails = |count: usize, when: &str| {
        (0..count).try_for_each(|guess| {
            let response = context.send(&CheckContext::login_request(&name, &format!("wrong password {guess}")))?;
            response.must_be(401, &format!("wrong password {} {when}, of {guesses} that are not throttled", guess + 1))
        })
    };
    fails(guesses - 1, "before a successful login")?;
    context.login_as(&name)?;
    fails(guesses.min(2), "after a successful login")?;
    context.login_as(&name).map(drop)
}
