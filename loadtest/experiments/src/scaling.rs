//! `scaling`: what do more nodes bring?
//!
//! Varies: the scheme, and the number of nodes that share the load. Holds: the slice of a processor that each node has,
//! that of the store, the connections a node, the request (`GET /me`), the carrier, and that no session's idle limit is pushed
//! back: how often that is written depends on how long ago a scheme had its turn.
//!
//! Measures what the nodes carry together in a saturated closed loop, the CPU time of nodes and store a request, and the
//! share of its periods in which each slice was used up: it says what was full. Once in each block the store's slice is
//! filled by one, two or three nodes in turn, without a bound: what a store spends on a request falls as it fills, for it
//! then answers more with each waking, so that its capacity does not follow from what it spends before.
//!
//! The slices are as large as they can be while all nodes together stay below 60 % of what the generator can drive and
//! below what the processors have; the store's is as large as a node's, so that schemes that ask a store meet its end
//! inside the range.
//!
//! With a balancer, an `HAProxy` stands between, in a slice of its own that is twice as large as what it needs when full; a round
//! in which it was used up is invalid.
//!
//! Without slices, what a request costs on whole processors is all that is measured. The report then estimates what nodes
//! and stores of a whole processor would carry, and says that it is an estimate.
//!
//! Weak: nodes of one machine share caches and a network that costs nothing, and a quota makes them run in bursts, which
//! let a store answer several requests at a time. Latency is not measured here, for quotas flatter it.

use std::collections::{BTreeMap, BTreeSet};

use contract::{RevocationClass, Scheme, StoreDown, StoreKind};
use driver::Target;
use engine::plan::Plan;
use engine::record::{Balancing, Load, Round, ScalingExperiment, ScalingPoint, ServiceDemand, Slicing, Step, Validity};
use engine::validity::{GENERATOR_SHARE, generator_share};
use lab::slice::{NoSlices, Slices, Throttling};
use lab::store::Store;

use crate::balancer::{Balancer, Front};
use crate::bench::{Bench, ExperimentError};
use crate::nodes::{Nodes, Shares, SlicedStore, WHOLE};
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::visit::{Watched, alone, drive_round, workers};
use crate::{Run, blocks};

pub use parameters::ScalingParameters;

mod demand;
mod parameters;

/// All nodes together stay below this share of what the generator can drive.
const OF_GENERATOR: f64 = 0.60;
/// Nodes and store together stay below this share of their processors: the kernel needs some, too.
const OF_PROCESSORS: f64 = 0.90;
/// The store's slice, in nodes' slices. A session over one pipelining connection asks the store for a fifth of what it asks
/// of its node, so that five or six nodes fill it; a pooled one fills it with two or three.
const STORE_IN_NODES: f64 = 1.0;
/// The balancer's slice, as a multiple of what it needs at most: with time left it spends more on a request than when full.
const BALANCER_SPARE: f64 = 2.0;
/// A balancer whose slice is used up in more than this share of its periods decides what is carried.
const BALANCER_FULL: f64 = 0.10;
/// The store is filled by at most so many nodes: no more than the laws are found on.
const FILLED_BY: u32 = 3;
/// Rounds on whole processors for each scheme, of which the middle one counts.
const DEMAND_BLOCKS: u32 = 3;

impl Run for ScalingExperiment {
    type Parameters = ScalingParameters;

    fn parameters(profile: Profile) -> ScalingParameters {
        ScalingParameters::of(profile)
    }

    fn run(bench: &mut Bench<'_>, parameters: &ScalingParameters) -> Result<(), ExperimentError> {
        let schemes = sliceable(bench)?;
        match (bench.setting.slices)() {
            Ok(slices) => nodes(bench, parameters, &schemes, &slices),
            Err(none) => estimate(bench, parameters, &schemes, &none),
        }
    }
}

