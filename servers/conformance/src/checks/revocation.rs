//! Row 10: every server rejects a revoked credential within the window that the revocation class declares.

use std::time::Duration;

use contract::{LogoutScope, RevocationClass, route, user};
use serde_json::json;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, not_applicable, reason};
use crate::login::Login;

/// The longest window in seconds that is waited for in real time.
const MAX_WAITED_WINDOW_S: u64 = 15;
/// Tolerance in addition to a revocation window.
const SLACK: Duration = Duration::from_secs(2);
/// Long enough for any password rule.
const NEW_PASSWORD: &str = "an entirely new password";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "logout-revokes-credential",
        row: 10,
        title: "After a logout every node rejects the credential within the declared revocation window, and the \
                credential cannot be renewed.",
        source: "OWASP Session Management Cheat Sheet; RFC 7009",
        run: logout,
    },
    Check {
        id: "logout-scope",
        row: 10,
        title: "A logout revokes what its declared scope covers, and no credential of another user.",
        source: "OWASP Session Management Cheat Sheet",
        run: scope,
    },
    Check {
        id: "logout-all-revokes-all",
        row: 10,
        title: "After a logout-all every credential of the user is rejected within the revocation window, and none \
                can be renewed.",
        source: "OWASP ASVS 7.4.3",
        run: logout_all,
    },
    Check {
        id: "password-change-revokes-all",
        row: 10,
        title: "A password change revokes every credential of the user and the old password.",
        source: "OWASP ASVS 7.4.3",
        run: password,
    },
    Check {
        id: "disabled-user-rejected",
        row: 10,
        title: "A disabled user cannot log in, renew or use a credential until the user is enabled again.",
        source: "OWASP ASVS 7.4.2",
        run: disabled,
    },
    Check {
        id: "role-change-revokes-all",
        row: 10,
        title: "A role change revokes every credential with the old roles, and the next login has the new ones.",
        source: "OWASP Session Management Cheat Sheet, privilege change",
        run: roles,
    },
];

/// Continues if every node rejects this credential within the window of its class. With class expiry only
/// its renewal must be rejected.
fn must_be_revoked(context: &CheckContext<'_>, login: &Login, what: &str) -> CheckResult {
    let class = CheckContext::require(context.facts.class())?;
    let renewal_ends_at_once = class == RevocationClass::Expiry || login.refresh_token.is_some();
    if renewal_ends_at_once {
        must_not_renew(context, login, what)?;
    }
    if class == RevocationClass::Expiry {
        return Ok(());
    }
    must_be_rejected(context, login, what)?;
    if renewal_ends_at_once { Ok(()) } else { must_not_renew(context, login, what) }
}

fn must_not_renew(context: &CheckContext<'_>, login: &Login, what: &str) -> CheckResult {
    context.send(&context.renewal_request(login))?.must_be(401, &format!("{what}: its renewal"))
}

fn must_be_rejected(context: &CheckContext<'_>, login: &Login, what: &str) -> CheckResult {
    let window_s = CheckContext::require(context.facts.window_s())?;
    if window_s > MAX_WAITED_WINDOW_S {
        context.advance(window_s)?;
    }
    let within = match window_s {
        0 => Duration::ZERO,
        window_s if window_s <= MAX_WAITED_WINDOW_S => Duration::from_secs(window_s) + SLACK,
        _ => SLACK,
    };
    for (number, node) in context.subject.nodes.iter().enumerate() {
        let rejected = context.wait_until(within, || match context.me_status_at(node, &login.credential)? {
            200 => Ok(false),
            401 => Ok(true),
            other => fail(format!("{what}: node {number} returns {other}")),
        })?;
        let clock_not_advanced = window_s > MAX_WAITED_WINDOW_S && login.refresh_token.is_none();
        if !rejected && clock_not_advanced {
            return not_applicable(reason::LONG_WINDOW);
        }
        ensure(rejected, || {
            format!("{what}: node {number} still accepts it after the revocation window of {window_s} s")
        })?;
    }
    Ok(())
}

fn must_be_accepted(context: &CheckContext<'_>, login: &Login, what: &str) -> CheckResult {
    for node in &context.subject.nodes {
        let status = context.me_status_at(node, &login.credential)?;
        ensure(status == 200, || format!("{what}: /me returns {status} instead of 200"))?;
    }
    Ok(())
}

fn post(context: &CheckContext<'_>, path: &str, login: &Login) -> CheckResult {
    context.send(&context.post(path, &login.credential))?.must_be(204, path)
}

/// Every node has accepted it, so that a node with a cache has it cached.
fn must_be_accepted_once(context: &CheckContext<'_>, login: &Login) -> CheckResult {
    must_be_accepted(context, login, "a new credential")
}

fn logout(context: &CheckContext<'_>) -> CheckResult {
    let scope = CheckContext::require(context.facts.logout())?;
    applicable(scope != LogoutScope::Nothing, reason::ENDS_NOTHING)?;
    let login = context.login()?;
    must_be_accepted_once(context, &login)?;
    post(context, route::LOGOUT, &login)?;
    must_be_revoked(context, &login, "after its logout")
}

