//! `scaling`: what rate do several nodes sustain?
//!
//! Varies: the scheme, and the number of nodes that share the load. Holds: the CPU quota of each node, that of the
//! store, the connections to each node, the request (`GET /me`), the carrier, and that no session's idle limit is
//! extended: how often that is written depends on the time since a scheme's last visit.
//!
//! Measures the rate that the nodes sustain together in a saturated closed loop, the CPU time of nodes and store per
//! request, and the share of its periods in which each quota was used up: it shows what was saturated. Once in each
//! block one, two or three nodes in turn saturate the store's quota with unrestricted CPU: the CPU time of a store per
//! request falls as its load rises, because it then responds to more requests per wake-up, so that its capacity does
//! not follow from its CPU time at lower load.
//!
//! The quotas are as large as possible while all nodes together stay below 60 % of the generator's capacity and below
//! that of the processors; the store's is as large as a node's, so that schemes that query a store reach its limit
//! inside the range.
//!
//! With a balancer, an `HAProxy` forwards the requests, with a CPU quota twice as large as its need at saturation; a
//! round in which it was used up is invalid.
//!
//! Without CPU quotas, only the cost of a request with unrestricted CPU is measured. The report then estimates the rate
//! that nodes and stores of one full processor sustain, and states that it is an estimate.
//!
//! Limitations: nodes of one machine share caches and a network that costs nothing, and a quota makes them run in
//! bursts, which lets a store respond to several requests at a time. Latency is not measured here, because quotas make
//! it look better.

use std::collections::{BTreeMap, BTreeSet};

use contract::{RevocationClass, Scheme, StoreDown, StoreKind};
use driver::Target;
use engine::plan::Plan;
use engine::record::{
    Balancing, Load, QuotaSizes, Round, ScalingExperiment, ScalingPoint, ServiceDemand, Step, Validity,
};
use engine::validity::{GENERATOR_SHARE, generator_share};
use lab::cpu_quota::{CpuQuotas, NoCpuQuotas, Throttling};
use lab::store::Store;

use crate::balancer::{Balancer, RunningBalancer};
use crate::nodes::{FULL_CPU, Nodes, QuotaStore, Quotas};
use crate::profile::Profile;
use crate::round_size::RoundSize;
use crate::run_context::{ExperimentError, RunContext};
use crate::visit::{ObservedProcesses, drive_round, outside_blocks, workers};
use crate::{Run, blocks};

pub use parameters::ScalingParameters;

mod demand;
mod parameters;

/// All nodes together stay below this share of the generator's capacity.
const MAX_GENERATOR_SHARE: f64 = 0.60;
/// Nodes and store together stay below this share of their processors: the kernel needs some as well.
const MAX_PROCESSOR_SHARE: f64 = 0.90;
/// The store's quota, in multiples of a node's. A session over one pipelining connection needs a fifth of its node's
/// CPU time in the store, so that five or six nodes saturate it; a pooled one saturates it with two or three.
const STORE_QUOTA_IN_NODES: f64 = 1.0;
/// The balancer's quota, as a multiple of its greatest need: with idle time it uses more CPU time per request than when
/// saturated.
const BALANCER_MARGIN: f64 = 2.0;
/// A balancer whose quota is used up in more than this share of its periods limits the rate.
const BALANCER_SATURATED: f64 = 0.10;
/// At most this number of nodes saturates the store: no more than the laws are fitted on.
const MAX_SATURATING_NODES: u32 = 3;
/// Rounds with unrestricted CPU for each scheme, of which the median counts.
const DEMAND_BLOCKS: u32 = 3;

impl Run for ScalingExperiment {
    type Parameters = ScalingParameters;

    fn parameters(profile: Profile) -> ScalingParameters {
        ScalingParameters::of(profile)
    }