/// More nodes than one cannot be measured: what a request costs is, and the report estimates from it what they would carry.
fn estimate(
    bench: &mut Bench<'_>,
    parameters: &ScalingParameters,
    schemes: &[Scheme],
    none: &NoSlices,
) -> Result<(), ExperimentError> {
    let reason = format!("{none}; the capacity of more nodes is estimated from the CPU time of a request instead");
    bench.progress.note(&format!("LEFT OUT: scaling on more than one node. {reason}"));
    bench.journal.omit("scaling on more than one node", &reason)?;
    bench.journal.measured(|scaling: &mut ScalingExperiment| scaling.unsliced = Some(none.to_string()))?;
    demand::measure(bench, parameters, schemes, parameters.blocks).map(drop)
}

/// Measures what one node and more carry, each in its slice.
fn nodes(
    bench: &mut Bench<'_>,
    parameters: &ScalingParameters,
    schemes: &[Scheme],
    slices: &Slices,
) -> Result<(), ExperimentError> {
    let most = most(parameters);
    let demands = demand::measure(bench, parameters, schemes, DEMAND_BLOCKS)?;
    bench.progress.end();
    let slicing = slicing(bench, slices, &demands, most);
    bench.journal.measured(|scaling: &mut ScalingExperiment| scaling.slicing = Some(slicing.clone()))?;
    let balancer = slicing.balancer.as_ref().map(|balancer| balancer.share);
    let shares = Shares { slices, node: slicing.node_share, store: slicing.store_share, balancer };
    let stores = stores(bench, schemes, &shares)?;
    let mut groups = Vec::new();
    for &scheme in schemes {
        bench.go_on()?;
        let group = Nodes::start(bench, scheme, stores.get(&scheme.store()), most, &shares, parameters.population)?;
        warm_up(bench, parameters, &group, most)?;
        groups.push(group);
    }
    groups.iter().try_for_each(Nodes::narrow)?;
    visit(bench, parameters, &mut groups, &slicing)
}

fn most(parameters: &ScalingParameters) -> u32 {
    parameters.nodes.iter().copied().max().unwrap_or(1)
}

/// The schemes whose store is ours to watch and to give a slice.
fn sliceable(bench: &mut Bench<'_>) -> Result<Vec<Scheme>, ExperimentError> {
    let lent = |scheme: &Scheme| bench.setting.store(*scheme).is_some_and(|store| !store.is_private());
    let (without, with): (Vec<Scheme>, Vec<Scheme>) = bench.setting.schemes.iter().partition(|scheme| lent(scheme));
    for scheme in without {
        let reason =
            "its store is external: this run can neither set its CPU quota nor read its CPU time; omit --redis-url";
        bench.journal.omit(&format!("scaling of {scheme}"), reason)?;
    }
    Ok(with)
}

fn pid(front: Option<&Front>) -> Option<u32> {
    front.map(|front| front.process().pid())
}

/// The largest slices that leave enough to the generator, and to the kernel.
fn slicing(bench: &Bench<'_>, slices: &Slices, demands: &[ServiceDemand], most: u32) -> Slicing {
    let placement = &bench.setting.placement;
    let cheapest_us = demands.iter().map(|demand| demand.server_us).fold(f64::INFINITY, f64::min);
    let most_of = |us: fn(&ServiceDemand) -> f64| demands.iter().map(us).fold(0.0, f64::max);
    let generator_us = most_of(|demand| demand.generator_us);
    let balancer_us = most_of(|demand| demand.balancer_us.unwrap_or(0.0));
    let generator_rps = workers(placement).count as f64 * 1e6 / generator_us;
    let together = placement.server_cpus == placement.store_cpus;
    // At most the nodes carry what the cheapest scheme does.
    let balancer_in_nodes = BALANCER_SPARE * balancer_us / cheapest_us * f64::from(most);
    let in_nodes = f64::from(most) + balancer_in_nodes + if together { STORE_IN_NODES } else { 0.0 };
    let of_processors = OF_PROCESSORS / in_nodes;
    let of_generator = OF_GENERATOR * generator_rps * cheapest_us / 1e6 / f64::from(most);
    let node_share = of_processors.min(of_generator);
    Slicing {
        method: slices.method().to_owned(),
        node_share,
        store_share: STORE_IN_NODES * node_share,
        balancer: (bench.setting.balancer != Balancer::Generator)
            .then(|| Balancing { program: bench.setting.balancer.to_string(), share: balancer_in_nodes * node_share }),
        generator_rps,
        expected_rps: f64::from(most) * node_share * 1e6 / cheapest_us,
    }
}

