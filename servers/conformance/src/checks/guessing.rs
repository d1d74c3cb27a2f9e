//! Row 27: the throttling of password guesses does not lock out the user.

use contract::user;

use super::Check;
use crate::case::{Case, Guessed};
use crate::stop::{Step, applicable, fail, not_applicable};
use crate::wire::Answer;

/// Failures after which guesses must be throttled (SP 800-63B section 3.2.2).
pub(super) const MOST_GUESSES: usize = 100;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "throttle-spares-session",
        row: 27,
        title: "While password guesses for a user get 429, a session of that user can still change the password.",
        source: "SP 800-63B section 3.2.2; OWASP ASVS 6.3.1",
        run: session_is_spared,
    },
    Check {
        id: "success-forgets-failures",
        row: 27,
        title: "A successful login resets the count of failed logins.",
        source: "SP 800-63B section 3.2.2",
        run: success_forgets,
    },
];

/// Guesses at this name until the first 429, and returns it with the number of guesses; none if there is no 429.
pub(super) fn guess(case: &Case<'_>, name: &str) -> Step<Option<(Answer, usize)>> {
    for guesses in 0..=MOST_GUESSES {
        let answer = case.send(&Case::login_request(name, &format!("wrong password {guesses}")))?;
        if answer.status == 429 {
            return Ok(Some((answer, guesses)));
        }
        answer.must_be(401, "a wrong password")?;
    }
    Ok(None)
}

/// Returns a throttled user name, from an earlier check or from now on.
fn guessed(case: &Case<'_>) -> Step<Guessed> {
    if case.shared.guessed.get().is_none() {
        let login = case.login()?;
        let guesses = guess(case, &login.username)?.map(|(_, guesses)| guesses);
        case.shared.guessed.get_or_init(|| guesses.map(|guesses| Guessed { login, guesses }));
    }
    let guessed = case.shared.guessed.get().and_then(Option::as_ref);
    guessed.map_or_else(|| not_applicable("password guesses are not throttled"), |guessed| Ok(guessed.clone()))
}

/// The new password equals the old one, because a throttled user could not log in to change it back.
fn session_is_spared(case: &Case<'_>) -> Step {
    let Guessed { login, .. } = guessed(case)?;
    let refused = case.send(&Case::login_request(&login.username, "a wrong password of some length"))?;
    applicable(refused.status == 429, "the user name is no longer throttled")?;
    match case.send(&case.password_change(&login, user::PASSWORD, user::PASSWORD))?.status {
        204 => Ok(()),
        400 | 409 | 422 => not_applicable("a new password must not be the old one"),
        other => fail(format!("a password change with a session of the user: {other} instead of 204")),
    }
}

fn success_forgets(case: &Case<'_>) -> Step {
    let Guessed { guesses, .. } = guessed(case)?;
    applicable(guesses > 1, "the server throttles after one wrong password")?;
    let name = case.login()?.username;
    let fails = |count: usize, when: &str| {
        (0..count).try_for_each(|guess| {
            let answer = case.send(&Case::login_request(&name, &format!("wrong password {guess}")))?;
            answer.must_be(401, &format!("wrong password {} {when}, of {guesses} that are not throttled", guess + 1))
        })
    };
    fails(guesses - 1, "before a successful login")?;
    case.login_as(&name)?;
    fails(guesses.min(2), "after a successful login")?;
    case.login_as(&name).map(drop)
}
