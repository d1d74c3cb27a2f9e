//! The `login` experiment: the cost of a login, its effect on reads, and its cost without password
//! hashing.

use std::collections::BTreeMap;

use engine::record::{ConcurrentLogins, Issuance, LoginBurstRound, LoginExperiment, Record, Round, RoundAt};

use crate::cost::has_store;
use crate::group::{Group, RoundCounts, groups, schemes_in_order, without_factor};
use crate::latency::LatencyTable;
use crate::level::{Factor, Leveled as _};
use crate::statistics::{CONFIDENCE, Estimate, Interval, hodges_lehmann, hodges_lehmann_ratio, median};
use crate::warning::invalid_points;
use crate::{Analyse, EvidenceError, LatencyRow, Warning, warnings};

/// Logins, by scheme.
#[derive(Clone, Debug)]
pub struct LoginTable {
    /// The server's CPUs during a login burst; empty if nothing was pinned.
    pub server_cpus: Vec<u32>,
    /// Clients that logged in; 0 if no login burst was measured.
    pub clients: u32,
    /// Credentials requested per call; 0 if no issuance was measured.
    pub batch: u32,
    /// Response times of reads, by scheme, without concurrent logins and during a login burst.
    pub latency: LatencyTable,
    /// One row per scheme.
    pub rows: Vec<LoginRow>,
}

/// One scheme.
#[derive(Clone, Debug)]
pub struct LoginRow {
    /// The scheme's id.
    pub scheme: String,
    /// Reads without concurrent logins.
    pub idle: Option<LatencyRow>,
    /// Reads during a login burst.
    pub burst: Option<LatencyRow>,
    /// The median during a login burst as a multiple of that without concurrent logins.
    pub p50_ratio: Option<Estimate>,
    /// The same for the 99th percentile.
    pub p99_ratio: Option<Estimate>,
    /// The cost of a login.
    ///
    /// None without a valid burst and a valid round without concurrent logins, or if a store was
    /// not observed.
    pub cost: Option<LoginCost>,
    /// The cost of issuing a credential; none without a valid issuance.
    pub issuance: Option<IssuanceCost>,
}

/// The cost of a login, without that of concurrent reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoginCost {
    /// The login bursts behind the figures.
    pub bursts: RoundCounts,
    /// CPU time of server and store per login, in microseconds.
    pub login_us: Estimate,
    /// Logins per second of that CPU time.
    pub per_cpu_s: Estimate,
    /// Logins per second during the burst.
    pub rate_rps: Estimate,
}

/// The cost of issuing a credential without password hashing, in microseconds of CPU time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IssuanceCost {
    /// The issuances behind the figures.
    pub rounds: RoundCounts,
    /// Of the server.
    pub server_us: Estimate,
    /// Of the store; none without one or if it was not observed.
    pub store_us: Option<Estimate>,
    /// Of both; none if a store was not observed.
    pub total_us: Option<Estimate>,
    /// Credentials per second of that CPU time.
    pub per_cpu_s: Option<Estimate>,
}

/// A round of reads.
type Reads = RoundAt<ConcurrentLogins>;

impl Factor for ConcurrentLogins {
    fn description(&self) -> String {
        match self.clients {
            0 => "without concurrent logins".to_owned(),
            clients => format!("during a login burst of {clients} clients"),
        }
    }

    fn slug(&self) -> String {
        format!("beside-{}", self.clients)
    }

    fn sort_key(&self) -> f64 {
        f64::from(self.clients)
    }
}

impl Analyse for LoginExperiment {
    type Table = LoginTable;

    fn analyse(&self, record: &Record) -> Result<Option<LoginTable>, EvidenceError> {
        LoginTable::of(record, self).map(Some)
    }

    fn warnings(&self, record: &Record, _: Option<&LoginTable>) -> Vec<Warning> {
        let burst = |burst: &LoginBurstRound| format!("the logins of {} in block {}", burst.scheme, burst.block);
        let issuance = |issuance: &Issuance| format!("the issuance of {} in block {}", issuance.scheme, issuance.block);
        let bursts = self.storms.iter().map(|each| (burst(each), &each.validity));
        let points = bursts.chain(self.issuances.iter().map(|each| (issuance(each), &each.validity)));
        let mut warnings = warnings::for_groups(Self::EXPERIMENT, &self.groups(record));
        warnings.extend(invalid_points(Self::EXPERIMENT, points));
        warnings
    }

    fn groups<'record>(&'record self, record: &'record Record) -> Vec<Group<'record>> {
        without_factor(&groups(record, &self.rounds))
    }
}

impl LoginTable {
    fn of(record: &Record, login: &LoginExperiment) -> Result<Self, EvidenceError> {
        let latency = LatencyTable::of(LoginExperiment::EXPERIMENT, &groups(record, &login.rounds))?;
        let of_rounds = login.rounds.iter().map(|each| &each.round.scheme);
        let schemes = schemes_in_order(record, of_rounds.chain(login.issuances.iter().map(|each| &each.scheme)));
        let row = |scheme: &str| LoginRow::of(record, scheme, login, &latency);
        Ok(Self {
            server_cpus: login.server_cpus.clone(),
            clients: login.storms.iter().map(|burst| burst.clients).max().unwrap_or(0),
            batch: login.issuances.iter().map(|issuance| issuance.batch).max().unwrap_or(0),
            rows: schemes.into_iter().map(row).collect(),
            latency,
        })
    }
}

const fn is_idle(each: &Reads) -> bool {
    each.at.clients == 0
}