/// One of each kind that is apart.
fn stores<'a>(
    bench: &Bench<'a>,
    schemes: &[Scheme],
    shares: &Shares<'_>,
) -> Result<BTreeMap<StoreKind, SlicedStore<'a>>, ExperimentError> {
    let kinds: BTreeSet<StoreKind> = schemes.iter().map(|scheme| scheme.store()).collect();
    let store = |kind| Ok((kind, SlicedStore::start(bench, kind, shares)?));
    kinds.into_iter().filter(|kind| kind.is_apart()).map(store).collect()
}

/// Has so many nodes open their connections and fill their caches, on whole processors: a `PostgreSQL` would spend whole rounds of a
/// small slice on it. Nothing is noted.
fn warm_up(
    bench: &Bench<'_>,
    parameters: &ScalingParameters,
    group: &Nodes<'_>,
    nodes: u32,
) -> Result<(), ExperimentError> {
    let plan = plan(bench, parameters, nodes * parameters.connections_a_node, 0);
    drive(bench, &plan, &group.target(nodes)?, group.scheme, Watched::default())?;
    bench.go_on()
}

/// Whether a server lets go by itself of what its store has told it, so that it knows nothing any more when its turn comes again.
fn forgets(scheme: Scheme) -> bool {
    scheme.store_down() == StoreDown::ServeCached && scheme.revocation_class() == Some(RevocationClass::Ttl)
}

/// Visits every scheme with every number of nodes, and fills every store, once a block.
fn visit(
    bench: &mut Bench<'_>,
    parameters: &ScalingParameters,
    groups: &mut [Nodes<'_>],
    slicing: &Slicing,
) -> Result<(), ExperimentError> {
    let mut visits = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        visits.extend(parameters.nodes.iter().map(|&nodes| (index, Some(nodes))));
        visits.extend(group.store().map(|_| (index, None)));
    }
    for turn in blocks::begin(bench, "scaling", &visits, parameters.blocks) {
        let (index, nodes) = turn.item;
        let group = &mut groups[index];
        bench.step(&match nodes {
            Some(nodes) => format!("{} on {nodes} nodes", group.scheme),
            None => format!("{}, store saturated", group.scheme),
        })?;
        let filled_by = (1 + turn.block % FILLED_BY).min(most(parameters));
        let step = nodes.map_or(Step::StoreFilled { nodes: filled_by }, |nodes| Step::Nodes { nodes });
        let point = measure(bench, parameters, group, slicing, (turn.block, step))?;
        bench.go_on()?;
        bench.journal.measured(|scaling: &mut ScalingExperiment| scaling.points.push(point))?;
    }
    Ok(())
}

/// One round in its step.
fn measure(
    bench: &Bench<'_>,
    parameters: &ScalingParameters,
    group: &mut Nodes<'_>,
    slicing: &Slicing,
    (block, step): (u32, Step),
) -> Result<ScalingPoint, ExperimentError> {
    let (Step::Nodes { nodes } | Step::StoreFilled { nodes }) = step;
    let plan = plan(bench, parameters, nodes * parameters.connections_a_node, block);
    group.renew(bench, &plan)?;
    if forgets(group.scheme) {
        group.widen()?;
        warm_up(bench, parameters, group, nodes)?;
        group.narrow()?;
    }
    if matches!(step, Step::Nodes { .. }) {
        return point(bench, &plan, group, nodes, (block, step));
    }
    group.resize(nodes, WHOLE)?;
    let found = point(bench, &plan, group, nodes, (block, step));
    group.resize(nodes, slicing.node_share)?;
    found
}

