//! `memory`: how many bytes does a live credential take?
//!
//! Varies: the scheme, and the number of live credentials. Holds: the carrier, the facts in a session or token, one
//! credential per user.
//!
//! Measures the server's proportional set size and the store's own figure of its memory at each of several increasing
//! populations; the report fits a line, whose slope is the result and whose intercept is the fixed part. Server and
//! store are new for each series, so that freed memory of an earlier one cannot hide growth. Credentials are minted in
//! small batches, so that the response to a batch does not count as state.
//!
//! Limitations: below some thousand credentials the allocator's pages are larger than their contents.

use contract::Scheme;
use engine::record::{MemoryExperiment, MemoryPoint, Validity};
use lab::child::Bounds;
use lab::server::Server;
use lab::store::Store;

use crate::Run;
use crate::blocks::{Turn, turns};
use crate::experiment_store::ExperimentStore;
use crate::profile::Profile;
use crate::run_context::{ExperimentError, RunContext};

/// Credentials minted at a time.
const BATCH: u32 = 500;

/// The parameters of the experiment `memory`.
#[derive(Clone, Debug)]
pub struct MemoryParameters {
    /// Live credentials at which memory is read, increasing.
    pub populations: Vec<u32>,
    /// Number of series, each with a new server and a new store.
    pub series: u32,
}

impl Run for MemoryExperiment {
    type Parameters = MemoryParameters;

    fn parameters(profile: Profile) -> MemoryParameters {
        MemoryParameters {
            populations: profile.pick(
                vec![2_000, 5_000, 10_000, 20_000],
                vec![10_000, 20_000, 50_000, 100_000],
                // RS256 takes the better part of a second to sign a thousand; `population` has more, as far as time
                // allows.
                vec![2_000, 5_000, 10_000, 20_000],
            ),
            series: 3,
        }
    }

    fn run(context: &mut RunContext<'_>, parameters: &MemoryParameters) -> Result<(), ExperimentError> {
        let schemes = &context.config.schemes;
        let steps = u64::from(parameters.series) * (schemes.len() * parameters.populations.len()) as u64;
        context.progress.begin("memory", steps);
        for Turn { block: series, item: scheme, .. } in turns(schemes, 0..parameters.series, context.config.seed) {
            let bounds = Bounds::on(&context.config.placement.store_cpus);
            let store = ExperimentStore::start_empty(context, scheme.store(), "memory", &bounds)?;
            let server = context.start(&context.spec(scheme, store.store())?)?;
            fill(context, parameters, scheme, series, &server, store.store())?;
        }
        Ok(())
    }
}

/// Mints up to each population, and reads memory there.
fn fill(
    context: &mut RunContext<'_>,
    parameters: &MemoryParameters,
    scheme: Scheme,
    series: u32,
    server: &Server,
    store: Option<&Store>,
) -> Result<(), ExperimentError> {
    let client = server.client();
    let mut minted = 0;
    for &population in &parameters.populations {
        context.step(&format!("{scheme} with {population} credentials"))?;
        while minted < population {
            context.check_can_continue()?;
            let count = BATCH.min(population - minted);
            client.mint(count, minted)?;
            minted += count;
        }
        server.process().check()?;
        let point = point(scheme, series, population, server, store)?;
        context.journal.measured(|memory: &mut MemoryExperiment| memory.points.push(point))?;
    }
    Ok(())
}

/// Returns the memory that server and store use now.
pub(crate) fn point(
    scheme: Scheme,
    series: u32,
    population: u32,
    server: &Server,
    store: Option<&Store>,
) -> Result<MemoryPoint, ExperimentError> {
    let pid = server.process().pid();
    let server = lab::observe::memory(pid).map_err(|source| ExperimentError::Memory { pid, source })?;
    let memory = store.map(Store::memory).transpose()?;
    let reasons = [
        (
            store.is_some_and(|store| !store.is_private()),
            "the store is external: other clients may have changed its memory",
        ),
        (
            server.pss_bytes.is_none(),
            "the kernel does not report the proportional set size; the resident set size is used instead",
        ),
    ];
    let reasons = reasons.into_iter().filter(|(so, _)| *so).map(|(_, reason)| reason.to_owned()).collect();
    Ok(MemoryPoint {
        scheme: scheme.id().to_owned(),
        series,
        population: u64::from(population),
        server_pss_bytes: server.pss_bytes.unwrap_or(server.rss_bytes),
        server_rss_bytes: server.rss_bytes,
        store_used_bytes: memory.map(|memory| memory.used_bytes),
        store_rss_bytes: memory.map(|memory| memory.rss_bytes),
        validity: Validity::from_reasons(reasons),
    })
}
