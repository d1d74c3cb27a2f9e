//! Rows 15 and 20: the store, the log and the metrics contain no usable credential.

use std::collections::HashSet;

use contract::{route, user};
use memchr::memmem;
use serde_json::json;

use super::Check;
use crate::check_context::CheckContext;
use crate::check_error::{CheckResult, applicable, ensure, fail, not_applicable, reason};
use crate::login::Login;
use crate::token::{decode, encode};
use crate::wire::Request;

/// Minimum length of a string to try: shorter ones can be guessed anyway.
const MIN_STRING_LENGTH: usize = 16;
/// Maximum number of strings to try.
const MAX_STRINGS: usize = 500;
/// Users whose credentials are searched for.
const USERS: usize = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "store-holds-no-credential",
        row: 15,
        title: "A dump of the store contains no credential and no refresh token, neither as text nor decoded.",
        source: "OWASP Session Management Cheat Sheet; OWASP ASVS 11.4",
        run: no_credential_in_store,
    },
    Check {
        id: "store-strings-are-not-credentials",
        row: 15,
        title: "No string that a login writes to the store works as a credential or a refresh token.",
        source: "OWASP Session Management Cheat Sheet; OWASP ASVS 11.4",
        run: no_string_is_a_credential,
    },
    Check {
        id: "log-holds-no-secret",
        row: 20,
        title: "After valid and invalid requests to every route, the log contains no credential and no password.",
        source: "OWASP Logging Cheat Sheet, data to exclude",
        run: log,
    },
    Check {
        id: "metrics-hold-no-secret",
        row: 20,
        title: "After valid and invalid requests to every route, the metrics contain no credential and no password.",
        source: "OWASP Logging Cheat Sheet, data to exclude",
        run: metrics,
    },
];

/// Returns the text that must not be found.
fn secrets<'l>(logins: impl IntoIterator<Item = &'l Login>) -> Vec<String> {
    let of = |login: &'l Login| [Some(login.credential.clone()), login.refresh_token.clone()];
    logins.into_iter().flat_map(of).flatten().collect()
}

fn dump(context: &CheckContext<'_>) -> CheckResult<Vec<u8>> {
    context.store_control()?.dump().or_else(|error| not_applicable(format!("the store cannot be dumped: {error}")))
}

/// Logs in and renews for several users, so that the store contains everything that it will ever contain.
fn logins(context: &CheckContext<'_>) -> CheckResult<Vec<Login>> {
    let mut logins = vec![];
    for _ in 0..USERS {
        let first = context.login()?;
        logins.push(context.renew(&first)?);
        logins.push(context.login_as(&first.username)?);
        logins.push(first);
    }
    Ok(logins)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memmem::find(haystack, needle).is_some()
}

fn no_credential_in_store(context: &CheckContext<'_>) -> CheckResult {
    dump(context)?;
    let logins = logins(context)?;
    let dump = dump(context)?;
    for secret in secrets(&logins) {
        ensure(!contains(&dump, secret.as_bytes()), || format!("the store contains {secret:?}"))?;
        let bytes = decode(&secret).unwrap_or_default();
        ensure(!contains(&dump, &bytes), || format!("the store contains the bytes of {secret:?}"))?;
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        ensure(!contains(&dump, hex.as_bytes()), || format!("the store contains the bytes of {secret:?} as hex"))?;
    }
    Ok(())
}

/// Returns the strings of a dump, and what those in hex or with a prefix represent.
fn strings(dump: &[u8]) -> HashSet<String> {
    let is_string_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let strings = dump.split(|byte| !is_string_byte(byte)).filter(|string| string.len() >= MIN_STRING_LENGTH);
    strings.map(|string| String::from_utf8_lossy(string).into_owned()).collect()
}

fn spellings(string: &str) -> Vec<String> {
    let bytes: Option<Vec<u8>> = (string.len().is_multiple_of(2))
        .then(|| {
            let pairs = string.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
            pairs.collect::<Option<Vec<_>>>()
        })
        .flatten();
    std::iter::once(string.to_owned()).chain(bytes.map(encode)).collect()
}

