//! Row 30: of several concurrent changes of one password, exactly one succeeds.

use contract::user;

use super::Check;
use crate::case::Case;
use crate::stop::{Step, ensure};
use crate::wire::Answer;

/// The new passwords, long enough for any rule.
const NEW: [&str; 2] = ["a new password, the first of two", "a new password, the second of two"];

pub(super) const CHECKS: &[Check] = &[Check {
    id: "password-changes-once",
    row: 30,
    title: "Of two concurrent changes of the same password exactly one succeeds, and its new password is valid.",
    source: "CWE-362; CWE-367",
    run: once,
}];

fn once(case: &Case<'_>) -> Step {
    let one = case.login()?;
    let name = one.username.clone();
    let logins = [one, case.login_as(&name)?];
    let nodes = case.subject.nodes.iter().cycle();
    let answers = std::thread::scope(|scope| {
        let sent: Vec<_> = logins
            .iter()
            .zip(NEW)
            .zip(nodes)
            .map(|((login, new), node)| {
                let request = case.password_change(login, user::PASSWORD, new);
                scope.spawn(move || case.send_to(node, &request))
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("sending does not panic")).collect::<Step<Vec<_>>>()
    });
    let good = restore(case, &name)?;
    let answers = answers?;
    let won: Vec<_> = answers.iter().zip(NEW).filter(|(answer, _)| answer.status == 204).map(|(_, new)| new).collect();
    ensure(won.len() == 1, || format!("{} of two concurrent password changes succeed", won.len()))?;
    answers
        .iter()
        .filter(|answer| answer.status != 204)
        .try_for_each(|lost: &Answer| lost.must_be_4xx("the other password change"))?;
    ensure(good == won, || {
        format!("{} of the new passwords are valid, instead of only that of the change that succeeded", good.len())
    })
}

/// Returns the new passwords that are valid, and restores the old one.
fn restore(case: &Case<'_>, name: &str) -> Step<Vec<&'static str>> {
    let mut good = vec![];
    for new in NEW {
        let answer = case.send(&Case::login_request(name, new))?;
        if answer.status == 200 {
            good.push(new);
        }
    }
    if let Some(new) = good.first() {
        let login = case.login_with(name, new)?;
        case.send(&case.password_change(&login, new, user::PASSWORD))?.must_be(204, "a password change")?;
    }
    Ok(good)
}
