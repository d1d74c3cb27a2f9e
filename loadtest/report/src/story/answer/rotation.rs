//! What is said of keys and tokens that are replaced.

use engine::record::Learning;
use evidence::{RaceRow, RotationTable, StormRow};

use crate::figure::{grouped, listed, plain};

/// One sentence for each of the parts that were measured.
pub(super) fn sentence(table: &RotationTable) -> Option<String> {
    let parts = [rolls(table), races(table), storms(table)];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn rolls(table: &RotationTable) -> Option<String> {
    let of = |learning: Learning| {
        let rows = || table.rolls.iter().filter(move |row| row.learning == learning);
        let sum = |of: fn(&evidence::RollRow) -> u64| rows().map(of).sum::<u64>();
        (sum(|row| row.other_new.refused), sum(|row| row.other_new.sent))
    };
    let said = |learning: Learning, how: &str| {
        let (refused, sent) = of(learning);
        (sent > 0).then(|| format!("{} of {} {how}", grouped(refused as f64), grouped(sent as f64)))
    };
    let parts = [
        said(Learning::Never, "where nobody told it of the key"),
        said(Learning::Published, "where it fetched published keys"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| {
        format!("Keys: after one of two nodes had rolled its key, the other refused of the requests with new credentials {}.", listed(&parts))
    })
}

fn races(table: &RotationTable) -> Option<String> {
    let mut graces: Vec<u64> = table.races.iter().map(|row| row.grace_s).collect();
    graces.dedup();
    let of = |grace_s: u64| {
        let rows = || table.races.iter().filter(move |row| row.grace_s == grace_s);
        let sum = |of: fn(&RaceRow) -> u64| rows().map(of).sum::<u64>() as f64;
        format!("{} of {} with {grace_s} s of grace", grouped(sum(|row| row.killed)), grouped(sum(|row| row.families)))
    };
    let parts: Vec<String> = graces.into_iter().map(of).collect();
    (!parts.is_empty()).then(|| {
        format!("Refresh tokens: of logins whose own clients refreshed at the same instant ended {}.", listed(&parts))
    })
}

fn storms(table: &RotationTable) -> Option<String> {
    let of = |row: &StormRow| {
        let strays =
            if row.jitter > 0.0 { format!("straying by ±{:.0} %", row.jitter * 100.0) } else { "on time".to_owned() };
        format!("{} times the mean with clients {strays}", plain(row.peak_over_mean))
    };
    let parts: Vec<String> = table.storms.iter().map(of).collect();
    (!parts.is_empty()).then(|| format!("After a storm of logins refreshes peaked at {}.", listed(&parts)))
}
