//! `login`.

use engine::record::{ConcurrentLogins, LoginExperiment, RoundAt};

use crate::testbed::{SCHEMES, every_scheme_at_every_level, measure, only};

#[test]
fn login_measures_bursts_with_reads_and_issuance_without_a_password() {
    let record = measure(LoginExperiment::EXPERIMENT);
    let login = only::<LoginExperiment>(&record);
    every_scheme_at_every_level(login.rounds.iter().map(|each| (&each.round, each.at)), 2);
    assert_eq!((login.rounds.len(), login.storms.len()), (2 * 2 * SCHEMES.len(), 2 * SCHEMES.len()));
    for burst in &login.storms {
        assert!(burst.validity.valid && burst.answered >= 3, "every client logged in: {burst:?}");
        assert_eq!(burst.store_cpu_ns.is_some(), burst.scheme == "session-redis");
        let concurrent = |each: &&RoundAt<ConcurrentLogins>| {
            each.at.clients == 3
                && each.round.scheme == burst.scheme
                && each.round.block == burst.block
                && each.round.load.equal_rate_rps() == Some(200.0)
        };
        assert_eq!(login.rounds.iter().find(concurrent).map(|each| each.round.counts.sent()), Some(burst.reads));
        // Each login passes over 19 MiB twice, which takes milliseconds on any machine.
        assert!(burst.server_cpu_ns > burst.answered * 1_000_000, "a login hashes: {burst:?}");
    }
    assert_eq!(login.issuances.len(), 2 * SCHEMES.len());
    for issuance in &login.issuances {
        assert!(issuance.credentials >= 100 && issuance.credentials % 100 == 0, "whole batches: {issuance:?}");
        let logins = login.storms.iter().filter(|burst| burst.scheme == issuance.scheme);
        let login_ns = logins.map(|burst| burst.server_cpu_ns / burst.answered).min().unwrap();
        let issuance_ns = issuance.server_cpu_ns / issuance.credentials;
        assert!(issuance_ns > 0 && issuance_ns < login_ns, "{issuance_ns} ns, with a password {login_ns} ns");
        assert_eq!(issuance.store_cpu_ns.is_some_and(|ns| ns > 0), issuance.scheme == "session-redis");
    }
}
