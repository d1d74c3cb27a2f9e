//! Row 30: of several concurrent changes of one password, exactly one succeeds.

use contract::user;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure};
use crate::wire::Response;

/// The new passwords, long enough for any rule.
const NEW_PASSWORDS: [&str; 2] = ["a new password, the first of two", "a new password, the second of two"];

pub(super) const CHECKS: &[Check] = &[Check {
    id: "password-changes-once",
    row: 30,
    title: "Of two concurrent changes of the same password exactly one succeeds, and its new password is valid.",
    source: "CWE-362; CWE-367",
    run: exactly_one_succeeds,
}];

fn exactly_one_succeeds(context: &CheckContext<'_>) -> CheckResult {
    let one = context.login()?;
    let name = one.username.clone();
    let logins = [one, context.login_as(&name)?];
    let nodes = context.subject.nodes.iter().cycle();
    let responses = std::thread::scope(|scope| {
        let sent: Vec<_> = logins
            .iter()
            .zip(NEW_PASSWORDS)
            .zip(nodes)
            .map(|((login, new), node)| {
                let request = context.password_change_request(login, user::PASSWORD, new);
                scope.spawn(move || context.send_to(node, &request))
            })
            .collect();
        sent.into_iter().map(|sent| sent.join().expect("sending does not panic")).collect::<CheckResult<Vec<_>>>()
    });
    let valid = restore_password(context, &name)?;
    let responses = responses?;
    let succeeded: Vec<_> = responses
        .iter()
        .zip(NEW_PASSWORDS)
        .filter(|(response, _)| response.status == 204)
        .map(|(_, new)| new)
        .collect();
    ensure(succeeded.len() == 1, || format!("{} of two concurrent password changes succeed", succeeded.len()))?;
    responses
        .iter()
        .filter(|response| response.status != 204)
        .try_for_each(|failed: &Response| failed.must_be_4xx("the other password change"))?;
    ensure(valid == succeeded, || {
        format!("{} of the new passwords are valid, instead of only that of the change that succeeded", valid.len())
    })
}

/// Returns the new passwords that are valid, and restores the old one.
fn restore_password(context: &CheckContext<'_>, name: &str) -> CheckResult<Vec<&'static str>> {
    let mut valid = vec![];
    for new in NEW_PASSWORDS {
        let response = context.send(&CheckContext::login_request(name, new))?;
        if response.status == 200 {
            valid.push(new);
        }
    }
    if let Some(new) = valid.first() {
        let login = context.login_with(name, new)?;
        context
            .send(&context.password_change_request(&login, new, user::PASSWORD))?
            .must_be(204, "a password change")?;
    }
    Ok(valid)
}
