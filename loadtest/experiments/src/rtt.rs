//! `rtt`: how does the network distance to the store matter?
//!
//! Varies: the scheme, and the round-trip time between server and store. Holds: the request (`GET /me`), the carrier,
//! the rate of Poisson arrivals, which is low enough that requests do not queue, the connections, and that no session's
//! idle limit is extended.
//!
//! Measures response times at that rate, and CPU time per request in closed loops of few connections. The former yield
//! the number of round trips that a request waits for, and the distance up to which a store look-up is faster than a
//! signature check. Schemes that keep nothing in a store are visited once per block: the distance does not affect them.
//!
//! At 0 the server reaches its store over loopback; at greater distances there is a delay proxy in between, and the
//! delay that it produced is recorded. The closed loops are small because the proxy would be saturated before the
//! server. Each response of the store then wakes the server separately, at any distance, which makes a look-up more
//! expensive than in the experiment `cost`. Limitations: besides the delay the proxy adds some microseconds for its own
//! two sockets; connections are opened without delay; and no packets are lost, so there are no retransmissions.

use contract::{Scheme, Touch};
use engine::plan::Plan;
use engine::record::{Load, RoundAt, RttExperiment, StoreDistance};
use lab::proxy::{DelayProxy, Link};
use lab::server::ServerSpec;
use lab::store::Store;

use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunConfig, RunContext};
use crate::servers::{self, ServerUnderTest};
use crate::{Run, blocks};

/// The parameters of the experiment `rtt`.
#[derive(Clone, Debug)]
pub struct RttParameters {
    /// Round-trip times between server and store, in microseconds; 0 is a local store, which is always measured.
    pub rtts_us: Vec<u32>,
    /// Visits of every scheme at every distance.
    pub blocks: u32,
    /// The rate at which response times are measured, in requests per second.
    pub rate_rps: f64,
    /// Duration of a visit at that rate, in seconds.
    pub round_s: f64,
    /// Duration of a saturated visit, in seconds.
    pub saturated_s: f64,
    /// Number of connections.
    pub connections: u32,
    /// Users of the closed loop.
    pub saturated_connections: u32,
    /// Number of credentials in use.
    pub population: u32,
}

impl Run for RttExperiment {
    type Parameters = RttParameters;

    fn parameters(profile: Profile) -> RttParameters {
        RttParameters {
            rtts_us: vec![0, 200, 1_000, 5_000],
            blocks: profile.pick(10, 6, 6),
            rate_rps: 1_000.0,
            round_s: profile.pick(1.0, 0.7, 0.7),
            saturated_s: 0.5,
            connections: 64,
            saturated_connections: 4,
            population: 2_000,
        }
    }

    fn run(context: &mut RunContext<'_>, parameters: &RttParameters) -> Result<(), ExperimentError> {
        context.config.stores.values().try_for_each(Store::clear)?;
        let mut servers = start_with_local_store(context, parameters)?;
        let local = servers.len();
        servers.extend(start_with_remote_store(context, parameters)?);
        let visits = visits(servers.len(), local, parameters);
        for turn in blocks::begin(context, "rtt", &visits, parameters.blocks) {
            let (index, at, load) = turn.item;
            let under_test = &mut servers[index];
            context.step(&step_label(under_test, at, load))?;
            under_test.set_store_rtt(at.rtt_us);
            let plan = plan(context.config, parameters, turn.block, load);
            let round = turn.visit(load).make(context, under_test, &plan)?;
            context.journal.measured(|rtt: &mut RttExperiment| rtt.rounds.push(RoundAt { at, round }))?;
        }
        Ok(())
    }
}

/// Starts a server with a local store for every scheme.
fn start_with_local_store<'a>(
    context: &mut RunContext<'a>,
    parameters: &RttParameters,
) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let config = context.config;
    let start = |&scheme: &Scheme| {
        let spec = spec(context, scheme)?;
        servers::start_one(context, &spec, config.store(scheme), None, parameters.population)
    };
    config.schemes.iter().map(start).collect()
}

/// Starts a server behind a delay proxy for every scheme whose store this run started at a single address.
fn start_with_remote_store<'a>(
    context: &mut RunContext<'a>,
    parameters: &RttParameters,
) -> Result<Vec<ServerUnderTest<'a>>, ExperimentError> {
    let config = context.config;
    let mut servers = Vec::new();
    for &scheme in &config.schemes {
        let Some(store) = config.store(scheme) else { continue };
        let Some(address) = store.address() else {
            let reason = "a delay proxy needs a store that this run started at a single address; this store is external or \
                          redirects its clients to other addresses";
            context.journal.omit(&format!("{scheme} with a distant store"), reason)?;
            continue;
        };
        let proxy = DelayProxy::start(address, Link::default(), &config.placement.generator_cpus, config.seed);
        let proxy = proxy.map_err(|source| ExperimentError::Proxy { source })?;
        let spec = spec(context, scheme)?;
        servers.push(servers::start_one(context, &spec, Some(store), Some(proxy), parameters.population)?);
    }
    Ok(servers)
}

/// Disables the extension of idle limits, which would be an occasional additional round trip.
fn spec(context: &RunContext<'_>, scheme: Scheme) -> Result<ServerSpec, ExperimentError> {
    Ok(ServerSpec { touch: Touch::Never, ..context.spec(scheme, context.config.store(scheme))? })
}

/// Returns the visits of each block: a server by its index, the distance of its store, and a load.
fn visits(servers: usize, local: usize, parameters: &RttParameters) -> Vec<(usize, StoreDistance, Load)> {
    let remote_rtts_us = parameters.rtts_us.iter().filter(|rtt_us| **rtt_us > 0);
    let rtts_us =
        |index: usize| if index < local { vec![0] } else { remote_rtts_us.clone().copied().collect::<Vec<u32>>() };
    let loads = [Load::EqualRate { rate_rps: parameters.rate_rps }, Load::Saturated];
    let at = |rtt_us| loads.map(|load| (StoreDistance { rtt_us }, load));
    (0..servers)
        .flat_map(|index| rtts_us(index).into_iter().flat_map(at).map(move |(at, load)| (index, at, load)))
        .collect()
}

fn step_label(under_test: &ServerUnderTest<'_>, StoreDistance { rtt_us }: StoreDistance, load: Load) -> String {
    match load.equal_rate_rps() {
        Some(rate_rps) => format!("{}, store round trip {rtt_us} us, {rate_rps:.0} requests/s", under_test.scheme),
        None => format!("{}, store round trip {rtt_us} us, saturated", under_test.scheme),
    }
}

fn plan(config: &RunConfig, parameters: &RttParameters, block: u32, load: Load) -> Plan {
    let (duration_s, connections) = if load.is_saturated() {
        (parameters.saturated_s, parameters.saturated_connections)
    } else {
        (parameters.round_s, parameters.connections)
    };
    let size = RoundSize { duration_s, connections, population: parameters.population };
    size.plan(config, block, load.equal_rate_rps())
}