fn point(
    bench: &Bench<'_>,
    plan: &Plan,
    group: &Nodes<'_>,
    nodes: u32,
    (block, step): (u32, Step),
) -> Result<ScalingPoint, ExperimentError> {
    let servers = &group.servers[..nodes as usize];
    let pids: Vec<u32> = servers.iter().map(|server| server.process().pid()).collect();
    let store = group.store();
    let store_pid = store.and_then(|store| store.pids().first().copied());
    let balancer_pid = pid(group.front.as_ref());
    let throttling = || {
        let of = |pid: &u32| Throttling::of(*pid).unwrap_or_default();
        [&pids[..], store_pid.as_slice(), balancer_pid.as_slice()].map(|pids| pids.iter().map(of).collect::<Vec<_>>())
    };
    let started_at = crate::now();
    let target = group.target(nodes)?;
    let before = throttling();
    let watched = Watched { servers: &pids, store, balancer: balancer_pid };
    let round = drive(bench, plan, &target, group.scheme, watched)?;
    let after = throttling();
    for server in servers {
        server.process().check()?;
    }
    store.map_or(Ok(()), Store::check)?;
    group.front.as_ref().map_or(Ok(()), |front| front.process().check())?;
    let full = |of: usize| -> Vec<f64> {
        after[of].iter().zip(&before[of]).map(|(after, before)| after.since(*before).share()).collect()
    };
    let [nodes_full, store_full, balancer_full] = [full(0), full(1), full(2)];
    let per_request = |ns: u64, requests: u64| ns as f64 / 1e3 / requests.max(1) as f64;
    let usage = round.usage.as_ref();
    let generator_share = generator_share(&round, workers(&bench.setting.placement).count as u32).unwrap_or(0.0);
    let mut reasons = round.validity.reasons.clone();
    if generator_share > GENERATOR_SHARE {
        reasons.push(format!("the generator used {:.0} % of its processors", generator_share * 100.0));
    }
    let balancer_full = balancer_full.first().copied();
    if let Some(share) = balancer_full.filter(|share| *share > BALANCER_FULL) {
        let share = share * 100.0;
        reasons.push(format!(
            "the balancer used up its CPU quota in {share:.0} % of its periods: the balancer was saturated, and not a node"
        ));
    }
    Ok(ScalingPoint {
        scheme: group.scheme.id().to_owned(),
        block,
        started_at,
        step,
        rps: round.achieved_rps,
        requests: usage.map_or(0, |usage| usage.requests),
        nodes_us: usage.map_or(0.0, |usage| per_request(usage.server_cpu_ns, usage.requests)),
        store_us: usage.and_then(|usage| Some(per_request(usage.store_cpu_ns?, usage.requests))),
        balancer_us: usage.and_then(|usage| Some(per_request(usage.balancer_cpu_ns?, usage.requests))),
        generator_share,
        nodes_full,
        store_full: store_full.first().copied(),
        balancer_full,
        validity: Validity::from_reasons(reasons),
    })
}

fn drive(
    bench: &Bench<'_>,
    plan: &Plan,
    target: &Target,
    scheme: Scheme,
    watched: Watched<'_>,
) -> Result<Round, ExperimentError> {
    let place = alone(scheme.id(), Load::Saturated);
    let workers = workers(&bench.setting.placement);
    Ok(drive_round(plan, target, place, watched, workers, &bench.setting.stop)?.0)
}

/// As many requests as so many connections can carry.
fn plan(bench: &Bench<'_>, parameters: &ScalingParameters, connections: u32, block: u32) -> Plan {
    let size = RoundSize { duration_s: parameters.round_s, connections, population: parameters.population };
    size.plan(bench.setting, block, None)
}
