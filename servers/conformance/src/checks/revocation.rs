//! Row 10: every server rejects a revoked credential within the window that the revocation class declares.

use std::time::Duration;

use contract::{LogoutScope, RevocationClass, route, user};
use serde_json::json;

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, fail, not_applicable, reason};

/// The longest window in seconds that is waited for in real time.
const WAITED_S: u64 = 15;
/// Tolerance in addition to a revocation window.
const SLACK: Duration = Duration::from_secs(2);
/// Long enough for any password rule.
const NEW_PASSWORD: &str = "an entirely new password";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "logout-ends-credential",
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
        id: "logout-all-ends-all",
        row: 10,
        title: "After a logout-all every credential of the user is rejected within the revocation window, and none \
                can be renewed.",
        source: "OWASP ASVS 7.4.3",
        run: logout_all,
    },
    Check {
        id: "password-change-ends-all",
        row: 10,
        title: "A password change revokes every credential of the user and the old password.",
        source: "OWASP ASVS 7.4.3",
        run: password,
    },
    Check {
        id: "disabled-user-is-out",
        row: 10,
        title: "A disabled user cannot log in, renew or use a credential until the user is enabled again.",
        source: "OWASP ASVS 7.4.2",
        run: disabled,
    },
    Check {
        id: "role-change-ends-all",
        row: 10,
        title: "A role change revokes every credential with the old roles, and the next login has the new ones.",
        source: "OWASP Session Management Cheat Sheet, privilege change",
        run: roles,
    },
];

/// Continues if every node rejects this credential within the window of its class. With class expiry only
/// its renewal must be rejected.
fn must_end(case: &Case<'_>, login: &Login, what: &str) -> Step {
    let class = Case::fact(case.facts.class())?;
    let at_once = class == RevocationClass::Expiry || login.refresh_token.is_some();
    if at_once {
        must_not_renew(case, login, what)?;
    }
    if class == RevocationClass::Expiry {
        return Ok(());
    }
    must_be_denied(case, login, what)?;
    if at_once { Ok(()) } else { must_not_renew(case, login, what) }
}

fn must_not_renew(case: &Case<'_>, login: &Login, what: &str) -> Step {
    case.send(&case.renewal(login))?.must_be(401, &format!("{what}: its renewal"))
}

fn must_be_denied(case: &Case<'_>, login: &Login, what: &str) -> Step {
    let window_s = Case::fact(case.facts.window_s())?;
    if window_s > WAITED_S {
        case.advance(window_s)?;
    }
    let within = match window_s {
        0 => Duration::ZERO,
        waited if waited <= WAITED_S => Duration::from_secs(waited) + SLACK,
        _ => SLACK,
    };
    for (number, node) in case.subject.nodes.iter().enumerate() {
        let denied = case.comes_to_hold(within, || match case.me_at(node, &login.credential)? {
            200 => Ok(false),
            401 => Ok(true),
            other => fail(format!("{what}: node {number} returns {other}")),
        })?;
        let unmoved = window_s > WAITED_S && login.refresh_token.is_none();
        if !denied && unmoved {
            return not_applicable(reason::LONG_WINDOW);
        }
        ensure(denied, || {
            format!("{what}: node {number} still accepts it after the revocation window of {window_s} s")
        })?;
    }
    Ok(())
}

fn must_live(case: &Case<'_>, login: &Login, what: &str) -> Step {
    for node in &case.subject.nodes {
        let status = case.me_at(node, &login.credential)?;
        ensure(status == 200, || format!("{what}: /me returns {status} instead of 200"))?;
    }
    Ok(())
}

fn post(case: &Case<'_>, path: &str, login: &Login) -> Step {
    case.send(&case.post(path, &login.credential))?.must_be(204, path)
}

/// Every node has accepted it, so that a node with a cache has it cached.
fn seen(case: &Case<'_>, login: &Login) -> Step {
    must_live(case, login, "a new credential")
}

fn logout(case: &Case<'_>) -> Step {
    let scope = Case::fact(case.facts.logout())?;
    applicable(scope != LogoutScope::Nothing, reason::ENDS_NOTHING)?;
    let login = case.login()?;
    seen(case, &login)?;
    post(case, route::LOGOUT, &login)?;
    must_end(case, &login, "after its logout")
}