impl LoginRow {
    fn of(record: &Record, scheme: &str, login: &LoginExperiment, latency: &LatencyTable) -> Self {
        let of_scheme = || login.rounds.iter().filter(|each| each.round.scheme == scheme);
        let row = |idle: bool| {
            let level = of_scheme().find(|each| is_idle(each) == idle)?.level();
            latency.rows.iter().find(|row| row.scheme == scheme && row.level == level).cloned()
        };
        let rounds: Vec<&Reads> = of_scheme().filter(|each| each.round.validity.valid).collect();
        let bursts: Vec<&LoginBurstRound> = login.storms.iter().filter(|burst| burst.scheme == scheme).collect();
        let issuances: Vec<&Issuance> = login.issuances.iter().filter(|each| each.scheme == scheme).collect();
        let with_store = has_store(record, scheme);
        Self {
            scheme: scheme.to_owned(),
            idle: row(true),
            burst: row(false),
            p50_ratio: ratio(&rounds, |round| round.response_us.p50),
            p99_ratio: ratio(&rounds, |round| round.response_us.p99),
            cost: LoginCost::of(&bursts, &rounds, with_store),
            issuance: IssuanceCost::of(&issuances, with_store),
        }
    }
}

/// Returns the ratio of rounds during a login burst to rounds without concurrent logins, by block.
fn ratio(rounds: &[&Reads], of: fn(&Round) -> Option<u64>) -> Option<Estimate> {
    let by_block = |idle: bool| -> BTreeMap<u32, f64> {
        let selected = rounds.iter().filter(|each| is_idle(each) == idle).map(|each| &each.round);
        selected.filter_map(|round| Some((round.block, of(round)? as f64))).collect()
    };
    let idle = by_block(true);
    let pair = |(block, burst): (u32, f64)| Some((burst, *idle.get(&block)?));
    hodges_lehmann_ratio(&by_block(false).into_iter().filter_map(pair).collect::<Vec<_>>(), CONFIDENCE)
}

/// Returns the CPU time of server and store together; none if there is a store that was not
/// observed.
fn total_ns(server_ns: u64, store_ns: Option<u64>, with_store: bool) -> Option<f64> {
    let store_ns = if with_store { store_ns? } else { 0 };
    Some((server_ns + store_ns) as f64)
}

/// Returns the typical value; none if one is missing.
fn typical(values: impl Iterator<Item = Option<f64>>) -> Option<Estimate> {
    hodges_lehmann(&values.collect::<Option<Vec<f64>>>()?, CONFIDENCE)
}

/// Converts microseconds per operation to operations per second.
fn per_second(us: Estimate) -> Estimate {
    let inverse = us.interval.map(|at| Interval { low: 1e6 / at.high, high: 1e6 / at.low, ..at });
    Estimate { value: 1e6 / us.value, interval: inverse, samples: us.samples }
}

impl LoginCost {
    fn of(all: &[&LoginBurstRound], rounds: &[&Reads], with_store: bool) -> Option<Self> {
        let bursts: Vec<&LoginBurstRound> =
            all.iter().copied().filter(|burst| burst.validity.valid && burst.answered > 0).collect();
        let read_us = read_us(rounds, with_store)?;
        let each_us = |burst: &&LoginBurstRound| {
            let total_us = total_ns(burst.server_cpu_ns, burst.store_cpu_ns, with_store)? / 1e3;
            Some((total_us - read_us * burst.reads as f64) / burst.answered as f64)
        };
        let login_us = typical(bursts.iter().map(each_us)).filter(|us| us.value > 0.0)?;
        let rates: Vec<f64> = bursts.iter().map(|burst| burst.answered as f64 / burst.wall_s).collect();
        Some(Self {
            bursts: RoundCounts { used: bursts.len(), excluded: all.len() - bursts.len() },
            login_us,
            per_cpu_s: per_second(login_us),
            rate_rps: median(&rates, CONFIDENCE)?,
        })
    }
}

/// Returns the CPU time of a read without concurrent logins, in microseconds.
fn read_us(rounds: &[&Reads], with_store: bool) -> Option<f64> {
    let usages = rounds.iter().filter(|each| is_idle(each)).filter_map(|each| each.round.usage.as_ref());
    let (mut spent_ns, mut requests) = (0.0, 0);
    for usage in usages {
        spent_ns += total_ns(usage.server_cpu_ns, usage.store_cpu_ns, with_store)?;
        requests += usage.requests;
    }
    (requests > 0).then(|| spent_ns / 1e3 / requests as f64)
}

impl IssuanceCost {
    fn of(all: &[&Issuance], with_store: bool) -> Option<Self> {
        let valid: Vec<&Issuance> =
            all.iter().copied().filter(|each| each.validity.valid && each.credentials > 0).collect();
        let each = |issuance: &&Issuance, ns: f64| ns / 1e3 / issuance.credentials as f64;
        let store_us =
            |issuance: &&Issuance| Some(each(issuance, issuance.store_cpu_ns.filter(|_| with_store)? as f64));
        let total_us_of = |issuance: &&Issuance| {
            Some(each(issuance, total_ns(issuance.server_cpu_ns, issuance.store_cpu_ns, with_store)?))
        };
        let total_us = typical(valid.iter().map(total_us_of));
        Some(Self {
            rounds: RoundCounts { used: valid.len(), excluded: all.len() - valid.len() },
            server_us: typical(valid.iter().map(|issuance| Some(each(issuance, issuance.server_cpu_ns as f64))))?,
            store_us: typical(valid.iter().map(store_us)),
            total_us,
            per_cpu_s: total_us.map(per_second),
        })
    }
}
