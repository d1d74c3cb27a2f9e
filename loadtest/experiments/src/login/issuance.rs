//! Issuance of credentials without a password, batch after batch.

use std::time::{Duration, Instant};

use engine::record::{Issuance, LoginExperiment, Validity};
use lab::observe::{CpuClock, ProcessGone};
use lab::store::Store;

use super::LoginParameters;
use crate::blocks;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{self, ServerUnderTest};

/// The most credentials per measurement: a server over the shared store keeps them, and the store would otherwise grow
/// by gigabytes.
const MAX_CREDENTIALS: u64 = 20_000;

/// CPU time since the processes started, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTime {
    pub(super) server_ns: u64,
    /// None without a store or if the store is not on this machine.
    pub(super) store_ns: Option<u64>,
}

impl CpuTime {
    pub(super) fn of(under_test: &ServerUnderTest<'_>) -> Result<Self, ProcessGone> {
        let ns = |pid: u32| CpuClock::of(pid)?.ns();
        let pids = under_test.store.map(Store::pids).filter(|pids| !pids.is_empty());
        let store_ns = pids.map(|pids| pids.into_iter().map(ns).sum::<Result<u64, _>>()).transpose()?;
        Ok(Self { server_ns: ns(under_test.server.process().pid())?, store_ns })
    }

    pub(super) fn since(self, before: &Self) -> Self {
        let increase = |(now, before): (u64, u64)| now.saturating_sub(before);
        Self {
            server_ns: increase((self.server_ns, before.server_ns)),
            store_ns: self.store_ns.zip(before.store_ns).map(increase),
        }
    }
}

pub(super) fn run(context: &mut RunContext<'_>, parameters: &LoginParameters) -> Result<(), ExperimentError> {
    let servers = servers::start_all(context, 1)?;
    let numbers: Vec<usize> = (0..servers.len()).collect();
    for turn in blocks::begin(context, "login: issuance", &numbers, parameters.issue_blocks) {
        let under_test = &servers[turn.item];
        context.step(under_test.scheme.id())?;
        let issuance = issue(context, under_test, parameters, turn.block)?;
        context.check_can_continue()?;
        context.journal.measured(|login: &mut LoginExperiment| login.issuances.push(issuance))?;
    }
    Ok(())
}

fn issue(
    context: &RunContext<'_>,
    under_test: &ServerUnderTest<'_>,
    parameters: &LoginParameters,
    block: u32,
) -> Result<Issuance, ExperimentError> {
    let client = under_test.server.client();
    let min_duration = Duration::from_secs_f64(parameters.issue_s);
    let started_at = crate::now();
    // Each batch is for other users, so that no user's index of sessions grows long.
    let mut first_user = block.wrapping_mul(MAX_CREDENTIALS as u32);
    let mut credentials = 0;
    let before = CpuTime::of(under_test)?;
    let started = Instant::now();
    while credentials == 0 || (started.elapsed() < min_duration && credentials < MAX_CREDENTIALS) {
        context.check_can_continue()?;
        credentials += client.mint(parameters.batch, first_user)?.len() as u64;
        first_user = first_user.wrapping_add(parameters.batch);
    }
    let wall_s = started.elapsed().as_secs_f64();
    let spent = CpuTime::of(under_test)?.since(&before);
    under_test.server.process().check()?;
    under_test.store.map_or(Ok(()), Store::check)?;
    Ok(Issuance {
        scheme: under_test.scheme.id().to_owned(),
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
