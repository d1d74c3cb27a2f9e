//! The table of checks. A check is a value: its id is stable, its row is that of the security table, and its function
//! decides whether it applies.

mod bearer;
mod bench;
mod claims;
mod cookies;
mod csrf;
mod expiry;
mod full_store;
mod guessing;
mod http;
mod jws;
mod keys;
mod late_logout;
mod login;
mod mutation;
mod outage;
mod parsing;
mod password;
mod privilege;
mod refresh;
mod revocation;
mod rotation;
mod sealed;
mod secrecy;
mod sessions;
mod slow;
mod start;

pub(crate) use slow::HALF_OPEN_CONNECTIONS;

use crate::check_context::CheckContext;
use crate::check_error::CheckResult;

/// One check.
pub struct Check {
    /// Stable, such as `alg-none`.
    pub id: &'static str,
    /// The row of the security table, 1 to 30.
    pub row: u8,
    /// What a correct server does, in one sentence.
    pub title: &'static str,
    /// The source: an RFC section, a cheat sheet.
    pub source: &'static str,
    pub(crate) run: fn(&CheckContext<'_>) -> CheckResult,
}

/// Every check, by subject. Keys are rotated last, because a given key is no longer the signing key afterwards;
/// half-open connections are checked late, because their time limit has passed by then.
pub static ALL: [&[Check]; 26] = [
    http::CHECKS,
    bearer::CHECKS,
    cookies::CHECKS,
    sessions::CHECKS,
    csrf::CHECKS,
    login::CHECKS,
    guessing::CHECKS,
    jws::CHECKS,
    keys::CHECKS,
    claims::CHECKS,
    parsing::CHECKS,
    mutation::CHECKS,
    refresh::CHECKS,
    late_logout::CHECKS,
    revocation::CHECKS,
    privilege::CHECKS,
    password::CHECKS,
    expiry::CHECKS,
    secrecy::CHECKS,
    outage::CHECKS,
    full_store::CHECKS,
    start::CHECKS,
    sealed::CHECKS,
    slow::CHECKS,
    rotation::CHECKS,
    bench::CHECKS,
];

/// Every check of the table.
pub fn all() -> impl Iterator<Item = &'static Check> {
    ALL.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_kebab_case_and_cover_every_row() {
        let ids: BTreeSet<_> = all().map(|check| check.id).collect();
        assert_eq!(ids.len(), all().count());
        for id in ids {
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{id}");
        }
        let rows: BTreeSet<_> = all().map(|check| check.row).collect();
        assert_eq!(rows, (1..=30).collect());
    }

    #[test]
    fn every_check_has_a_sentence_as_title_and_a_source() {
        for check in all() {
            assert!(check.title.ends_with('.') && check.title.starts_with(char::is_uppercase), "{}", check.id);
            assert!(!check.source.is_empty(), "{}", check.id);
        }
    }
}
