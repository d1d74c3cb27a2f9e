//! Row 23: a former administrator cannot write, however long an earlier credential is still accepted for reads.

use contract::{route, user};
use serde_json::{Value, json};

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, ensure};

const SOURCE: &str = "OWASP ASVS 8.3.2";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "disabled-admin-writes-nothing",
        row: 23,
        title: "A disabled administrator cannot update a user with an earlier credential, at any server.",
        source: SOURCE,
        run: |case| former(case, |_| json!({ "disabled": true }), must_be_disabled),
    },
    Check {
        id: "demoted-admin-writes-nothing",
        row: 23,
        title: "An administrator who has lost the role cannot update a user with an earlier credential, at any server.",
        source: SOURCE,
        run: |case| former(case, |roles| json!({ "roles": roles }), must_have_lost_the_role),
    },
];

/// An update of this user.
fn of(username: &str, mut change: Value) -> Value {
    change["username"] = json!(username);
    change
}

/// Makes a user an administrator, reverts that with this update, and tries to undo it with the earlier credential.
fn former(case: &Case<'_>, change: fn(&Value) -> Value, holds: fn(&Case<'_>, &str) -> Step) -> Step {
    let admin = case.admin()?;
    let first = case.login()?;
    let (name, roles) = (first.username.as_str(), &first.answer.json()["user"]["roles"]);
    case.change_user(&admin, &of(name, json!({ "roles": ["auditor", user::ADMIN_ROLE] })))?;
    let checked = case.login_as(name).and_then(|second| {
        must_write(case, &second)?;
        case.change_user(&admin, &of(name, change(roles)))?;
        must_not_write(case, &second)?;
        holds(case, name)
    });
    case.change_user(&admin, &of(name, json!({ "disabled": false, "roles": roles })))?;
    checked
}

/// Lets every server process a write with the credential, so that a server with a cache has it cached.
fn must_write(case: &Case<'_>, second: &Login) -> Step {
    let bystander = case.fresh_user();
    for node in &case.subject.nodes {
        let change =
            case.post(route::ADMIN_USER, &second.credential).json(&of(&bystander, json!({ "disabled": false })));
        case.send_to(node, &change)?.must_be(204, "an update by a second administrator")?;
    }
    Ok(())
}

fn must_not_write(case: &Case<'_>, second: &Login) -> Step {
    let undo = of(&second.username, json!({ "disabled": false, "roles": ["auditor", user::ADMIN_ROLE] }));
    for (number, node) in case.subject.nodes.iter().enumerate() {
        let answer = case.send_to(node, &case.post(route::ADMIN_USER, &second.credential).json(&undo))?;
        ensure(matches!(answer.status, 401 | 403), || {
            format!(
                "node {number} returns {} instead of 401 or 403 to an update by a former administrator",
                answer.status
            )
        })?;
    }
    Ok(())
}

fn must_be_disabled(case: &Case<'_>, name: &str) -> Step {
    let login = case.send(&Case::login_request(name, user::PASSWORD))?;
    login.must_be(401, "a login of the disabled administrator after use of the earlier credential")
}

fn must_have_lost_the_role(case: &Case<'_>, name: &str) -> Step {
    let login = case.login_as(name)?;
    let roles = login.answer.json()["user"]["roles"].clone();
    let admin = roles.as_array().is_some_and(|roles| roles.iter().any(|role| role == user::ADMIN_ROLE));
    ensure(!admin, || format!("the former administrator has the roles {roles} after use of the earlier credential"))
}
