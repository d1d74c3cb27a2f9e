//! Row 27: what stops others from guessing a password does not stop its owner.

use contract::user;

use super::Check;
use crate::case::{Case, Guessed};
use crate::stop::{Step, applicable, ensure, fail, not_applicable};
use crate::wire::Answer;

/// Failures after which a guesser must have been stopped (SP 800-63B section 3.2.2).
const MOST_GUESSES: usize = 100;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "throttle-spares-session",
        row: 27,
        title: "While guesses at a user's name get 429, a session of that user can still change the password.",
        source: "SP 800-63B section 3.2.2; OWASP ASVS 6.3.1",
        run: session_is_spared,
    },
    Check {
        id: "success-forgets-failures",
        row: 27,
        title: "A login that succeeds forgets the failures before it.",
        source: "SP 800-63B section 3.2.2",
        run: success_forgets,
    },
];

/// Guesses at this name until that is throttled: the 429, and the guesses before it.
pub(super) fn guess(case: &Case<'_>, name: &str) -> Step<(Answer, usize)> {
    let mut guesses = 0;
    loop {
        let answer = case.send(&Case::login_request(name, &format!("wrong password {guesses}")))?;
        if answer.status == 429 {
            return Ok((answer, guesses));
        }
        answer.must_be(401, "a wrong password")?;
        guesses += 1;
        ensure(guesses <= MOST_GUESSES, || format!("{guesses} wrong passwords for one name, and no 429"))?;
    }
}

/// Somebody whose name is throttled, since the check of that or from now on.
fn guessed(case: &Case<'_>) -> Step<Guessed> {
    if let Some(guessed) = case.shared.guessed.get() {
        return Ok(guessed.clone());
    }
    let login = case.login()?;
    let (_, guesses) = guess(case, &login.username)?;
    Ok(case.shared.guessed.get_or_init(|| Guessed { login, guesses }).clone())
}

/// The new password is the old one: a name that is throttled could not log in to change it back.
fn session_is_spared(case: &Case<'_>) -> Step {
    let Guessed { login, .. } = guessed(case)?;
    let refused = case.send(&Case::login_request(&login.username, "a wrong password of some length"))?;
    applicable(refused.status == 429, "the name is not throttled any more")?;
    match case.send(&case.password_change(&login, user::PASSWORD, user::PASSWORD))?.status {
        204 => Ok(()),
        400 | 409 | 422 => not_applicable("a new password must not be the old one"),
        other => fail(format!("a change of password by a session of the user: {other} instead of 204")),
    }
}

fn success_forgets(case: &Case<'_>) -> Step {
    let Guessed { guesses, .. } = guessed(case)?;
    applicable(guesses > 1, "one wrong password is one too many")?;
    let name = case.login()?.username;
    let fails = |count: usize, when: &str| {
        (0..count).try_for_each(|guess| {
            let answer = case.send(&Case::login_request(&name, &format!("wrong password {guess}")))?;
            answer.must_be(401, &format!("wrong password {} {when}, of {guesses} that are free", guess + 1))
        })
    };
    fails(guesses - 1, "before a success")?;
    case.login_as(&name)?;
    fails(guesses.min(2), "after a success")?;
    case.login_as(&name).map(drop)
}