    fn run(context: &mut RunContext<'_>, parameters: &ScalingParameters) -> Result<(), ExperimentError> {
        let schemes = schemes_with_quotas(context)?;
        match (context.config.cpu_quotas)() {
            Ok(cpu_quotas) => nodes(context, parameters, &schemes, &cpu_quotas),
            Err(none) => estimate(context, parameters, &schemes, &none),
        }
    }
}

/// Measures the cost of a request on one node, if several cannot be measured; the report estimates the rest from it.
fn estimate(
    context: &mut RunContext<'_>,
    parameters: &ScalingParameters,
    schemes: &[Scheme],
    none: &NoCpuQuotas,
) -> Result<(), ExperimentError> {
    let reason = format!("{none}; the capacity of more nodes is estimated from the CPU time of a request instead");
    context.progress.note(&format!("LEFT OUT: scaling on more than one node. {reason}"));
    context.journal.omit("scaling on more than one node", &reason)?;
    context.journal.measured(|scaling: &mut ScalingExperiment| scaling.unsliced = Some(none.to_string()))?;
    demand::measure(context, parameters, schemes, parameters.blocks).map(drop)
}

/// Measures the rate that one node and more sustain, each with its quota.
fn nodes(
    context: &mut RunContext<'_>,
    parameters: &ScalingParameters,
    schemes: &[Scheme],
    cpu_quotas: &CpuQuotas,
) -> Result<(), ExperimentError> {
    let max_nodes = max_nodes(parameters);
    let demands = demand::measure(context, parameters, schemes, DEMAND_BLOCKS)?;
    context.progress.end();
    let quota_sizes = choose_quotas(context, cpu_quotas, &demands, max_nodes);
    context.journal.measured(|scaling: &mut ScalingExperiment| scaling.slicing = Some(quota_sizes.clone()))?;
    let balancer = quota_sizes.balancer.as_ref().map(|balancer| balancer.share);
    let quotas = Quotas { cpu_quotas, node: quota_sizes.node_share, store: quota_sizes.store_share, balancer };
    let stores = stores(context, schemes, &quotas)?;
    let mut groups = Vec::new();
    for &scheme in schemes {
        context.check_can_continue()?;
        let group =
            Nodes::start(context, scheme, stores.get(&scheme.store()), max_nodes, &quotas, parameters.population)?;
        warm_up(context, parameters, &group, max_nodes)?;
        groups.push(group);
    }
    groups.iter().try_for_each(Nodes::apply_quotas)?;
    visit(context, parameters, &mut groups, &quota_sizes)
}

fn max_nodes(parameters: &ScalingParameters) -> u32 {
    parameters.nodes.iter().copied().max().unwrap_or(1)
}

/// Returns the schemes whose store this run can observe and give a quota.
fn schemes_with_quotas(context: &mut RunContext<'_>) -> Result<Vec<Scheme>, ExperimentError> {
    let is_external = |scheme: &Scheme| context.config.store(*scheme).is_some_and(|store| !store.is_private());
    let (without, with): (Vec<Scheme>, Vec<Scheme>) =
        context.config.schemes.iter().partition(|scheme| is_external(scheme));
    for scheme in without {
        let reason =
            "its store is external: this run can neither set its CPU quota nor read its CPU time; omit --redis-url";
        context.journal.omit(&format!("scaling of {scheme}"), reason)?;
    }
    Ok(with)
}

fn pid(balancer: Option<&RunningBalancer>) -> Option<u32> {
    balancer.map(|balancer| balancer.process().pid())
}

