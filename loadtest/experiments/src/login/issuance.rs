//! Issuance of credentials without a password, batch after batch.

use std::time::{Duration, Instant};

use engine::record::{Issuance, LoginExperiment, Validity};
use lab::observe::{CpuClock, ProcessGone};
use lab::store::Store;

use super::LoginParameters;
use crate::bench::{Bench, ExperimentError};
use crate::blocks;
use crate::fleet::{self, ServerUnderTest};

/// The most credentials per measurement: a server over the shared store keeps them, and the store would otherwise grow
/// by gigabytes.
const MOST: u64 = 20_000;

/// CPU time since the processes started, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTime {
    pub(super) server_ns: u64,
    /// None without a store or if the store is not on this machine.
    pub(super) store_ns: Option<u64>,
}

impl CpuTime {
    pub(super) fn of(station: &ServerUnderTest<'_>) -> Result<Self, ProcessGone> {
        let ns = |pid: u32| CpuClock::of(pid)?.ns();
        let pids = station.store.map(Store::pids).filter(|pids| !pids.is_empty());
        let store_ns = pids.map(|pids| pids.into_iter().map(ns).sum::<Result<u64, _>>()).transpose()?;
        Ok(Self { server_ns: ns(station.server.process().pid())?, store_ns })
    }

    pub(super) fn since(self, before: &Self) -> Self {
        let risen = |(now, before): (u64, u64)| now.saturating_sub(before);
        Self {
            server_ns: risen((self.server_ns, before.server_ns)),
            store_ns: self.store_ns.zip(before.store_ns).map(risen),
        }
    }
}

pub(super) fn run(bench: &mut Bench<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
    let stations = fleet::start(bench, 1)?;
    let numbers: Vec<usize> = (0..stations.len()).collect();
    for turn in blocks::begin(bench, "login: issuance", &numbers, parameters.issue_blocks) {
        let station = &stations[turn.item];
        bench.step(station.scheme.id())?;
        let issuance = issue(bench, station, parameters, turn.block)?;
        bench.go_on()?;
        bench.journal.measured(|login: &mut LoginExperiment| login.issuances.push(issuance))?;
    }
    Ok(())
}

fn issue(
    bench: &Bench<'_>,
    station: &ServerUnderTest<'_>,
    parameters: &LoginParameters,
    block: u32,
) -> Result<Issuance, ExperimentError> {
    let client = station.server.client();
    let lasts = Duration::from_secs_f64(parameters.issue_s);
    let started_at = crate::now();
    // Each batch is for other users, so that no user's index of sessions grows long.
    let mut first_user = block.wrapping_mul(MOST as u32);
    let mut credentials = 0;
    let before = CpuTime::of(station)?;
    let begun = Instant::now();
    while credentials == 0 || (begun.elapsed() < lasts && credentials < MOST) {
        bench.go_on()?;
        credentials += client.mint(parameters.batch, first_user)?.len() as u64;
        first_user = first_user.wrapping_add(parameters.batch);
    }
    let wall_s = begun.elapsed().as_secs_f64();
    let spent = CpuTime::of(station)?.since(&before);
    station.server.process().check()?;
    station.store.map_or(Ok(()), Store::check)?;
    Ok(Issuance {
        scheme: station.scheme.id().to_owned(),
        block,
        started_at,
        batch: parameters.batch,
        credentials,
        wall_s,
        server_cpu_ns: spent.server_ns,
        store_cpu_ns: spent.store_ns,
        validity: Validity::from_reasons(Vec::new()),
    })
}