fn scope(context: &CheckContext<'_>) -> CheckResult {
    let scope = CheckContext::require(context.facts.logout())?;
    let (one, bystander) = (context.login()?, context.login()?);
    let other = context.login_as(&one.username)?;
    must_be_accepted_once(context, &other)?;
    post(context, route::LOGOUT, &one)?;
    must_be_accepted(context, &bystander, "another user's credential after a logout")?;
    match scope {
        LogoutScope::User => {
            must_be_revoked(context, &other, "the user's other credential after a logout, as declared")
        }
        LogoutScope::Nothing | LogoutScope::Credential => {
            must_be_accepted(context, &other, "the user's other credential after a logout")?;
            context.renew(&other).map(drop)
        }
    }
}

/// Two credentials of a user, and one of another user.
fn three_logins(context: &CheckContext<'_>) -> CheckResult<(Login, Login, Login)> {
    let one = context.login()?;
    let (other, bystander) = (context.login_as(&one.username)?, context.login()?);
    for login in [&one, &other, &bystander] {
        must_be_accepted_once(context, login)?;
    }
    Ok((one, other, bystander))
}

/// Both credentials of the user are revoked; that of the other user is not.
fn must_revoke_all(
    context: &CheckContext<'_>,
    (one, other, bystander): &(Login, Login, Login),
    what: &str,
) -> CheckResult {
    must_be_accepted(context, bystander, &format!("another user's credential {what}"))?;
    must_be_revoked(context, one, &format!("a credential {what}"))?;
    must_be_revoked(context, other, &format!("the user's other credential {what}"))
}

fn logout_all(context: &CheckContext<'_>) -> CheckResult {
    let logins = three_logins(context)?;
    post(context, route::LOGOUT_ALL, &logins.0)?;
    must_revoke_all(context, &logins, "after a logout-all")?;
    must_be_accepted(context, &context.login_as(&logins.0.username)?, "a login after a logout-all")
}

fn password(context: &CheckContext<'_>) -> CheckResult {
    let logins = three_logins(context)?;
    change_password(context, &logins.0, user::PASSWORD, NEW_PASSWORD)?;
    let checked = must_have_new_password(context, &logins);
    let again = context.login_with(&logins.0.username, NEW_PASSWORD)?;
    change_password(context, &again, NEW_PASSWORD, user::PASSWORD)?;
    checked
}

fn change_password(context: &CheckContext<'_>, login: &Login, old: &str, new: &str) -> CheckResult {
    context.send(&context.password_change_request(login, old, new))?.must_be(204, "a password change")
}

fn must_have_new_password(context: &CheckContext<'_>, logins: &(Login, Login, Login)) -> CheckResult {
    must_revoke_all(context, logins, "after a password change")?;
    let old = context.send(&CheckContext::login_request(&logins.0.username, user::PASSWORD))?;
    old.must_be(401, "a login with the old password")?;
    let others = context.send(&CheckContext::login_request(&logins.2.username, NEW_PASSWORD))?;
    others.must_be(401, "another user's login with the new password")
}

fn disabled(context: &CheckContext<'_>) -> CheckResult {
    let (admin, logins) = (context.admin()?, three_logins(context)?);
    let change = |disabled: bool| json!({ "username": logins.0.username, "disabled": disabled });
    context.change_user(&admin, &change(true))?;
    let checked = must_be_disabled(context, &logins);
    // The clock may have been advanced past the expiry of the first.
    context.change_user(&context.admin()?, &change(false))?;
    checked?;
    must_be_accepted(context, &context.login_as(&logins.0.username)?, "a login of a user who was enabled again")
}

fn must_be_disabled(context: &CheckContext<'_>, logins: &(Login, Login, Login)) -> CheckResult {
    must_revoke_all(context, logins, "after its user was disabled")?;
    let rejected = context.send(&CheckContext::login_request(&logins.0.username, user::PASSWORD))?;
    rejected.must_be(401, "a login of a disabled user")
}

fn roles(context: &CheckContext<'_>) -> CheckResult {
    let (admin, logins) = (context.admin()?, three_logins(context)?);
    let name = &logins.0.username;
    let old = logins.0.response.json()["user"]["roles"].clone();
    let new = json!(["auditor", user::ADMIN_ROLE]);
    context.change_user(&admin, &json!({ "username": name, "roles": new }))?;
    let checked = must_have_roles(context, &logins);
    context.change_user(&context.admin()?, &json!({ "username": name, "roles": old }))?;
    checked
}

fn must_have_roles(context: &CheckContext<'_>, logins: &(Login, Login, Login)) -> CheckResult {
    must_revoke_all(context, logins, "after a role change of its user")?;
    let promoted = context.login_as(&logins.0.username)?;
    let admin = context.send(&context.with(crate::wire::Request::get(route::ADMIN), &promoted.credential))?;
    admin.must_be(200, "/admin for a user who was given the role")
}