fn no_string_is_a_credential(context: &CheckContext<'_>) -> CheckResult {
    let before = strings(&dump(context)?);
    let logins = logins(context)?;
    let after = strings(&dump(context)?);
    let fresh: Vec<_> = after.difference(&before).take(MAX_STRINGS).flat_map(|string| spellings(string)).collect();
    for string in &fresh {
        let status = context.me_status(string)?;
        ensure(status != 200, || format!("the store contains {string:?}, which works as a credential"))?;
        if context.facts.refresh_token {
            let status = context.send(&context.renewal_request_with(string))?.status;
            ensure(status != 200, || format!("the store contains {string:?}, which works as a refresh token"))?;
        }
    }
    context.must_be_accepted(&logins[1].credential, "a valid credential after that")
}

/// Uses every route, with valid and invalid credentials and passwords, and returns every secret used.
fn send_to_every_route(context: &CheckContext<'_>) -> CheckResult<Vec<String>> {
    let wrong = "a wrong password that no user has";
    let mut secrets = vec![user::PASSWORD.to_owned(), wrong.to_owned()];
    for _ in 0..USERS {
        let login = context.login()?;
        secrets.extend(send_as_user(context, &login, wrong)?);
    }
    Ok(secrets)
}

fn send_as_user(context: &CheckContext<'_>, login: &Login, wrong: &str) -> CheckResult<Vec<String>> {
    let other = context.login_as(&login.username)?;
    let invalid: String = login.credential.chars().rev().collect();
    context.send(&CheckContext::login_request(&login.username, wrong))?;
    for credential in [&login.credential, &invalid] {
        for path in [route::ME, route::ADMIN, route::CHAIN] {
            context.send(&context.with(Request::get(path), credential))?;
        }
        let change = json!({ "password": wrong, "new_password": user::PASSWORD });
        context.send(&context.post(route::PASSWORD, credential).json(&change))?;
        let change = json!({ "username": login.username, "roles": [] });
        context.send(&context.post(route::ADMIN_USER, credential).json(&change))?;
        context.send(&context.with(context.with(Request::get(route::ME), credential), credential))?;
    }
    context.send(&Request::post(route::LOGIN).raw_json(format!("{{\"password\":\"{wrong}\"")))?;
    let renewed = context.renew(login)?;
    context.send(&context.renewal_request(login))?;
    for (path, credential) in [(route::LOGOUT, &renewed.credential), (route::LOGOUT_ALL, &other.credential)] {
        context.send(&context.post(path, credential))?;
        context.send(&context.post(path, credential))?;
    }
    let mut all = secrets([login, &other, &renewed]);
    all.push(invalid);
    Ok(all)
}

fn must_contain_none(text: &[u8], secrets: &[String], place: &str) -> CheckResult {
    for secret in secrets {
        // The first half of a credential is enough to find a truncated copy.
        for shown in [secret.as_str(), &secret[..secret.len().min(32)], &secret[secret.len().saturating_sub(32)..]] {
            ensure(!contains(text, shown.as_bytes()), || format!("{place} contain {shown:?}"))?;
        }
    }
    Ok(())
}

fn log(context: &CheckContext<'_>) -> CheckResult {
    let Some(path) = &context.subject.log else { return not_applicable(reason::NO_LOG) };
    let secrets = send_to_every_route(context)?;
    match std::fs::read(path) {
        Ok(text) => must_contain_none(&text, &secrets, "the log lines"),
        Err(error) => not_applicable(format!("{}: {error}", path.display())),
    }
}

fn metrics(context: &CheckContext<'_>) -> CheckResult {
    let first = context.send(&Request::get(route::METRICS))?;
    applicable(first.status == 200, "there is no /metrics")?;
    let secrets = send_to_every_route(context)?;
    let metrics = context.send(&Request::get(route::METRICS))?;
    if metrics.body == first.body {
        return fail("the metrics do not change although every route is used");
    }
    must_contain_none(&metrics.body, &secrets, "the metrics")
}
