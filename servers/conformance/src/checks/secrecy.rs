//! Rows 15 and 20: the store, the log and the metrics contain no usable credential.

use std::collections::HashSet;

use contract::{route, user};
use memchr::memmem;
use serde_json::json;

use super::Check;
use crate::case::Case;
use crate::login::Login;
use crate::stop::{Step, applicable, ensure, fail, not_applicable, reason};
use crate::token::{decode, encode};
use crate::wire::Request;

/// Minimum length of a string to try: shorter ones can be guessed anyway.
const LEAST_WORD: usize = 16;
/// Maximum number of strings to try.
const MOST_WORDS: usize = 500;
/// Users whose credentials are searched for.
const USERS: usize = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "store-holds-no-credential",
        row: 15,
        title: "A dump of the store contains no credential and no refresh token, neither as text nor decoded.",
        source: "OWASP Session Management Cheat Sheet; OWASP ASVS 11.4",
        run: no_credential,
    },
    Check {
        id: "store-words-open-nothing",
        row: 15,
        title: "No string that a login writes to the store works as a credential or a refresh token.",
        source: "OWASP Session Management Cheat Sheet; OWASP ASVS 11.4",
        run: no_word,
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

fn dump(case: &Case<'_>) -> Step<Vec<u8>> {
    case.store()?.dump().or_else(|error| not_applicable(format!("the store cannot be dumped: {error}")))
}

/// Logs in and renews for several users, so that the store contains everything that it will ever contain.
fn logins(case: &Case<'_>) -> Step<Vec<Login>> {
    let mut logins = vec![];
    for _ in 0..USERS {
        let first = case.login()?;
        logins.push(case.renew(&first)?);
        logins.push(case.login_as(&first.username)?);
        logins.push(first);
    }
    Ok(logins)
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memmem::find(haystack, needle).is_some()
}

fn no_credential(case: &Case<'_>) -> Step {
    dump(case)?;
    let logins = logins(case)?;
    let dump = dump(case)?;
    for secret in secrets(&logins) {
        ensure(!holds(&dump, secret.as_bytes()), || format!("the store contains {secret:?}"))?;
        let bytes = decode(&secret).unwrap_or_default();
        ensure(!holds(&dump, &bytes), || format!("the store contains the bytes of {secret:?}"))?;
        let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        ensure(!holds(&dump, hex.as_bytes()), || format!("the store contains the bytes of {secret:?} as hex"))?;
    }
    Ok(())
}

/// Returns the strings of a dump, and what those in hex or with a prefix represent.
fn words(dump: &[u8]) -> HashSet<String> {
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let words = dump.split(|byte| !in_word(byte)).filter(|word| word.len() >= LEAST_WORD);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn spellings(word: &str) -> Vec<String> {
    let bytes: Option<Vec<u8>> = (word.len().is_multiple_of(2))
        .then(|| {
            let pairs = word.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
            pairs.collect::<Option<Vec<_>>>()
        })
        .flatten();
    std::iter::once(word.to_owned()).chain(bytes.map(encode)).collect()
}

fn no_word(case: &Case<'_>) -> Step {
    let before = words(&dump(case)?);
    let logins = logins(case)?;
    let after = words(&dump(case)?);
    let fresh: Vec<_> = after.difference(&before).take(MOST_WORDS).flat_map(|word| spellings(word)).collect();
    for word in &fresh {
        let status = case.me(word)?;
        ensure(status != 200, || format!("the store contains {word:?}, which works as a credential"))?;
        if case.facts.refresh_token {
            let status = case.send(&case.renewal_by(word))?.status;
            ensure(status != 200, || format!("the store contains {word:?}, which works as a refresh token"))?;
        }
    }
    case.must_be_good(&logins[1].credential, "a valid credential after that")
}

/// Uses every route, with valid and invalid credentials and passwords, and returns every secret used.
fn use_every_route(case: &Case<'_>) -> Step<Vec<String>> {
    let wrong = "a wrong password that nobody has";
    let mut secrets = vec![user::PASSWORD.to_owned(), wrong.to_owned()];
    for _ in 0..USERS {
        let login = case.login()?;
        secrets.extend(use_once(case, &login, wrong)?);
    }
    Ok(secrets)
}

fn use_once(case: &Case<'_>, login: &Login, wrong: &str) -> Step<Vec<String>> {
    let other = case.login_as(&login.username)?;
    let bad: String = login.credential.chars().rev().collect();
    case.send(&Case::login_request(&login.username, wrong))?;
    for credential in [&login.credential, &bad] {
        for path in [route::ME, route::ADMIN, route::CHAIN] {
            case.send(&case.with(Request::get(path), credential))?;
        }
        let change = json!({ "password": wrong, "new_password": user::PASSWORD });
        case.send(&case.post(route::PASSWORD, credential).json(&change))?;
        let change = json!({ "username": login.username, "roles": [] });
        case.send(&case.post(route::ADMIN_USER, credential).json(&change))?;
        case.send(&case.with(case.with(Request::get(route::ME), credential), credential))?;
    }
    case.send(&Request::post(route::LOGIN).raw_json(format!("{{\"password\":\"{wrong}\"")))?;
    let renewed = case.renew(login)?;
    case.send(&case.renewal(login))?;
    for (path, credential) in [(route::LOGOUT, &renewed.credential), (route::LOGOUT_ALL, &other.credential)] {
        case.send(&case.post(path, credential))?;
        case.send(&case.post(path, credential))?;
    }
    let mut all = secrets([login, &other, &renewed]);
    all.push(bad);
    Ok(all)
}

fn must_hold_none(text: &[u8], secrets: &[String], place: &str) -> Step {
    for secret in secrets {
        // The first half of a credential is enough to find a truncated copy.
        for shown in [secret.as_str(), &secret[..secret.len().min(32)], &secret[secret.len().saturating_sub(32)..]] {
            ensure(!holds(text, shown.as_bytes()), || format!("{place} contain {shown:?}"))?;
        }
    }
    Ok(())
}

fn log(case: &Case<'_>) -> Step {
    let Some(path) = &case.subject.log else { return not_applicable(reason::NO_LOG) };
    let secrets = use_every_route(case)?;
    match std::fs::read(path) {
        Ok(text) => must_hold_none(&text, &secrets, "the log lines"),
        Err(error) => not_applicable(format!("{}: {error}", path.display())),
    }
}

fn metrics(case: &Case<'_>) -> Step {
    let first = case.send(&Request::get(route::METRICS))?;
    applicable(first.status == 200, "there is no /metrics")?;
    let secrets = use_every_route(case)?;
    let metrics = case.send(&Request::get(route::METRICS))?;
    if metrics.body == first.body {
        return fail("the metrics do not change although every route is used");
    }
    must_hold_none(&metrics.body, &secrets, "the metrics")
}
