//! The service demand: the cost of a request with unrestricted CPU. The quotas are derived from it; without quotas it
//! is the basis of the estimate for several nodes.

use contract::Scheme;
use engine::record::{Round, ScalingExperiment, ServiceDemand, Usage};
use lab::child::Bounds;

use super::{ScalingParameters, drive, pid, plan};
use crate::balancer::{Balancer, RunningBalancer};
use crate::blocks;
use crate::run_context::{ExperimentError, RunContext};
use crate::servers::{self, ServerUnderTest};
use crate::visit::ObservedProcesses;

/// One node, and the balancer in front of it, if there is one.
struct Subject<'a> {
    under_test: ServerUnderTest<'a>,
    balancer: Option<RunningBalancer>,
}

/// Visits one node of every scheme once per block, and returns the median demand of each, in order.
pub(super) fn measure(
    context: &mut RunContext<'_>,
    parameters: &ScalingParameters,
    schemes: &[Scheme],
    blocks: u32,
) -> Result<Vec<ServiceDemand>, ExperimentError> {
    let numbers: Vec<usize> = (0..schemes.len()).collect();
    let turns = blocks::begin(context, "scaling: what a request costs", &numbers, blocks);
    let servers = servers::start_all(context, parameters.population)?;
    let mut subjects = Vec::new();
    for under_test in servers.into_iter().filter(|under_test| schemes.contains(&under_test.scheme)) {
        subjects.push(Subject::of(context, under_test)?);
    }
    let mut demands = Vec::new();
    for turn in turns {
        let subject = &mut subjects[turn.item];
        context.step(subject.under_test.scheme.id())?;
        let Some(demand) = subject.visit(context, parameters, turn.block)? else { continue };
        demands.push(demand.clone());
        context.journal.measured(|scaling: &mut ScalingExperiment| scaling.demands.push(demand))?;
    }
    schemes.iter().map(|&scheme| median_demand(&demands, scheme).ok_or(ExperimentError::NoCapacity(scheme))).collect()
}

/// Returns the median by the CPU time of the server.
fn median_demand(demands: &[ServiceDemand], scheme: Scheme) -> Option<ServiceDemand> {
    let mut of_scheme: Vec<&ServiceDemand> = demands.iter().filter(|demand| demand.scheme == scheme.id()).collect();
    of_scheme.sort_by(|one, other| one.server_us.total_cmp(&other.server_us));
    of_scheme.get(of_scheme.len() / 2).copied().cloned()
}

impl<'a> Subject<'a> {
    fn of(context: &RunContext<'_>, under_test: ServerUnderTest<'a>) -> Result<Self, ExperimentError> {
        let bounds = Bounds::on(&context.config.placement.server_cpus);
        let balancer = match context.config.balancer {
            Balancer::Generator => None,
            Balancer::Haproxy => Some(RunningBalancer::start(context, under_test.scheme, &under_test.target, &bounds)?),
        };
        Ok(Self { under_test, balancer })
    }

    fn visit(
        &mut self,
        context: &RunContext<'_>,
        parameters: &ScalingParameters,
        block: u32,
    ) -> Result<Option<ServiceDemand>, ExperimentError> {
        let plan = plan(context, parameters, parameters.connections, block);
        self.under_test.renew(context, &plan)?;
        let (under_test, scheme) = (&self.under_test, self.under_test.scheme);
        let through =
            self.balancer.as_ref().map(|balancer| balancer.target_through(&under_test.target, scheme)).transpose()?;
        let servers = [under_test.server.process().pid()];
        let processes =
            ObservedProcesses { servers: &servers, store: under_test.store, balancer: pid(self.balancer.as_ref()) };
        let started_at = crate::now();
        let round = drive(context, &plan, through.as_ref().unwrap_or(&under_test.target), scheme, processes)?;
        // An interrupted round has no result.
        context.check_can_continue()?;
        Ok(demand(scheme, block, started_at, &round))
    }
}

fn demand(scheme: Scheme, block: u32, started_at: String, round: &Round) -> Option<ServiceDemand> {
    let is_complete = |usage: &&Usage| usage.requests > 0 && usage.server_cpu_ns > 0 && usage.generator_cpu_ns > 0;
    let usage = round.usage.as_ref().filter(is_complete)?;
    let us = |ns: u64| ns as f64 / 1e3 / usage.requests as f64;
    Some(ServiceDemand {
        scheme: scheme.id().to_owned(),
        block,
        started_at,
        requests: usage.requests,
        server_us: us(usage.server_cpu_ns),
        store_us: usage.store_cpu_ns.map(us),
        balancer_us: usage.balancer_cpu_ns.map(us),
        generator_us: us(usage.generator_cpu_ns),
        validity: round.validity.clone(),
    })
}
