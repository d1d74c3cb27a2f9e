//! Row 23: a former administrator cannot write, however long an earlier credential is still accepted for reads.

use contract::{route, user};
use serde_json::{Value, json};

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, ensure};
use crate::login::Login;

const SOURCE: &str = "OWASP ASVS 8.3.2";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "disabled-admin-writes-nothing",
        row: 23,
        title: "A disabled administrator whose credential was issued before cannot update a user, at any server.",
        source: SOURCE,
        run: |context| check_former_administrator(context, |_| json!({ "disabled": true }), must_be_disabled),
    },
    Check {
        id: "demoted-admin-writes-nothing",
        row: 23,
        title: "An administrator who has lost the role after the credential was issued cannot update a user, at any server.",
        source: SOURCE,
        run: |context| check_former_administrator(context, |roles| json!({ "roles": roles }), must_have_lost_the_role),
    },
];

/// An update of this user.
fn with_username(username: &str, mut change: Value) -> Value {
    change["username"] = json!(username);
    change
}

/// Makes a user an administrator, reverts that with this update, and tries to undo it with the earlier credential.
fn check_former_administrator(
    context: &CheckContext<'_>,
    change: fn(&Value) -> Value,
    check_unchanged: fn(&CheckContext<'_>, &str) -> CheckResult,
) -> CheckResult {
    let admin = context.admin()?;
    let first = context.login()?;
    let (name, roles) = (first.username.as_str(), &first.response.json()["user"]["roles"]);
    context.change_user(&admin, &with_username(name, json!({ "roles": ["auditor", user::ADMIN_ROLE] })))?;
    let checked = context.login_as(name).and_then(|other| {
        must_write(context, &other)?;
        context.change_user(&admin, &with_username(name, change(roles)))?;
        must_not_write(context, &other)?;
        check_unchanged(context, name)
    });
    context.change_user(&admin, &with_username(name, json!({ "disabled": false, "roles": roles })))?;
    checked
}

/// Lets every server process a write with the credential, so that a server with a cache has it cached.
fn must_write(context: &CheckContext<'_>, other: &Login) -> CheckResult {
    let bystander = context.fresh_user();
    for node in &context.subject.nodes {
        let change = context
            .post(route::ADMIN_USER, &other.credential)
            .json(&with_username(&bystander, json!({ "disabled": false })));
        context.send_to(node, &change)?.must_be(204, "an update by a second administrator")?;
    }
    Ok(())
}

fn must_not_write(context: &CheckContext<'_>, other: &Login) -> CheckResult {
    let undo = with_username(&other.username, json!({ "disabled": false, "roles": ["auditor", user::ADMIN_ROLE] }));
    for (number, node) in context.subject.nodes.iter().enumerate() {
        let response = context.send_to(node, &context.post(route::ADMIN_USER, &other.credential).json(&undo))?;
        ensure(matches!(response.status, 401 | 403), || {
            format!(
                "node {number} returns {} instead of 401 or 403 to an update by a former administrator",
                response.status
            )
        })?;
    }
    Ok(())
}

fn must_be_disabled(context: &CheckContext<'_>, name: &str) -> CheckResult {
    let login = context.send(&CheckContext::login_request(name, user::PASSWORD))?;
    login.must_be(401, "a login of the disabled administrator after use of the earlier credential")
}

fn must_have_lost_the_role(context: &CheckContext<'_>, name: &str) -> CheckResult {
    let login = context.login_as(name)?;
    let roles = login.response.json()["user"]["roles"].clone();
    let admin = roles.as_array().is_some_and(|roles| roles.iter().any(|role| role == user::ADMIN_ROLE));
    ensure(!admin, || format!("the former administrator has the roles {roles} after use of the earlier credential"))
}