fn scope(case: &Case<'_>) -> Step {
    let scope = Case::fact(case.facts.logout())?;
    let (one, bystander) = (case.login()?, case.login()?);
    let other = case.login_as(&one.username)?;
    seen(case, &other)?;
    post(case, route::LOGOUT, &one)?;
    must_live(case, &bystander, "another user's credential after a logout")?;
    match scope {
        LogoutScope::User => must_end(case, &other, "the user's other credential after a logout, as declared"),
        LogoutScope::Nothing | LogoutScope::Credential => {
            must_live(case, &other, "the user's other credential after a logout")?;
            case.renew(&other).map(drop)
        }
    }
}

/// Two credentials of a user, and one of another user.
fn three(case: &Case<'_>) -> Step<(Login, Login, Login)> {
    let one = case.login()?;
    let (other, bystander) = (case.login_as(&one.username)?, case.login()?);
    for login in [&one, &other, &bystander] {
        seen(case, login)?;
    }
    Ok((one, other, bystander))
}

/// Both credentials of the user are revoked; that of the other user is not.
fn must_end_all(case: &Case<'_>, (one, other, bystander): &(Login, Login, Login), what: &str) -> Step {
    must_live(case, bystander, &format!("another user's credential {what}"))?;
    must_end(case, one, &format!("a credential {what}"))?;
    must_end(case, other, &format!("the user's other credential {what}"))
}

fn logout_all(case: &Case<'_>) -> Step {
    let three = three(case)?;
    post(case, route::LOGOUT_ALL, &three.0)?;
    must_end_all(case, &three, "after a logout-all")?;
    must_live(case, &case.login_as(&three.0.username)?, "a login after a logout-all")
}

fn password(case: &Case<'_>) -> Step {
    let three = three(case)?;
    change_password(case, &three.0, user::PASSWORD, NEW_PASSWORD)?;
    let checked = must_have_new_password(case, &three);
    let again = case.login_with(&three.0.username, NEW_PASSWORD)?;
    change_password(case, &again, NEW_PASSWORD, user::PASSWORD)?;
    checked
}

fn change_password(case: &Case<'_>, login: &Login, old: &str, new: &str) -> Step {
    case.send(&case.password_change(login, old, new))?.must_be(204, "a password change")
}

fn must_have_new_password(case: &Case<'_>, three: &(Login, Login, Login)) -> Step {
    must_end_all(case, three, "after a password change")?;
    let old = case.send(&Case::login_request(&three.0.username, user::PASSWORD))?;
    old.must_be(401, "a login with the old password")?;
    let others = case.send(&Case::login_request(&three.2.username, NEW_PASSWORD))?;
    others.must_be(401, "another user's login with the new password")
}

fn disabled(case: &Case<'_>) -> Step {
    let (admin, three) = (case.admin()?, three(case)?);
    let change = |disabled: bool| json!({ "username": three.0.username, "disabled": disabled });
    case.change_user(&admin, &change(true))?;
    let checked = must_be_out(case, &three);
    // The clock may have been advanced past the expiry of the first.
    case.change_user(&case.admin()?, &change(false))?;
    checked?;
    must_live(case, &case.login_as(&three.0.username)?, "a login of a user who was enabled again")
}

fn must_be_out(case: &Case<'_>, three: &(Login, Login, Login)) -> Step {
    must_end_all(case, three, "after its user was disabled")?;
    let refused = case.send(&Case::login_request(&three.0.username, user::PASSWORD))?;
    refused.must_be(401, "a login of a disabled user")
}

fn roles(case: &Case<'_>) -> Step {
    let (admin, three) = (case.admin()?, three(case)?);
    let name = &three.0.username;
    let old = three.0.answer.json()["user"]["roles"].clone();
    let new = json!(["auditor", user::ADMIN_ROLE]);
    case.change_user(&admin, &json!({ "username": name, "roles": new }))?;
    let checked = must_have_roles(case, &three);
    case.change_user(&case.admin()?, &json!({ "username": name, "roles": old }))?;
    checked
}

fn must_have_roles(case: &Case<'_>, three: &(Login, Login, Login)) -> Step {
    must_end_all(case, three, "after a role change of its user")?;
    let promoted = case.login_as(&three.0.username)?;
    let admin = case.send(&case.with(crate::wire::Request::get(route::ADMIN), &promoted.credential))?;
    admin.must_be(200, "/admin for a user who was given the role")
}