/// Returns the largest quotas that leave enough CPU time to the generator and to the kernel.
fn choose_quotas(
    context: &RunContext<'_>,
    cpu_quotas: &CpuQuotas,
    demands: &[ServiceDemand],
    max_nodes: u32,
) -> QuotaSizes {
    let placement = &context.config.placement;
    let cheapest_us = demands.iter().map(|demand| demand.server_us).fold(f64::INFINITY, f64::min);
    let max_of = |us: fn(&ServiceDemand) -> f64| demands.iter().map(us).fold(0.0, f64::max);
    let generator_us = max_of(|demand| demand.generator_us);
    let balancer_us = max_of(|demand| demand.balancer_us.unwrap_or(0.0));
    let generator_rps = workers(placement).count as f64 * 1e6 / generator_us;
    let together = placement.server_cpus == placement.store_cpus;
    // At most, the nodes sustain the rate of the cheapest scheme.
    let balancer_in_nodes = BALANCER_MARGIN * balancer_us / cheapest_us * f64::from(max_nodes);
    let total_in_nodes = f64::from(max_nodes) + balancer_in_nodes + if together { STORE_QUOTA_IN_NODES } else { 0.0 };
    let processor_limit = MAX_PROCESSOR_SHARE / total_in_nodes;
    let generator_limit = MAX_GENERATOR_SHARE * generator_rps * cheapest_us / 1e6 / f64::from(max_nodes);
    let node_share = processor_limit.min(generator_limit);
    QuotaSizes {
        method: cpu_quotas.method().to_owned(),
        node_share,
        store_share: STORE_QUOTA_IN_NODES * node_share,
        balancer: (context.config.balancer != Balancer::Generator)
            .then(|| Balancing { program: context.config.balancer.to_string(), share: balancer_in_nodes * node_share }),
        generator_rps,
        expected_rps: f64::from(max_nodes) * node_share * 1e6 / cheapest_us,
    }
}

/// Starts one store of each kind outside the servers.
fn stores<'a>(
    context: &RunContext<'a>,
    schemes: &[Scheme],
    quotas: &Quotas<'_>,
) -> Result<BTreeMap<StoreKind, QuotaStore<'a>>, ExperimentError> {
    let kinds: BTreeSet<StoreKind> = schemes.iter().map(|scheme| scheme.store()).collect();
    let store = |kind| Ok((kind, QuotaStore::start(context, kind, quotas)?));
    kinds.into_iter().filter(|kind| kind.is_external()).map(store).collect()
}

/// Makes this number of nodes open their connections and fill their caches, with unrestricted CPU: a `PostgreSQL` with
/// a small quota would spend whole rounds on it. Nothing is recorded.
fn warm_up(
    context: &RunContext<'_>,
    parameters: &ScalingParameters,
    group: &Nodes<'_>,
    nodes: u32,
) -> Result<(), ExperimentError> {
    let plan = plan(context, parameters, nodes * parameters.connections_a_node, 0);
    drive(context, &plan, &group.target(nodes)?, group.scheme, ObservedProcesses::default())?;
    context.check_can_continue()
}

/// Returns whether a server discards cached store data by itself, so that its cache is empty at its next visit.
fn discards_its_cache(scheme: Scheme) -> bool {
    scheme.store_down() == StoreDown::ServeCached && scheme.revocation_class() == Some(RevocationClass::Ttl)
}

/// Visits every scheme with every number of nodes, and saturates every store, once per block.
fn visit(
    context: &mut RunContext<'_>,
    parameters: &ScalingParameters,
    groups: &mut [Nodes<'_>],
    quota_sizes: &QuotaSizes,
) -> Result<(), ExperimentError> {
    let mut visits = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        visits.extend(parameters.nodes.iter().map(|&nodes| (index, Some(nodes))));
        visits.extend(group.store().map(|_| (index, None)));
    }
    for turn in blocks::begin(context, "scaling", &visits, parameters.blocks) {
        let (index, nodes) = turn.item;
        let group = &mut groups[index];
        context.step(&match nodes {
            Some(nodes) => format!("{} on {nodes} nodes", group.scheme),
            None => format!("{}, store saturated", group.scheme),
        })?;
        let saturating_nodes = (1 + turn.block % MAX_SATURATING_NODES).min(max_nodes(parameters));
        let step = nodes.map_or(Step::StoreFilled { nodes: saturating_nodes }, |nodes| Step::Nodes { nodes });
        let point = measure_step(context, parameters, group, quota_sizes, (turn.block, step))?;
        context.check_can_continue()?;
        context.journal.measured(|scaling: &mut ScalingExperiment| scaling.points.push(point))?;
    }
    Ok(())
}

/// Measures one round of a step.
fn measure_step(
    context: &RunContext<'_>,
    parameters: &ScalingParameters,
    group: &mut Nodes<'_>,
    quota_sizes: &QuotaSizes,
    (block, step): (u32, Step),
) -> Result<ScalingPoint, ExperimentError> {
    let (Step::Nodes { nodes } | Step::StoreFilled { nodes }) = step;
    let plan = plan(context, parameters, nodes * parameters.connections_a_node, block);
    group.renew(context, &plan)?;
    if discards_its_cache(group.scheme) {
        group.lift_quotas()?;
        warm_up(context, parameters, group, nodes)?;
        group.apply_quotas()?;
    }
    if matches!(step, Step::Nodes { .. }) {
        return point(context, &plan, group, nodes, (block, step));
    }
    group.resize(nodes, FULL_CPU)?;
    let point = point(context, &plan, group, nodes, (block, step));
    group.resize(nodes, quota_sizes.node_share)?;
    point
}

fn point(
    context: &RunContext<'_>,
    plan: &Plan,
    group: &Nodes<'_>,
    nodes: u32,
    (block, step): (u32, Step),
) -> Result<ScalingPoint, ExperimentError> {
    let servers = &group.servers[..nodes as usize];
    let pids: Vec<u32> = servers.iter().map(|server| server.process().pid()).collect();
    let store = group.store();
    let store_pid = store.and_then(|store| store.pids().first().copied());
    let balancer_pid = pid(group.balancer.as_ref());
    let throttling = || {
        let of = |pid: &u32| Throttling::of(*pid).unwrap_or_default();
        [&pids[..], store_pid.as_slice(), balancer_pid.as_slice()].map(|pids| pids.iter().map(of).collect::<Vec<_>>())
    };
    let started_at = crate::now();
    let target = group.target(nodes)?;
    let before = throttling();
    let processes = ObservedProcesses { servers: &pids, store, balancer: balancer_pid };
    let round = drive(context, plan, &target, group.scheme, processes)?;
    let after = throttling();
    for server in servers {
        server.process().check()?;
    }
    store.map_or(Ok(()), Store::check)?;
    group.balancer.as_ref().map_or(Ok(()), |balancer| balancer.process().check())?;
    let used_up_shares = |of: usize| -> Vec<f64> {
        after[of].iter().zip(&before[of]).map(|(after, before)| after.since(*before).share()).collect()
    };
    let [nodes_full, store_full, balancer_full] = [used_up_shares(0), used_up_shares(1), used_up_shares(2)];
    let per_request = |ns: u64, requests: u64| ns as f64 / 1e3 / requests.max(1) as f64;
    let usage = round.usage.as_ref();
    let generator_share = generator_share(&round, workers(&context.config.placement).count as u32).unwrap_or(0.0);
    let mut reasons = round.validity.reasons.clone();
    if generator_share > GENERATOR_SHARE {
        reasons.push(format!("the generator used {:.0} % of its processors", generator_share * 100.0));
    }
    let balancer_full = balancer_full.first().copied();
    if let Some(share) = balancer_full.filter(|share| *share > BALANCER_SATURATED) {
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
    context: &RunContext<'_>,
    plan: &Plan,
    target: &Target,
    scheme: Scheme,
    processes: ObservedProcesses<'_>,
) -> Result<Round, ExperimentError> {
    let place = outside_blocks(scheme.id(), Load::Saturated);
    let workers = workers(&context.config.placement);
    Ok(drive_round(plan, target, place, processes, workers, &context.config.stop)?.0)
}

/// Returns the plan of a saturated round over this number of connections.
fn plan(context: &RunContext<'_>, parameters: &ScalingParameters, connections: u32, block: u32) -> Plan {
    let size = RoundSize { duration_s: parameters.round_s, connections, population: parameters.population };
    size.plan(context.config, block, None)
}
